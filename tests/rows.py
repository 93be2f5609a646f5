"""Rows that many tests begin with. They are written by the database's owner, as `./seats` would."""

from datetime import UTC, datetime

from store.connect import Connection

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


async def add_profile(connection: Connection, name: str = "acme", *, published: bool = True) -> int:
    """Add a profile with its connection and its paid software model; return its id."""
    cursor = await connection.execute(
        """WITH c AS (
               INSERT INTO connection (alias, base_url) VALUES (%(name)s, 'http://127.0.0.1:1') RETURNING id),
           p AS (
               INSERT INTO profile (name, display_name, connection_id, organization_gid, status, plan,
                                    analyze_activity_from, published_at)
               SELECT %(name)s, %(name)s, c.id, '1201', CASE WHEN %(published)s THEN 'published' ELSE 'draft' END,
                      'enterprise', %(now)s::timestamptz - interval '90 days', %(now)s
                 FROM c RETURNING id),
           m AS (INSERT INTO software_model SELECT id, 'member', 'Asana member', true FROM p)
           SELECT id FROM p""",
        {"name": name, "published": published, "now": NOW},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def add_plan(connection: Connection, profile_id: int, plan: str = "a" * 64, *, approved: bool = True) -> str:
    """Add a plan for nobody, due and good for a week from NOW; return its hash."""
    await connection.execute(
        """INSERT INTO plan (hash, profile_id, content, made_by, made_at, expires_at, due_at, approved_by,
                             approved_role, approved_at)
           SELECT %(hash)s, %(profile)s, '{}', 'ann', %(now)s, %(now)s::timestamptz + interval '7 days', %(now)s,
                  CASE WHEN %(approved)s THEN 'bob' END, CASE WHEN %(approved)s THEN 'seatkeeper_console' END,
                  CASE WHEN %(approved)s THEN %(now)s::timestamptz END""",
        {"hash": plan, "profile": profile_id, "now": NOW, "approved": approved},
    )
    return plan


async def count(connection: Connection, what: str) -> int:
    """Count the rows of a table; `what` may go on with WHERE."""
    cursor = await connection.execute(f"SELECT count(*) FROM {what}".encode())
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
