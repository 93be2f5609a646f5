"""What is claimed about speed, runnable: every figure is a ratio inside one run, beside something that others know."""
