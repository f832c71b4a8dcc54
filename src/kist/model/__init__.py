"""Values and pure functions: what kist talks about, without where it is kept.

Nothing here reads a file, the clock or the environment, starts a thread or draws a
random number; the same arguments always give the same result.
"""
