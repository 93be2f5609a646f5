"""What holds the removals of a profile back: its leash, and the stop that an operator pulls.

Each change locks the profile's row, as the intent of a removal does: a stop that has returned is seen by every removal
after it.
"""

from datetime import datetime

from messages.events import ReclaimResumed, ReclaimStopped
from store.connect import Connection
from store.profiles import Profile, say_of_profile


async def unleash(connection: Connection, profile: Profile, work_goes_to: str) -> None:
    """Let approved plans of this profile be carried out; `work_goes_to` names who receives a removed person's work."""
    await connection.execute(
        "UPDATE profile SET leashed = false, work_goes_to = %s WHERE id = %s", [work_goes_to, profile.id]
    )


async def leash(connection: Connection, profile: Profile) -> None:
    """Make every plan of this profile a dry run again."""
    await connection.execute("UPDATE profile SET leashed = true WHERE id = %s", [profile.id])


async def stop(connection: Connection, profile: Profile, *, by: str, why: str, now: datetime) -> None:
    """Let no removal of this profile start from now on, and say so."""
    await connection.execute(
        """UPDATE profile SET reclaim_stopped_at = %s, reclaim_stopped_by = %s, reclaim_stopped_why = %s
            WHERE id = %s""",
        [now, by, why, profile.id],
    )
    await say_of_profile(connection, profile, ReclaimStopped(profile=profile.name, by=by, why=why), now)


async def resume(connection: Connection, profile: Profile, *, by: str, now: datetime) -> None:
    """Let removals start again, and say so."""
    await connection.execute(
        """UPDATE profile SET reclaim_stopped_at = NULL, reclaim_stopped_by = NULL, reclaim_stopped_why = NULL
            WHERE id = %s""",
        [profile.id],
    )
    await say_of_profile(connection, profile, ReclaimResumed(profile=profile.name, by=by), now)
