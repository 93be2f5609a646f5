"""Whom a pull of activity has to ask about, so that its verdicts are those of a pull that asked about everybody.

The full sweep asks about each paid seat every day. Most of those answers are known before they are asked for: whoever
worked last week is kept today, whatever else they did. The economical sweep leaves out exactly those people, and here
is why it may.

A verdict knows three things that keep a seat whatever the coverage: what the person is (an admin, exempt, ourselves),
when they joined, and their last act. Time changes the second and the third in one direction only: acts are added and
never moved back, and somebody who is put back joined later. So let *settled until* be the later of the last act and
joining, plus the rule's threshold. A verdict made before that moment says `active` or `new`, and no answer of any
source could make it say anything else: a later act only moves the moment further away. Asking changes nothing.

A verdict stands on a pull for at most 24 hours (`FRESH`). So a pull that began at S serves verdicts up to S + 24 h, and
whoever is settled until later than that may be left out. Everybody else is asked: all who could be called idle by any
verdict that stands on this pull. Open candidates are among them, since an open candidate is somebody whom nothing has
settled; they need no rule of their own. Nor does anybody drop out by being left out: a day later they are looked at
again, with the window going on from the end of what was seen without a gap.

What may change between the pull and the verdict only keeps. A threshold that is lowered meanwhile, or an exemption that
is taken back, makes people idle who were not asked: their coverage does not reach the pull, so they are kept, until the
next one. An exemption with an end is counted only where it outlasts the 24 hours.

Two more are asked, though no verdict needs it: people whom no pull has asked about yet, once, so that everybody's last
act is known from the first day; and, in the full sweep, everybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.verdict import FRESH

SLACK = FRESH
"""How long after a pull's start a verdict may still stand on it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a paid seat before asking; times are aware.

    `excused`: never a candidate, whatever they do, for as long as verdicts stand on this pull. `was_asked`: some pull
    has covered something of theirs.
    """

    subscription_id: int
    joined_at: datetime
    last_act_at: datetime | None
    excused: bool
    was_asked: bool

    @property
    def evidence_at(self) -> datetime:
        """What keeps them longest: their last act, or joining."""
        return latest(self.joined_at, self.last_act_at)


def latest(joined_at: datetime, last_act_at: datetime | None) -> datetime:
    """Return the later of joining and the last act."""
    return joined_at if last_act_at is None else max(joined_at, last_act_at)


def may_be_idle(evidence_at: datetime, threshold: timedelta, *, pull_started_at: datetime) -> bool:
    """Say whether some verdict that stands on this pull could call a seat idle that has this evidence and no later."""
    return evidence_at + threshold <= pull_started_at + SLACK


def is_due(one: Standing, threshold: timedelta, *, pull_started_at: datetime) -> bool:
    """Say whether an economical pull asks about this seat."""
    if one.excused:
        return False
    return not one.was_asked or may_be_idle(one.evidence_at, threshold, pull_started_at=pull_started_at)


def whom_to_ask(
    standings: Iterable[Standing], threshold: timedelta, *, pull_started_at: datetime, everybody: bool
) -> list[int]:
    """Return the subscriptions to ask about, those that were never asked first, then the oldest evidence first."""
    due = [one for one in standings if everybody or is_due(one, threshold, pull_started_at=pull_started_at)]
    due.sort(key=lambda one: (one.was_asked, one.evidence_at, one.subscription_id))
    return [one.subscription_id for one in due]


def whom_to_search_for(standings: Iterable[Standing], threshold: timedelta, *, pull_started_at: datetime) -> list[int]:
    """Return those of the subscriptions that a verdict could call idle, by number: the same order each time."""
    return sorted(
        one.subscription_id
        for one in standings
        if may_be_idle(one.evidence_at, threshold, pull_started_at=pull_started_at)
    )
