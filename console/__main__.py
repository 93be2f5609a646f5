"""Start the `seats` command: `python -m console`."""

from console.app import app

app(prog_name="seats")
