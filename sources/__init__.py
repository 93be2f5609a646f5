"""What people did: each module here is one source of activity, which asks Asana and remembers nothing."""
