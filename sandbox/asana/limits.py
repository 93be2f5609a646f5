"""Asana's limits, off until they are switched on.

A bucket for each credential holds one second's worth of calls and is refilled steadily. A rejected call still counts,
so a client that does not wait digs itself deeper. Reads and writes in flight are counted apart.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan allows each credential: calls a minute, and reads and writes in flight."""

    per_minute: float
    reads: int = 50
    writes: int = 15
    searches_per_minute: float = 60


PLANS = {"free": Plan(150), "paid": Plan(1500)}

SEARCHES_AT_ONCE = 5.0
"""How many searches a credential may make at once after a pause."""

DEEPEST = 30.0
"""How far, in seconds of refilling, a credential can dig itself in."""


@dataclass(slots=True)
class _Bucket:
    level: float
    read_at: float


class Limits:
    """Says whether a credential may make a call now. `ticks` gives seconds that never go back."""

    def __init__(self, plan: Plan | None = None, ticks: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self._ticks = ticks
        self._buckets: dict[str, _Bucket] = {}
        self._in_flight: Counter[tuple[str, bool]] = Counter()

    def switch(self, plan: Plan | str | None) -> None:
        """Put a plan (or the name of one: free, paid) in force with full buckets; None switches the limits off."""
        self.plan = PLANS[plan] if isinstance(plan, str) else plan
        self._buckets.clear()

    def enter(self, credential: str, method: str, *, search: bool = False) -> int | None:
        """Count a call in; a search counts among the searches as well.

        None lets it pass (then `leave` must follow); else the seconds to wait, at least 1.
        """
        reading = method in READS
        waiting = self._wait(credential, reading=reading) if self.plan else None
        if search and self.plan:
            waiting = max(waiting or 0, self._wait_for_search(credential)) or None
        if waiting is None:
            self._in_flight[credential, reading] += 1
        return waiting

    def leave(self, credential: str, method: str) -> None:
        """Count a call out that `enter` let pass."""
        self._in_flight[credential, method in READS] -= 1

    def _wait(self, credential: str, *, reading: bool) -> int | None:
        assert self.plan
        rate = self.plan.per_minute / 60
        level = self._draw(credential, rate)
        if level < 0:
            return max(1, math.ceil((1 - level) / rate))
        if self._in_flight[credential, reading] >= (self.plan.reads if reading else self.plan.writes):
            return 1
        return None

    def _wait_for_search(self, credential: str) -> int:
        assert self.plan
        rate = self.plan.searches_per_minute / 60
        level = self._draw(f"{credential} searching", rate, SEARCHES_AT_ONCE)
        return max(1, math.ceil((1 - level) / rate)) if level < 0 else 0

    def _draw(self, credential: str, rate: float, least: float = 1.0) -> float:
        """Take one call from the bucket, let in or not, and say what is left (below zero: rejected)."""
        now = self._ticks()
        full = max(least, rate)
        bucket = self._buckets.setdefault(credential, _Bucket(full, now))
        level = min(full, bucket.level + (now - bucket.read_at) * rate) - 1
        bucket.level, bucket.read_at = max(level, -DEEPEST * rate), now
        return bucket.level
