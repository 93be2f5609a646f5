"""`seats alerts list|test`: what was to be told, and whether the channels take it."""

from console.errors import CommandFailed
from console.finding import Limit
from console.output import AsJson, Sheet, at, show
from console.session import database, run
from console.style import examples, group
from settings import SettingsUnfit, read_settings
from store import alerts
from store.alerts import Alert

app = group("What was told by mail, Slack or a webhook, and whether that works.")


@app.command("list", epilog=examples("alerts list", "alerts list --json"))
def list_(limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the newest alerts, with what became of each."""

    async def read() -> list[Alert]:
        async with database() as connection:
            return await alerts.newest(connection, limit)

    found = run(read())
    rows = [(one.id, at(one.raised_at, "UTC"), _state(one), one.title, one.trouble) for one in found]
    sheet = Sheet(
        ("id", "raised", "state", "alert", "trouble"), rows, empty="There is no alert.", numbers=frozenset({"id"})
    )
    show({"alerts": [_document(one) for one in found]}, sheet, as_json=as_json)


@app.command("test", epilog=examples("alerts test"))
def send_test(as_json: AsJson = False) -> None:
    """Send a test message by every channel of SEATKEEPER_ALERT_URLS, and say who took it."""
    from connections.channels import AddressUnfit, Channels, taken  # noqa: PLC0415 - Apprise takes a while to load

    addresses = read_settings().alert_addresses()
    try:
        channels = Channels(addresses)
    except AddressUnfit as error:
        raise SettingsUnfit(f"SEATKEEPER_ALERT_URLS: {error}") from None
    if not len(channels):
        raise SettingsUnfit("SEATKEEPER_ALERT_URLS names no channel")
    told = run(channels.tell("Seatkeeper: a test", "If you can read this, alerts reach you. Nothing has happened."))
    rows = [(one.channel, "taken" if one.trouble is None else one.trouble) for one in told]
    document = {
        "channels": [{"channel": one.channel, "taken": one.trouble is None, "trouble": one.trouble} for one in told]
    }
    show(document, Sheet(("channel", "answer"), rows), as_json=as_json)
    if any(one.trouble is not None for one in told):
        raise CommandFailed("not every channel took it" if taken(told) else "no channel took it")


def _state(one: Alert) -> str:
    if one.sent_at is not None:
        return f"sent {at(one.sent_at, 'UTC')}"
    if one.given_up_at is not None:
        return "given up"
    return f"waits for try {one.tries + 1}"


def _document(one: Alert) -> dict[str, object]:
    names = ("id", "kind", "title", "body", "raised_at", "next_try_at", "tries", "trouble", "sent_at", "given_up_at")
    return {name: getattr(one, name) for name in names}
