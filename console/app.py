"""The `seats` command: all its parts, and how an error becomes one line and an exit code."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from console import (
    activity,
    alerts,
    aliases,
    candidates,
    changing,
    connecting,
    coverage,
    dead,
    entitlements,
    events,
    exemptions,
    installing,
    keys,
    migrating,
    plans,
    position,
    probing,
    profiles,
    publishing,
    quarantine,
    reclaiming,
    runs,
    serving,
)
from console.errors import EXIT_CODES, explained


class Seats(TyperGroup):
    """The outermost command: the only place where an error is shown."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - Typer's own signature; errors are shown here in any case
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401 - Typer's own signature
    ) -> None:
        """Run the command line and exit."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given, prog_name, complete_var, False, windows_expand_args, **extra)  # noqa: FBT003 - as Typer takes them
        except typer.Abort as stop:
            code = 130 if isinstance(stop.__context__, KeyboardInterrupt) else _complain("stopped", 1, given)
        except typer.TyperException as error:
            code = _misused(error, given)
        except Exception as error:
            told = explained(error)
            if told is None:
                raise
            code = _complain(*told, given)
        sys.exit(code or 0)


def _misused(error: typer.TyperException, given: list[str]) -> int:
    message = error.format_message()
    if message.lstrip().startswith("Usage:"):  # a group without its command
        sys.stderr.write(message + "\n")
        return error.exit_code
    return _complain(" ".join(message.split()) + " (see --help)", error.exit_code, given)


def _complain(sentence: str, code: int, given: list[str]) -> int:
    line = (
        json.dumps({"error": sentence, "code": code}, ensure_ascii=False) if "--json" in given else f"seats: {sentence}"
    )
    sys.stderr.write(line + "\n")
    return code


app = typer.Typer(
    cls=Seats,
    help="Seatkeeper: see who uses the seats that you pay for, and take back those that nobody uses.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("init", epilog=installing.HELP)(installing.init)
app.command("migrate", epilog=migrating.HELP)(migrating.migrate)
app.command("connect", epilog=connecting.HELP)(connecting.connect)
app.command("connections", epilog=aliases.HELP)(aliases.connections)
app.command("serve", epilog=serving.HELP)(serving.serve)
app.add_typer(profiles.app, name="profile")
publishing.add_to(profiles.app)
changing.add_to(profiles.app)
reclaiming.add_leash_to(profiles.app)
app.command("claims", epilog=probing.HELP_CLAIMS)(probing.claims)
app.command("probe", epilog=probing.HELP)(probing.probe)
app.command("run", epilog=runs.HELP)(runs.run_)
app.add_typer(runs.app, name="runs")
app.add_typer(activity.app, name="activity")
app.command("candidates", epilog=candidates.HELP)(candidates.candidates)
app.command("explain", epilog=candidates.HELP_EXPLAIN)(candidates.explain)
app.command("coverage", epilog=coverage.HELP)(coverage.coverage)
app.command("plan", epilog=plans.HELP)(plans.plan)
app.command("approve", epilog=plans.HELP_APPROVE)(plans.approve)
app.add_typer(plans.app, name="plans")
app.add_typer(exemptions.app, name="exempt")
app.add_typer(reclaiming.app, name="reclaim")
app.add_typer(entitlements.app, name="entitlement")
app.command("position", epilog=position.HELP)(position.position)
app.add_typer(events.app, name="events")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(dead.app, name="dead")
app.add_typer(keys.app, name="keys")
app.add_typer(alerts.app, name="alerts")
