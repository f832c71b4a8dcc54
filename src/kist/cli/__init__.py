"""The command line: thin commands over `kist.Repository`."""
