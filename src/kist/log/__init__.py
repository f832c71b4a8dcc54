"""The ordered record of all that happened, and the state that follows from it."""
