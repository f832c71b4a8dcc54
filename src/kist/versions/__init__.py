"""What a repository can do, one verb or two to a module, as functions of a session."""
