"""The budget of a credential: one row, one statement, shared by every process that calls with it.

It is the generic cell rate algorithm. `theoretical_arrival` is the moment up to which permits are given out already, if
they are used evenly. Taking moves it on; a permit is good half a second (the depth of the bucket) before its moment, so
an idle credential may start with half a second's worth at once. The time is the database's own, so that processes with
different clocks agree. The row is locked for the length of one UPDATE only.
"""

from dataclasses import dataclass
from datetime import timedelta

from store.connect import Connection

DEPTH = 0.5
"""Seconds' worth of permits that may be used at once after a pause."""
SHARE = 0.98
"""Of what Asana allows: its clock and ours do not cut the minutes at the same moments.

In any 60 seconds, wherever they begin, the permits of 60 + DEPTH seconds are good, and those that were good up to half
a second before and are used late (`SharedPermits` drops them after that): of 61 seconds in all. 0.98 times 61 is less
than 60, so no minute holds more calls than are allowed, however it is cut. For the same reason a bucket of one second
at Asana is never overdrawn: DEPTH and the lateness are one second together, at less than its rate. What is left of the
60 seconds, a fifth of a second's worth, is for the network. That is so from 120 requests a minute on (Asana's lowest
limit is 150): below, the bucket has to hold one whole request, and a minute can hold one more than is allowed. Permits
that a last look has put aside are used when it needs them, not at their moments; the price is a 429 and a wait.
"""
LONGEST_PAUSE = timedelta(minutes=15)


class CredentialGone(Exception):
    """The credential was replaced; open the connection anew."""


class BudgetSpent(Exception):
    """Permits are given out too far ahead already; none was taken."""

    def __init__(self, wait: float) -> None:
        """`wait` is in seconds, until a permit would be good."""
        super().__init__(f"the credential's budget is used up for {wait:.0f} s")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Taken:
    """Permits that were taken. The first may be used in `wait` seconds, each further one `interval` seconds later.

    A negative `wait` means that the bucket had been filling: several may be used at once. `interval` is 0 where the
    budget is unlimited.
    """

    wait: float
    interval: float


async def take(connection: Connection, credential_id: int, permits: int, *, longest_wait: float) -> Taken:
    """Take `permits` of the budget, unless the first would be good only in more than `longest_wait` seconds.

    Raises BudgetSpent, and takes nothing, or CredentialGone.
    """
    cursor = await connection.execute(
        """WITH pace AS (
               SELECT r.id, coalesce(60.0 / (c.requests_per_minute * %(share)s), 0)::float8 AS interval
                 FROM credential r JOIN connection c ON c.id = r.connection_id WHERE r.id = %(id)s)
           UPDATE credential r
              SET theoretical_arrival = greatest(r.theoretical_arrival, clock_timestamp())
                                        + make_interval(secs => pace.interval * %(permits)s)
             FROM pace
            WHERE r.id = pace.id AND r.theoretical_arrival <= clock_timestamp() + make_interval(secs => %(ahead)s)
           RETURNING extract(epoch FROM r.theoretical_arrival - clock_timestamp())::float8, pace.interval""",
        {"id": credential_id, "share": SHARE, "permits": permits, "ahead": DEPTH + longest_wait},
    )
    row = await cursor.fetchone()
    if row is None:
        room = await left(connection, credential_id)
        raise BudgetSpent(max(0.0, -room))
    ahead, interval = row
    return Taken(wait=ahead - (permits - 1) * interval - max(DEPTH, interval), interval=interval)


async def slow_down(connection: Connection, credential_id: int, pause: timedelta) -> None:
    """Have everybody who calls with this credential wait for `pause` from now, at most LONGEST_PAUSE."""
    await connection.execute(
        """UPDATE credential SET theoretical_arrival = greatest(theoretical_arrival, clock_timestamp() + %s)
            WHERE id = %s""",
        [min(pause, LONGEST_PAUSE) + timedelta(seconds=DEPTH), credential_id],
    )


async def left(connection: Connection, credential_id: int) -> float:
    """Return the seconds' worth of permits that may be used at once: DEPTH is a full bucket, 0 or less is none.

    Raises CredentialGone.
    """
    cursor = await connection.execute(
        """SELECT (%s - extract(epoch FROM greatest(theoretical_arrival, now) - now))::float8
             FROM credential, clock_timestamp() AS now WHERE id = %s""",
        [DEPTH, credential_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise CredentialGone("the credential was replaced")
    return float(row[0])
