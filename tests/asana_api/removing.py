"""The one call that removes somebody, as the tests make it."""

import time

from asana_api.client import AsanaClient
from sandbox.asana import Running

REMOVE = "/workspaces/{workspace_gid}/removeUser"


def admin(asana: Running) -> str:
    """The caller's own gid."""
    return asana.look.state.admins()[0].gid


async def remove(client: AsanaClient, asana: Running, person: str, seconds: float = 5.0) -> None:
    await client.remove_user(
        asana.organization_gid, person, own_gid=admin(asana), call_before=time.monotonic() + seconds
    )
