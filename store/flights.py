"""Who may have how many requests in flight: slots of a credential, leased to processes, one row for each.

Asana counts requests in flight for each token, 50 reads and 15 writes. A process leases several slots at a time for
longer than a call can take, so that a killed one leaks none: its leases run out. The time is the database's own. The
key of the table is what keeps two processes from one slot; the statements only choose well.

The last free slot is for a process that has none. It gets that one at once and is counted, and the others give back
what is beyond their new share when they renew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from psycopg.errors import ForeignKeyViolation

from store.budget import CredentialGone
from store.connect import Connection

Kind = Literal["read", "write"]

LIMITS: dict[Kind, int] = {"read": 50, "write": 15}
"""Requests in flight that Asana allows one credential (its page on rate limits)."""

_LIVING = """living AS (
        SELECT slot, holder FROM flight
         WHERE credential_id = %(id)s AND kind = %(kind)s AND leased_until > clock_timestamp()),
    share AS (
        SELECT greatest(1, (%(limit)s - 1) / (1 + count(DISTINCT holder) FILTER (WHERE holder <> %(holder)s)))::integer
               AS slots
          FROM living)"""


@dataclass(frozen=True, slots=True)
class Leasing:
    """What a process leases: whose slots, of which kind, under which name, and for how many seconds."""

    credential_id: int
    kind: Kind
    holder: UUID
    seconds: float

    def parameters(self) -> dict[str, object]:
        """Return what the statements name."""
        return {
            "id": self.credential_id,
            "kind": self.kind,
            "holder": self.holder,
            "seconds": self.seconds,
            "limit": LIMITS[self.kind],
        }


async def lease(connection: Connection, leasing: Leasing, wanted: int) -> list[int]:
    """Lease up to `wanted` more slots, not beyond the holder's share; return them. Raises CredentialGone.

    The last free one is leased only to a holder that has none.
    """
    try:
        cursor = await connection.execute(
            f"""WITH {_LIVING}
            INSERT INTO flight (credential_id, kind, slot, holder, leased_until)
            SELECT %(id)s, %(kind)s, slot, %(holder)s, clock_timestamp() + make_interval(secs => %(seconds)s)
              FROM generate_series(1, %(limit)s) AS slot
             WHERE slot NOT IN (SELECT slot FROM living)
             ORDER BY slot -- everybody in the same order: no two can wait for each other
             LIMIT (SELECT greatest(CASE WHEN held = 0 THEN 1 ELSE 0 END,
                                    least(%(wanted)s, slots - held, %(limit)s - 1 - taken))
                      FROM share, (SELECT count(*) AS taken, count(*) FILTER (WHERE holder = %(holder)s) AS held
                                     FROM living) AS all_of_them)
            ON CONFLICT (credential_id, kind, slot) DO UPDATE
               SET holder = excluded.holder, leased_until = excluded.leased_until
             WHERE flight.leased_until <= clock_timestamp()
            RETURNING slot""",  # noqa: S608 - every part stands in this file
            leasing.parameters() | {"wanted": wanted},
        )
    except ForeignKeyViolation:
        raise CredentialGone("the credential was replaced") from None
    return [slot for (slot,) in await cursor.fetchall()]


async def renew(connection: Connection, leasing: Leasing, kept: Sequence[int]) -> tuple[list[int], int]:
    """Give back all but `kept`, and lease those anew; return which of them still were the holder's, and its share."""
    cursor = await connection.execute(
        f"""WITH {_LIVING},
        given_back AS (
            DELETE FROM flight WHERE credential_id = %(id)s AND kind = %(kind)s AND holder = %(holder)s
                                 AND slot <> ALL(%(kept)s)),
        renewed AS (
            UPDATE flight SET leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
             WHERE credential_id = %(id)s AND kind = %(kind)s AND holder = %(holder)s
               AND slot = ANY(%(kept)s) AND leased_until > clock_timestamp()
            RETURNING slot)
        SELECT coalesce((SELECT array_agg(slot) FROM renewed), '{{}}'), slots FROM share""",  # noqa: S608 - every part stands in this file
        leasing.parameters() | {"kept": list(kept)},
    )
    row = await cursor.fetchone()
    assert row is not None, "an aggregate has a row"
    slots, share = row
    return slots, share


async def give_back(connection: Connection, leasing: Leasing) -> None:
    """Give back every slot of the holder."""
    await connection.execute(
        "DELETE FROM flight WHERE credential_id = %(id)s AND kind = %(kind)s AND holder = %(holder)s",
        leasing.parameters(),
    )
