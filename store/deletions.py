"""Deleting a profile: it ends what runs and what is open, says so, and leaves its name; its history stays.

Whoever is about to remove somebody locks the profile's row first, and so does this: either the intent is written and
the deletion is refused until its outcome is known, or the profile is deleted and nobody is removed.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from messages.events import PlanExpired, ProfileDeleted, ProfileUnpublished
from store import candidates, endings, profiles, runs
from store.candidates import Change
from store.connect import Connection
from store.endings import End
from store.outbox import say
from store.profiles import Profile

WHY = "the profile was deleted"


class DeletionRefused(Exception):
    """The profile cannot be deleted now; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a deletion ended."""

    runs: int
    candidates: int
    plans: int


async def delete(connection: Connection, profile: Profile, *, by: str, now: datetime) -> Ended:
    """Delete a living profile, in the caller's transaction; raises DeletionRefused, or store.endings.Fenced: try again.

    The lock is the one of a removal's intent: whoever only refers to the profile, as a run that ends, does not wait.
    """
    locked = await connection.execute(
        "SELECT FROM profile WHERE id = %s AND status <> 'deleted' FOR NO KEY UPDATE", [profile.id]
    )
    if locked.rowcount != 1:
        raise DeletionRefused(f"profile {profile.name} was deleted already")
    await _refuse_while_unanswered(connection, profile)
    await _lock_candidates(connection, profile)
    was_published = await _mark(connection, profile, now)
    ended = Ended(
        runs=await _end_runs(connection, profile, now),
        plans=await _expire_plans(connection, profile, now),
        candidates=await _close_candidates(connection, profile, by, now),
    )
    if was_published:
        await profiles.say_of_profile(connection, profile, ProfileUnpublished(profile=profile.name), now)
    deleted = ProfileDeleted(profile=profile.name, profile_id=profile.id, by=by)
    await profiles.say_of_profile(connection, profile, deleted, now)
    return ended


async def _refuse_while_unanswered(connection: Connection, profile: Profile) -> None:
    cursor = await connection.execute(
        "SELECT count(*) FROM removal WHERE profile_id = %s AND state = 'calling'", [profile.id]
    )
    row = await cursor.fetchone()
    if row and row[0]:
        raise DeletionRefused(
            f"what became of a removal of profile {profile.name} is not known yet; it is read back within minutes,"
            " while the scheduler and the reclaim worker run: delete the profile then"
        )


async def _lock_candidates(connection: Connection, profile: Profile) -> None:
    """Take their rows before those of runs, as a worker does that judges people: so neither waits for the other."""
    await connection.execute(
        "SELECT FROM candidate WHERE profile_id = %s AND closed_at IS NULL ORDER BY id FOR UPDATE", [profile.id]
    )


async def _mark(connection: Connection, profile: Profile, now: datetime) -> bool:
    """Mark the profile and stop its schedules; say whether it was published."""
    cursor = await connection.execute(
        """UPDATE profile p SET status = 'deleted', deleted_at = %(now)s, leashed = true
             FROM profile before WHERE p.id = %(id)s AND before.id = p.id RETURNING before.status = 'published'""",
        {"id": profile.id, "now": now},
    )
    row = await cursor.fetchone()
    await connection.execute("UPDATE schedule SET enabled = false WHERE profile_id = %s", [profile.id])
    return bool(row and row[0])


async def _end_runs(connection: Connection, profile: Profile, now: datetime) -> int:
    """End what waits as not run, and what is under way as failed: its worker finds itself fenced.

    Cycles first, so that no end of a step moves one on.
    """
    cursor = await connection.execute(
        """SELECT id FROM run WHERE profile_id = %s AND state IN ('queued', 'running')
            ORDER BY kind <> 'cycle', created_at, id""",
        [profile.id],
    )
    ended = 0
    for (run_id,) in await cursor.fetchall():
        run = await runs.get(connection, run_id, lock=True)
        if run is not None and run.state == "queued":
            await endings.end_without_start(connection, run, End(state="not_run", reason=f"not run: {WHY}"), now)
        elif run is not None and run.state == "running":
            await endings.fail(connection, run, counts=run.counts, reason=WHY, now=now)
        else:
            continue  # it ended in this moment
        ended += 1
    return ended


async def _expire_plans(connection: Connection, profile: Profile, now: datetime) -> int:
    cursor = await connection.execute(
        """UPDATE plan SET expired_at = %s
            WHERE profile_id = %s AND expired_at IS NULL AND carried_out_at IS NULL RETURNING hash""",
        [now, profile.id],
    )
    expired = await cursor.fetchall()
    for (plan_hash,) in expired:
        event, subject = PlanExpired(profile=profile.name, plan=plan_hash), f"plan/{plan_hash}"
        await say(connection, event, subject=subject, profile_id=profile.id, correlation_id=uuid4(), now=now)
    return len(expired)


async def _close_candidates(connection: Connection, profile: Profile, by: str, now: datetime) -> int:
    cursor = await connection.execute(
        "SELECT id, state FROM candidate WHERE profile_id = %s AND closed_at IS NULL ORDER BY id FOR UPDATE",
        [profile.id],
    )
    correlation_id = uuid4()
    steps = {
        candidate_id: Change(
            state_from=state,
            state_to="closed_skipped",
            by=by,
            why=WHY,
            evidence={"reason": "profile_deleted"},
            correlation_id=correlation_id,
        )
        for candidate_id, state in await cursor.fetchall()
    }
    return len(await candidates.change_all(connection, profile.id, steps, now))
