"""The budget of a credential: one row, one statement, shared by every process that calls with it.

It is the generic cell rate algorithm. `theoretical_arrival` is the moment up to which permits are given out already, if
they are used evenly. Taking moves it on; a permit is good half a second (the depth of the bucket) before its moment, so
an idle credential may start with half a second's worth at once. The time is the database's own, so that processes with
different clocks agree. The row is locked for the length of one UPDATE only.

How fast is decided in the same statement: the least of what the connection says and what the Asana plans of its living
profiles allow. Searches have a second budget in the same row, and count in both.
"""

from dataclasses import dataclass
from datetime import timedelta

from rules.pace import FREE_PACE, PAID_PACE, SEARCHES_A_MINUTE
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
SEARCHES = SEARCHES_A_MINUTE - 5
"""Searches a minute, of the 60 that Asana allows.

They are given one by one and at once. One that still waits for its permit of the other budget, SEARCH_AHEAD seconds at
most, and is used half a second late, moves by 4: 64 seconds at this pace hold 59, so no minute holds more than 60.
"""
SEARCH_AHEAD = 3.5

_PACE = """pace AS (
    SELECT r.id, p.all_free AS no_search,
           CASE WHEN c.requests_per_minute IS NULL THEN 0
                ELSE 60.0 / (least(c.requests_per_minute, p.slowest) * %(share)s) END::float8 AS interval,
           CASE WHEN c.requests_per_minute IS NULL THEN 0 ELSE 60.0 / %(searches)s END::float8 AS search_interval
      FROM credential r JOIN connection c ON c.id = r.connection_id
     CROSS JOIN LATERAL (
           SELECT coalesce(min(CASE plan WHEN 'free' THEN %(free)s ELSE %(paid)s END), %(paid)s) AS slowest,
                  coalesce(bool_and(plan = 'free'), false) AS all_free
             FROM profile WHERE connection_id = c.id AND status <> 'deleted') p
     WHERE r.id = %(id)s)"""
_PARAMETERS = {"share": SHARE, "searches": SEARCHES, "free": FREE_PACE, "paid": PAID_PACE}


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
    no_search: bool
    """All of the connection's profiles are on the free plan, which has no search; `take_search` took none."""


async def take(connection: Connection, credential_id: int, permits: int, *, longest_wait: float) -> Taken:
    """Take `permits` of the budget, unless the first would be good only in more than `longest_wait` seconds.

    Raises BudgetSpent, and takes nothing, or CredentialGone.
    """
    cursor = await connection.execute(
        f"""WITH {_PACE}
           UPDATE credential r
              SET theoretical_arrival = greatest(r.theoretical_arrival, clock_timestamp())
                                        + make_interval(secs => pace.interval * %(permits)s)
             FROM pace
            WHERE r.id = pace.id AND r.theoretical_arrival <= clock_timestamp() + make_interval(secs => %(ahead)s)
           RETURNING extract(epoch FROM r.theoretical_arrival - clock_timestamp())::float8,
                     pace.interval, pace.no_search""",  # noqa: S608 - every part stands in this file
        _PARAMETERS | {"id": credential_id, "permits": permits, "ahead": DEPTH + longest_wait},
    )
    row = await cursor.fetchone()
    if row is None:
        room = await left(connection, credential_id)
        raise BudgetSpent(max(0.0, -room))
    ahead, interval, no_search = row
    wait = ahead - (permits - 1) * interval - max(DEPTH, interval)
    return Taken(wait=wait, interval=interval, no_search=no_search)


async def take_search(connection: Connection, credential_id: int, *, counted: bool) -> Taken:
    """Take one search of both budgets, unless one of them has none soon; `counted` ones have their other permit.

    Raises BudgetSpent with the time until it is worth asking again, and takes nothing; or CredentialGone.
    """
    cursor = await connection.execute(
        f"""WITH {_PACE}
           UPDATE credential r
              SET theoretical_arrival = CASE WHEN %(permits)s = 0 THEN r.theoretical_arrival
                      ELSE greatest(r.theoretical_arrival, clock_timestamp())
                           + make_interval(secs => pace.interval) END,
                  search_arrival = greatest(r.search_arrival, clock_timestamp())
                                   + make_interval(secs => pace.search_interval)
             FROM pace
            WHERE r.id = pace.id AND NOT pace.no_search AND r.search_arrival <= clock_timestamp()
              AND (%(permits)s = 0 OR r.theoretical_arrival <= clock_timestamp() + make_interval(secs => %(ahead)s))
           RETURNING extract(epoch FROM greatest(r.theoretical_arrival, clock_timestamp()) - clock_timestamp())::float8,
                     pace.interval
        """,  # noqa: S608 - every part stands in this file
        _PARAMETERS | {"id": credential_id, "permits": 0 if counted else 1, "ahead": SEARCH_AHEAD},
    )
    row = await cursor.fetchone()
    if row is None:
        return await _no_search_yet(connection, credential_id, counted=counted)
    ahead, interval = row
    return Taken(wait=0.0 if counted else ahead - max(DEPTH, interval), interval=interval, no_search=False)


async def _no_search_yet(connection: Connection, credential_id: int, *, counted: bool) -> Taken:
    cursor = await connection.execute(
        f"""WITH {_PACE}
           SELECT pace.no_search, pace.interval,
                  extract(epoch FROM greatest(r.search_arrival, now) - now)::float8,
                  extract(epoch FROM greatest(r.theoretical_arrival, now) - now)::float8
             FROM pace JOIN credential r USING (id), clock_timestamp() AS now""",  # noqa: S608 - every part stands in this file
        _PARAMETERS | {"id": credential_id},
    )
    row = await cursor.fetchone()
    if row is None:
        raise CredentialGone("the credential was replaced")
    no_search, interval, search_ahead, ahead = row
    if no_search:
        return Taken(wait=0.0, interval=interval, no_search=True)
    raise BudgetSpent(search_ahead if counted else max(search_ahead, ahead - SEARCH_AHEAD))


async def slow_down(connection: Connection, credential_id: int, pause: timedelta, *, was_search: bool = False) -> None:
    """Have everybody who calls with this credential wait for `pause` from now, at most LONGEST_PAUSE.

    A 429 names the token, so it stops everything; one that met a search leaves no search saved up either.
    """
    await connection.execute(
        """UPDATE credential
              SET theoretical_arrival = greatest(theoretical_arrival, clock_timestamp() + %(pause)s),
                  search_arrival = CASE WHEN %(was_search)s
                                        THEN greatest(search_arrival, clock_timestamp() + %(pause)s)
                                        ELSE search_arrival END
            WHERE id = %(id)s""",
        {
            "pause": min(pause, LONGEST_PAUSE) + timedelta(seconds=DEPTH),
            "was_search": was_search,
            "id": credential_id,
        },
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
