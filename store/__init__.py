"""What is remembered: every SQL statement of the project, and nothing else.

Functions take an open connection first and run inside the caller's transaction, so that a state change and the message
that says so commit together. `now` is a parameter wherever time decides. Postgres itself is the fake in the tests.
"""
