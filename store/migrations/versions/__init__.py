"""One module for each step, with its SQL beside it in a file of the same name."""
