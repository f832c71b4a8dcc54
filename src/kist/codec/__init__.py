"""Codecs: values become named byte streams and come back exactly."""
