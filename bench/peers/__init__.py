"""The sides of the comparison; each runs in a process, and if need be an environment, of its own."""
