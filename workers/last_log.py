"""The audit log at a last look: what the person did since the end of what the pulled stream has seen.

A removal comes up to a day after the pull, and the stream ends where that began. So where the rule wants evidence of
any use, and the stream is a part of it, the log is read on from there. What is seen counts for this one verdict: the
stream itself is brought on by pulls alone. A member export cannot be made anew for one person; its lag stands.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime

from asana_api.errors import AsanaError, NotAuthorized, TryLater
from asana_api.patience import patiently
from connections.opening import OpenedService
from rules.evidence import AUDIT_LOG, enough
from rules.verdict import Seat
from sources import audit_log
from sources.contract import Findings, Found
from store import seats, streams
from store.connect import Connection
from store.streams import Window
from workers.station import Asana

LONGEST = 30.0
"""Seconds; what the whole organization did in a day comes in a few pages."""


@dataclass(frozen=True, slots=True)
class LogSeen:
    """What the log says of one person since `window` began; with a trouble, the window claims nothing."""

    window: Window
    acts: list[Found] = field(default_factory=list)
    trouble: str | None = None

    def findings(self) -> Findings:
        """Return the acts as they are kept; no window is."""
        return Findings("audit_log", acts=self.acts)

    def added_to(self, seat: Seat) -> Seat:
        """Return the seat with the stream's newest window going on to the end of this one."""
        if self.trouble is not None:
            return seat
        windows = seat.covered.get("audit_log", ())
        return replace(seat, covered={**seat.covered, "audit_log": [self._longer(one) for one in windows]})

    def _longer(self, window: Window) -> Window:
        begin, end = window
        return (begin, max(end, self.window[1])) if begin <= self.window[0] <= end else window


async def end_of_stream(connection: Connection, asana: Asana, profile_id: int) -> datetime | None:
    """Return where the stream ends that the profile's rule stands on; None where it stands on none."""
    rule = await seats.rule_of(connection, profile_id)
    stream = await streams.get(connection, profile_id)
    if rule is None or rule.evidence != "any_use" or asana.opened.service is None or stream is None:
        return None
    counts = any("audit_log" in sources for sources in enough(rule.plan, rule.evidence))
    return max(stream.ends) if counts and stream.ends else None


async def read_log(
    service: OpenedService, organization_gid: str, user_gid: str, *, since: datetime, until: datetime
) -> LogSeen:
    """Read the log from `since` on (aware) to its end, which is after `until`. Raises TryLater and NotAuthorized."""
    window = (since, until - AUDIT_LOG.lag)
    try:
        async with asyncio.timeout(LONGEST):
            acts = await patiently(lambda: _acts_of(service, organization_gid, user_gid, since, until))
    except (TryLater, NotAuthorized):
        raise
    except TimeoutError:
        return LogSeen(window, trouble=f"the audit log was not read to its end in {LONGEST:g} seconds")
    except AsanaError as error:
        return LogSeen(window, trouble=str(error))
    return LogSeen(window, acts=list(acts)[-1:])


async def _acts_of(
    service: OpenedService, organization_gid: str, user_gid: str, since: datetime, asked_at: datetime
) -> Sequence[Found]:
    acts: list[Found] = []
    async with aclosing(audit_log.read(service.client, organization_gid, asked_at=asked_at, start_at=since)) as pages:
        async for page in pages:
            acts += [act for act in page.acts if act.user_gid == user_gid]
    return sorted(acts, key=lambda act: act.at)
