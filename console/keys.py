"""`seats keys`: the keys that seal tokens in the database."""

from connections.sealing import new_key
from console.output import AsJson, show
from console.style import examples, group

app = group("The keys that seal tokens.")


@app.command("new", epilog=examples("keys new", "keys new --json"))
def new(as_json: AsJson = False) -> None:
    """Make a key for SEATKEEPER_KEYS and print it, once; put it before the old ones, separated by a comma."""
    key = new_key()
    show({"key": key}, key, as_json=as_json)


@app.callback()
def _keys() -> None:
    """Hold the group together: Typer would take a single command for the group itself."""
