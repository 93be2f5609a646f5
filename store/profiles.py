"""Integration profiles: one organization, the connection that reads it, and whether its commands are accepted.

What holds a profile's removals back (leash, stop, exemptions) is in `leash` and `exemptions`.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from psycopg import sql
from psycopg.rows import class_row

from messages.events import Event, ProfilePublished, ProfileUnpublished
from rules.evidence import AsanaPlan, Evidence
from store import reclamation_rule, schedules
from store.connect import Connection
from store.outbox import say
from store.reclamation_rule import RuleChange

Sweep = Literal["economical", "full"]
"""Whom a pull asks about: those whose last act does not settle it already, or everybody."""

_SELECT = sql.SQL(
    """SELECT p.id, p.name, p.display_name, p.profile_type, p.connection_id, c.alias AS connection, c.base_url,
              p.organization_gid, p.organization_name, p.status, p.plan, p.time_zone, p.currency, p.activity_enabled,
              p.reclaim_enabled, p.analyze_activity_from, p.sweep, p.leashed, p.removal_cap, p.provisioned_by_scim,
              p.work_goes_to, p.reclaim_stopped_at, p.reclaim_stopped_by, p.reclaim_stopped_why, p.created_at,
              p.published_at, p.deleted_at
         FROM profile p JOIN connection c ON c.id = p.connection_id """
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One integration profile as it was read."""

    id: int
    name: str
    display_name: str
    profile_type: str
    connection_id: int
    connection: str
    base_url: str
    organization_gid: str | None
    organization_name: str | None
    status: str
    plan: AsanaPlan
    time_zone: str
    currency: str
    activity_enabled: bool
    reclaim_enabled: bool
    analyze_activity_from: datetime
    sweep: Sweep
    leashed: bool
    removal_cap: int
    provisioned_by_scim: bool
    work_goes_to: str | None
    reclaim_stopped_at: datetime | None
    reclaim_stopped_by: str | None
    reclaim_stopped_why: str | None
    created_at: datetime
    published_at: datetime | None
    deleted_at: datetime | None

    @property
    def subject(self) -> str:
        """The subject of this profile's own events."""
        return f"profile/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an operator says about a new profile."""

    name: str
    display_name: str
    connection_id: int
    organization_gid: str
    organization_name: str
    plan: AsanaPlan
    time_zone: str
    currency: str
    analyze_activity_from: datetime
    removal_cap: int
    provisioned_by_scim: bool
    activity_enabled: bool = True
    reclaim_enabled: bool = True
    sweep: Sweep = "economical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an operator changes of a profile; what is None stays as it is."""

    display_name: str | None = None
    plan: AsanaPlan | None = None
    time_zone: str | None = None
    activity_enabled: bool | None = None
    reclaim_enabled: bool | None = None
    analyze_activity_from: datetime | None = None
    sweep: Sweep | None = None
    removal_cap: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing sets besides the profile: when its cycle runs, and what its rule wants.

    `threshold_days` and `evidence` are None where a rule that exists already is to stay as it is.
    """

    cron: str
    threshold_days: int | None
    evidence: Evidence | None = None


async def get(connection: Connection, name: str, *, lock: bool = False) -> Profile | None:
    """Return the living profile of this name, its row locked if `lock`; one that was deleted has its name no more."""
    query = _SELECT + sql.SQL("WHERE p.name = %s AND p.status <> 'deleted'" + (" FOR UPDATE OF p" if lock else ""))
    async with connection.cursor(row_factory=class_row(Profile)) as cursor:
        await cursor.execute(query, [name])
        return await cursor.fetchone()


async def get_by_id(connection: Connection, profile_id: int) -> Profile | None:
    """Return a profile, living or deleted."""
    async with connection.cursor(row_factory=class_row(Profile)) as cursor:
        await cursor.execute(_SELECT + sql.SQL("WHERE p.id = %s"), [profile_id])
        return await cursor.fetchone()


async def deleted(connection: Connection) -> list[Profile]:
    """Return the deleted profiles, the last one first."""
    async with connection.cursor(row_factory=class_row(Profile)) as cursor:
        await cursor.execute(_SELECT + sql.SQL("WHERE p.status = 'deleted' ORDER BY p.deleted_at DESC, p.id DESC"))
        return await cursor.fetchall()


async def all_of(connection: Connection) -> list[Profile]:
    """Return every living profile by its name."""
    async with connection.cursor(row_factory=class_row(Profile)) as cursor:
        await cursor.execute(_SELECT + sql.SQL("WHERE p.status <> 'deleted' ORDER BY p.name"))
        return await cursor.fetchall()


async def create(connection: Connection, draft: Draft) -> int:
    """Make a draft and return its id; psycopg.errors.UniqueViolation where the name is taken."""
    cursor = await connection.execute(
        """INSERT INTO profile (name, display_name, connection_id, organization_gid, organization_name, plan,
                                time_zone, currency, analyze_activity_from, removal_cap, provisioned_by_scim,
                                activity_enabled, reclaim_enabled, sweep)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [
            draft.name,
            draft.display_name,
            draft.connection_id,
            draft.organization_gid,
            draft.organization_name,
            draft.plan,
            draft.time_zone,
            draft.currency,
            draft.analyze_activity_from,
            draft.removal_cap,
            draft.provisioned_by_scim,
            draft.activity_enabled,
            draft.reclaim_enabled,
            draft.sweep,
        ],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def change(connection: Connection, profile: Profile, changes: Changes, now: datetime) -> None:
    """Change what an operator says about a profile; what is None stays. Its schedules follow its time zone."""
    await connection.execute(
        """UPDATE profile SET display_name = coalesce(%(display_name)s, display_name), plan = coalesce(%(plan)s, plan),
                  time_zone = coalesce(%(time_zone)s, time_zone),
                  activity_enabled = coalesce(%(activity_enabled)s, activity_enabled),
                  reclaim_enabled = coalesce(%(reclaim_enabled)s, reclaim_enabled),
                  analyze_activity_from = coalesce(%(analyze_activity_from)s, analyze_activity_from),
                  sweep = coalesce(%(sweep)s, sweep), removal_cap = coalesce(%(removal_cap)s, removal_cap)
            WHERE id = %(id)s""",
        asdict(changes) | {"id": profile.id},
    )
    if changes.time_zone is not None and changes.time_zone != profile.time_zone:
        await schedules.move_to_zone(connection, profile.id, changes.time_zone, now)


