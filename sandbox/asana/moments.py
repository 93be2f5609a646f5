"""Moments as they come in a query."""

from datetime import UTC, datetime

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest


def moment_of(call: Call, name: str) -> datetime | None:
    """A moment in the query (UTC where it names no zone; `now` is one), None if it is not there; raises BadRequest."""
    text = call.query.get(name)
    if text is None:
        return None
    if text == "now":
        return call.look.clock.now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{name}: Not a valid date or datetime: {text}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
