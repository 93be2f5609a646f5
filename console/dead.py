"""`seats dead list|show|replay`: commands that could not be carried out."""

from typing import Annotated

import typer

from console.errors import NotFound
from console.finding import Limit
from console.output import AsJson, Sheet, at, facts, foreign, show
from console.session import By, database, now, run
from console.style import examples, group
from store import dead_letters
from store.connect import Connection
from store.dead_letters import DeadLetter

app = group("Commands that could not be carried out.")
Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="Its number.", show_default=False)]


@app.command("list", epilog=examples("dead list", "dead list --json"))
def list_(limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the newest dead letters."""

    async def read() -> list[DeadLetter]:
        async with database() as connection:
            return await dead_letters.recent(connection, limit=limit)

    found = run(read())
    rows = [(one.id, one.queue, at(one.died_at, "UTC"), one.replayed_by, one.reason) for one in found]
    columns = ("id", "queue", "died", "replayed by", "reason")
    sheet = Sheet(columns, rows, empty="There is no dead letter.", numbers=frozenset({"id"}))
    show({"dead_letters": [_document(one) for one in found]}, sheet, as_json=as_json)


@app.command("show", epilog=examples("dead show 12"))
def show_(number: Number, as_json: AsJson = False) -> None:
    """Show a dead letter as it lay in the queue."""

    async def read() -> DeadLetter:
        async with database() as connection:
            return await _the_letter(connection, number)

    found = run(read())
    told: dict[str, object] = {
        "queue": found.queue,
        "died": at(found.died_at, "UTC"),
        "reason": found.reason,
        "replayed": found.replayed_at and f"{at(found.replayed_at, 'UTC')} by {found.replayed_by}",
    }
    show(_document(found) | {"body": foreign(found.body)}, facts(told), foreign(found.body), as_json=as_json)


@app.command("replay", epilog=examples("dead replay 12"))
def replay(number: Number, by: By = "", as_json: AsJson = False) -> None:
    """Order a fresh run of what a dead letter asked for."""

    async def work() -> str:
        async with database() as connection, connection.transaction():
            await _the_letter(connection, number)
            return str(await dead_letters.replay(connection, number, by, now()))

    run_id = run(work())
    document = {"id": number, "run_id": run_id}
    show(document, f"Dead letter {number} is ordered again: ./seats runs show {run_id[:8]}", as_json=as_json)


async def _the_letter(connection: Connection, number: int) -> DeadLetter:
    found = await dead_letters.get(connection, number)
    if found is None:
        raise NotFound(f"there is no dead letter {number}; see `./seats dead list`")
    return found


def _document(one: DeadLetter) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("id", "queue", "reason", "died_at", "replayed_at", "replayed_by")}
