"""How we come to Asana: sealed credentials, a valid token, a permit for each call, and the client that has them all."""
