"""What is said: requests that come in, commands to actors, events to whoever listens. Imports nothing else of ours."""
