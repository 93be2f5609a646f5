"""`seats quarantine list|show`: requests that were refused, and why."""

from typing import Annotated

import typer

from console.errors import NotFound
from console.finding import Limit
from console.output import AsJson, Sheet, at, facts, foreign, show
from console.session import database, run
from console.style import examples, group
from store import readings
from store.readings import Quarantined

app = group("Requests that were refused, and why.")


@app.command("list", epilog=examples("quarantine list", "quarantine list --json"))
def list_(limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the newest refused requests."""

    async def read() -> list[Quarantined]:
        async with database() as connection:
            return await readings.quarantined(connection, limit)

    found = run(read())
    rows = [(one.id, at(one.received_at, "UTC"), one.request_id, f"{one.body_bytes:,}", one.reason) for one in found]
    columns = ("id", "received", "request", "bytes", "reason")
    sheet = Sheet(columns, rows, empty="The quarantine is empty.", numbers=frozenset({"id", "bytes"}))
    show({"quarantine": [_document(one) for one in found]}, sheet, as_json=as_json)


@app.command("show", epilog=examples("quarantine show 12"))
def show_(number: Annotated[int, typer.Argument(metavar="ID", min=1)], as_json: AsJson = False) -> None:
    """Show a refused request as it came."""

    async def read() -> Quarantined | None:
        async with database() as connection:
            return await readings.quarantined_request(connection, number)

    found = run(read())
    if found is None:
        raise NotFound(f"there is no {number} in the quarantine; see `./seats quarantine list`")
    told = {"received": at(found.received_at, "UTC"), "request": found.request_id, "reason": found.reason}
    show(_document(found) | {"body": foreign(found.body)}, facts(told), foreign(found.body), as_json=as_json)


def _document(one: Quarantined) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("id", "received_at", "request_id", "reason", "body_bytes")}
