"""Reads both listings to their end with Asana's own SDK, in two threads side by side. Nothing is stored.

Prints how many it read as JSON. ASANA_URL, ASANA_TOKEN and ASANA_WORKSPACE say where.
"""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asana

MEMBERSHIP_FIELDS = (
    "user,user.name,is_active,is_admin,is_guest,is_view_only,created_at,"
    "vacation_dates,vacation_dates.start_on,vacation_dates.end_on"
)
USER_FIELDS = "name,email"


def main() -> None:
    configuration = asana.Configuration()
    configuration.host = f"{os.environ['ASANA_URL']}/api/1.0"
    configuration.access_token = os.environ["ASANA_TOKEN"]
    client, workspace = asana.ApiClient(configuration), os.environ["ASANA_WORKSPACE"]
    memberships: Iterator[object] = asana.WorkspaceMembershipsApi(client).get_workspace_memberships_for_workspace(
        workspace, {"limit": 100, "opt_fields": MEMBERSHIP_FIELDS}
    )
    users: Iterator[object] = asana.UsersApi(client).get_users(
        {"workspace": workspace, "limit": 100, "opt_fields": USER_FIELDS}
    )
    with ThreadPoolExecutor(2) as threads:
        counted = threads.map(_count, (memberships, users))
        sys.stdout.write(json.dumps(dict(zip(("memberships", "users"), counted, strict=True))))


def _count(listing: Iterator[object]) -> int:
    return sum(1 for _ in listing)


if __name__ == "__main__":
    main()
