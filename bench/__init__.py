"""Benchmarks: ``python -m bench`` prints what kist costs beside its peers and the machine."""
