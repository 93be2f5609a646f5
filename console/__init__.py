"""What an operator sees: the `seats` command. What it does to the world is a row and a message in one transaction."""
