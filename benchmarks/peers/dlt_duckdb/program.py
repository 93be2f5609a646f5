"""Loads both listings into DuckDB with dlt, merged by `gid`, as its documentation shows it for a REST API.

    program.py FOLDER          a pipeline whose state and database are in the folder; again merges into what is there
    program.py FOLDER --count  prints how many rows the database has, as JSON

ASANA_URL, ASANA_TOKEN and ASANA_WORKSPACE say where.
"""

import json
import os
import sys
from pathlib import Path

MEMBERSHIP_FIELDS = (
    "user,user.name,is_active,is_admin,is_guest,is_view_only,created_at,"
    "vacation_dates,vacation_dates.start_on,vacation_dates.end_on"
)
USER_FIELDS = "name,email"
RESOURCES = ("workspace_memberships", "users")


def load(folder: Path) -> None:
    import dlt  # noqa: PLC0415 - counting needs DuckDB alone
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415 - the same

    workspace = os.environ["ASANA_WORKSPACE"]
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{os.environ['ASANA_URL']}/api/1.0",
                "auth": {"type": "bearer", "token": os.environ["ASANA_TOKEN"]},
                "paginator": {"type": "cursor", "cursor_path": "next_page.offset", "cursor_param": "offset"},
            },
            "resource_defaults": {
                "primary_key": "gid",
                "write_disposition": "merge",
                "endpoint": {"data_selector": "data", "params": {"limit": 100}},
            },
            "resources": [
                {
                    "name": "workspace_memberships",
                    "endpoint": {
                        "path": f"workspaces/{workspace}/workspace_memberships",
                        "params": {"opt_fields": MEMBERSHIP_FIELDS},
                    },
                },
                {
                    "name": "users",
                    "endpoint": {"path": "users", "params": {"workspace": workspace, "opt_fields": USER_FIELDS}},
                },
            ],
        },
        parallelized=True,
    )
    pipeline = dlt.pipeline(
        "asana",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "asana.duckdb")),
        dataset_name="people",
    )
    pipeline.run(source)


def count(folder: Path) -> None:
    import duckdb  # noqa: PLC0415 - only here

    with duckdb.connect(str(folder / "asana.duckdb"), read_only=True) as database:
        counts = {name: database.execute(f"SELECT count(*) FROM people.{name}").fetchone()[0] for name in RESOURCES}  # noqa: S608 - our own names
    sys.stdout.write(json.dumps({"memberships": counts["workspace_memberships"], "users": counts["users"]}))


if __name__ == "__main__":
    (count if "--count" in sys.argv else load)(Path(sys.argv[1]))
