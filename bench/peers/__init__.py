"""The sides of the comparison; each runs in a process, and an environment, of its own."""
