"""`seats connections`: every alias, whose app it uses, and whether its credentials work."""

from datetime import datetime

from console.output import AsJson, Sheet, at, show
from console.session import database, run
from console.style import examples
from store.aliases import Alias, every_alias

HELP = examples("connections", "connections --json")


def connections(as_json: AsJson = False) -> None:
    """List the connections to Asana and the state of their credentials."""
    found = run(_read())
    rows = [(one.alias, one.parent or "", one.base_url, _said(one), ", ".join(one.profiles)) for one in found]
    show(
        [_document(one) for one in found],
        Sheet(
            ("connection", "app of", "Asana", "credentials", "profiles"),
            rows,
            empty="There is no connection yet. Next: ./seats connect ALIAS",
        ),
        as_json=as_json,
    )


async def _read() -> list[Alias]:
    async with database() as connection:
        return await every_alias(connection)


def _said(one: Alias) -> str:
    each = zip(one.kinds, one.reasons, one.connected_at, strict=True)
    return "; ".join(f"{kind.replace('_', ' ')}: {_state(why, since)}" for kind, why, since in each) or "none"


def _state(why: str | None, since: datetime) -> str:
    return f"reconnect needed, {why}" if why else f"connected {at(since, 'UTC')}"


def _document(one: Alias) -> dict[str, object]:
    return {
        "connection": one.alias,
        "parent": one.parent,
        "url": one.base_url,
        "client_id": one.client_id,
        "requests_per_minute": one.requests_per_minute,
        "profiles": one.profiles,
        "credentials": [
            {
                "kind": kind,
                "user_gid": user_gid,
                "state": "reconnect_needed" if why else "connected",
                "lost_because": why,
                "connected_at": since,
            }
            for kind, user_gid, why, since in zip(one.kinds, one.user_gids, one.reasons, one.connected_at, strict=True)
        ],
    }
