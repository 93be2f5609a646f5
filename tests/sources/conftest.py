"""The sources are tested with the look-alike of the client's tests, over HTTP, and with an Asana on paper."""

from tests.asana_api.conftest import _served, asana, client, open_client

__all__ = ["_served", "asana", "client", "open_client"]
