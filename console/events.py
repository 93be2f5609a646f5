"""`seats events tail`: what was said, from the record that the relay sends from."""

import asyncio
import json
import re
import sys
from collections import deque
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from console.errors import BadUse
from console.finding import OneProfile, zone_of
from console.output import AsJson, Sheet, at, show
from console.session import database, now, run
from console.style import examples, group
from messages.events import EVENTS
from store import readings
from store.readings import Said, Wanted

app = group("Events, as they are said to whoever listens.")

LOOK_EVERY = 0.5
"""Seconds between two looks at the record."""
WINDOW = 2000
"""How many ids back a follower looks again: a transaction that took a low id may commit late."""


@app.command(
    "tail",
    epilog=examples(
        "events tail",
        "events tail --type SubscriptionReclaimed --profile acme --since 24h",
        "events tail --follow --json     (one JSON document on each line)",
    ),
)
def tail(
    kind: Annotated[str | None, typer.Option("--type", help="Only this type, as RunFinished.")] = None,
    profile: OneProfile = None,
    subject: Annotated[str | None, typer.Option(help="Only this subject, as candidate/17.")] = None,
    since: Annotated[str | None, typer.Option(help="From this moment on: a date and time, or 30m, 24h, 7d.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="The last so many.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is said from now on, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the last events, and follow what is said from then on."""
    if kind is not None and kind not in EVENTS:
        raise BadUse(f"there is no event type {kind}; one of {', '.join(EVENTS)}")
    run(_tail(profile, kind, subject, since, limit, follow=follow, as_json=as_json))


async def _tail(
    profile: str | None,
    kind: str | None,
    subject: str | None,
    since: str | None,
    limit: int,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    async with database() as connection:
        zone = await zone_of(connection, profile)
        wanted = Wanted(profile=profile, name=kind, subject=subject, since=_moment(since, zone) if since else None)
        found = await readings.newest_events(connection, wanted, limit)
        if not follow:
            _show(found, zone, as_json=as_json)
            return
        seen = deque((one.id for one in found), maxlen=WINDOW)
        while True:
            for one in found:
                _print(one, zone, as_json=as_json)
            await asyncio.sleep(LOOK_EVERY)
            found = await readings.events_after(connection, wanted, after=_look_from(seen), but_not=seen)
            seen.extend(one.id for one in found)


def _look_from(seen: deque[int]) -> int:
    """Return the id after which to look again: some way back, but not before what was shown first."""
    return max(max(seen, default=0) - WINDOW, min(seen, default=1) - 1)


def _show(found: list[Said], zone: str, *, as_json: bool) -> None:
    rows = [(at(one.occurred_at, zone), one.profile, one.name, one.subject, _words(one)) for one in found]
    sheet = Sheet(("when", "profile", "type", "subject", "what"), rows, empty="Nothing was said.")
    show({"events": [_document(one) for one in found]}, sheet, as_json=as_json)


def _print(one: Said, zone: str, *, as_json: bool) -> None:
    if as_json:
        line = json.dumps(_document(one), default=str, ensure_ascii=False)
    else:
        line = f"{at(one.occurred_at, zone)}  {one.profile or '-'}  {one.name}  {one.subject}  {_words(one)}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _words(one: Said) -> str:
    plain = {
        name: value for name, value in one.payload.items() if name not in {"profile", "run_id"} and value is not None
    }
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False).strip(chr(34))}" for name, value in plain.items())


def _document(one: Said) -> dict[str, object]:
    return {
        "id": str(one.message_id),
        "type": one.name,
        "profile": one.profile,
        "subject": one.subject,
        "sequence": one.sequence,
        "time": one.occurred_at.astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z"),
        "correlation_id": str(one.correlation_id),
        "sent": one.sent_at is not None,
        "data": one.payload,
    }


def _moment(text: str, zone: str) -> datetime:
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if match:
        return now() - timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadUse("--since is a moment as 2026-11-24T05:00, or 30m, 24h, 7d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
