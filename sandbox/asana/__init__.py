"""An Asana look-alike, written from Asana's published OpenAPI document. It imports nothing of Seatkeeper.

from sandbox.asana import running

with running(people=50, seed=1) as asana:
    httpx.get(f"{asana.api_url}/users/me", headers={"Authorization": f"Bearer {asana.admin_token}"})
"""

from sandbox.asana.server import Running, running

__all__ = ["Running", "running"]
