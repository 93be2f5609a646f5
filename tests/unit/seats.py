"""A seat that is idle beyond doubt, and the rule that it is judged by: each test changes one thing about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.verdict import Rule, Seat

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
RULE = Rule(threshold=60 * DAY, evidence="work", plan="free")
PULLED = NOW - timedelta(hours=1)
IDLE_SINCE = NOW - RULE.threshold


def seat(**changed: Any) -> Seat:  # noqa: ANN401 - whatever a seat has
    """Return the idle seat with some of it changed: joined long ago, last act 90 days ago, seen for 120 days."""
    idle = Seat(
        software_model="member",
        is_admin=False,
        is_ours=False,
        exempt_because=None,
        joined_at=NOW - 900 * DAY,
        last_act_at=NOW - 90 * DAY,
        last_act="comment_added (task/1/story/2)",
        covered={"tasks": [(NOW - 120 * DAY, PULLED)]},
    )
    return replace(idle, **changed)
