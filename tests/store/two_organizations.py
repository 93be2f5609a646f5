"""Two organizations side by side, each with something in every table: the same people's gids, and nothing else alike.

Everything of `other` is marked: its numbers begin with 7000, its times have 123457 microseconds, its words "otherorg".
So whatever of it turns up where it does not belong is seen, and a digest of its rows shows each change of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from store import profiles, removals, runs
from store.connect import Connection
from store.profiles import Profile
from store.removals import Item
from store.runs import Run
from tests.rows import NOW

MARK = timedelta(microseconds=123457)
OF_OTHER = re.compile(r"7000\d{3}|123457|otherorg", re.IGNORECASE)
PEOPLE = ("1001", "1002", "1003", "1004")
"""The gids of people who are in both organizations."""
NOT_OF_A_PROFILE = {"schema_version", "quarantine", "dead_letter", "authorization_request"}
BY_COLUMN = {
    "profile_id": "profile_id = %(profile)s",
    "run_id": "run_id IN (SELECT id FROM run WHERE profile_id = %(profile)s)",
    "connection_id": "connection_id IN (SELECT id FROM connection WHERE alias LIKE %(alias)s)",
    "credential_id": "credential_id IN (SELECT r.id FROM credential r JOIN connection c ON c.id = r.connection_id"
    " WHERE c.alias LIKE %(alias)s)",
    "alias": "alias LIKE %(alias)s",
    "subject": "subject IN (SELECT subject FROM outbox WHERE profile_id = %(profile)s)",
}
"""How the rows of an organization are told, by the first of these columns that a table has."""

_FILL = Path(__file__).with_name("one_organization.sql")


@dataclass(frozen=True, slots=True)
class Organization:
    """One of the two, as a case needs it."""

    profile: Profile
    plan: str
    prefix: str

    def run_id(self, number: int) -> UUID:
        """Return a run by its place: 1 cycle, 2 download ... 6 reconcile are running, 8 has finished, 9 waits."""
        return UUID(f"{self.prefix}-0000-4000-8000-00000000000{number}")

    async def run(self, connection: Connection, number: int = 2) -> Run:
        """Read that run."""
        run = await runs.get(connection, self.run_id(number))
        assert run is not None
        return run

    async def id_of(self, connection: Connection, table: str, user_gid: str = "1001") -> int:
        """Return the id of a person's subscription or candidate."""
        column = "id" if table == "subscription" else "(SELECT c.id FROM candidate c WHERE c.subscription_id = s.id)"
        cursor = await connection.execute(
            f"SELECT {column} FROM subscription s WHERE s.profile_id = %s AND s.user_gid = %s".encode(),
            [self.profile.id, user_gid],
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def item(self, connection: Connection, user_gid: str = "1001") -> Item:
        """Read somebody of the plan; the removal of 1002 has no answer yet."""
        item = await removals.item(connection, self.plan, await self.id_of(connection, "subscription", user_gid))
        assert item is not None
        return item


async def two_organizations(owner: Connection) -> tuple[Organization, Organization]:
    """Fill the database and return mine and the other."""
    other = await _filled(
        owner, "otherorg", first_id=7000001, now=NOW + MARK, prefix="70000000", plan="7000123" + "7" * 57
    )
    mine = await _filled(owner, "mine", first_id=1, now=NOW, prefix="a1000000", plan="a" * 64)
    return mine, other


async def _filled(
    owner: Connection, word: str, *, first_id: int, now: datetime, prefix: str, plan: str
) -> Organization:
    cursor = await owner.execute(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES'"
    )
    for (table,) in await cursor.fetchall():
        await owner.execute(f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH {first_id}".encode())
    words = {"word": word, "now": now.isoformat(), "prefix": prefix, "plan": plan, "base": f"{first_id + 200}"}
    for statement in (_FILL.read_text(encoding="utf-8") % (words | {"quantity": first_id})).split(";\n"):
        if statement.strip():
            await owner.execute(statement.encode())
    profile = await profiles.get(owner, word)
    assert profile is not None
    return Organization(profile, plan, prefix)


async def predicates(connection: Connection) -> dict[str, str]:
    """Return every table that has rows of organizations, with what tells whose they are."""
    cursor = await connection.execute(
        """SELECT c.table_name, array_agg(c.column_name::text)
             FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
            WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' GROUP BY c.table_name"""
    )
    found = {"profile": "id = %(profile)s"}
    for table, columns in await cursor.fetchall():
        if table in NOT_OF_A_PROFILE | {"profile"}:
            continue
        telling = next((column for column in BY_COLUMN if column in columns), None)
        assert telling, f"whose the rows of {table} are cannot be told"
        found[table] = BY_COLUMN[telling]
    return found


async def digest(connection: Connection, whose: Organization, tables: Mapping[str, str]) -> dict[str, str]:
    """Return how many rows each of these `predicates` finds of an organization, and a hash of them all."""
    parts = (
        f"SELECT '{table}', count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '')"
        f" FROM {table} t WHERE {predicate}"
        for table, predicate in tables.items()
    )
    cursor = await connection.execute(
        " UNION ALL ".join(parts).encode(), {"profile": whose.profile.id, "alias": f"{whose.profile.name}%"}
    )
    return dict(await cursor.fetchall())