async def publish(connection: Connection, profile: Profile, publication: Publication, now: datetime) -> datetime:
    """Make software models, reclamation rule and schedule, accept the profile's commands, and say so.

    Returns when the cycle is due next; raises ValueError for a cron expression that cannot be read.
    """
    assert profile.organization_gid is not None
    said = RuleChange(evidence=publication.evidence, threshold_days=publication.threshold_days)
    await reclamation_rule.put(connection, profile.id, said)
    due = await schedules.put(connection, profile.id, "cycle", publication.cron, profile.time_zone, now)
    await connection.execute(
        "UPDATE profile SET status = 'published', published_at = %s WHERE id = %s", [now, profile.id]
    )
    published = ProfilePublished(profile=profile.name, organization_gid=profile.organization_gid)
    await say_of_profile(connection, profile, published, now)
    return due


async def unpublish(connection: Connection, profile: Profile, now: datetime) -> None:
    """Refuse the profile's commands from now on, stop its schedules, and say so."""
    await connection.execute("UPDATE profile SET status = 'draft' WHERE id = %s", [profile.id])
    await connection.execute("UPDATE schedule SET enabled = false WHERE profile_id = %s", [profile.id])
    await say_of_profile(connection, profile, ProfileUnpublished(profile=profile.name), now)


async def say_of_profile(connection: Connection, profile: Profile, event: Event, now: datetime) -> None:
    """Say an event whose subject is the profile itself."""
    await say(connection, event, subject=profile.subject, profile_id=profile.id, correlation_id=uuid4(), now=now)
