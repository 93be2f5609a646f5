"""What is done: actors that carry out commands, and the processes around them (scheduler, relay, intake, consume)."""
