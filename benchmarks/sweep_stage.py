"""What a sweep stands on: a connection with a budget, and profiles whose people the look-alike really has."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx

from benchmarks import downloading
from sandbox.stack import LookAlike, Stack
from store import profiles
from store.connect import open_connection
from store.profiles import Draft, Publication

LOOK_BACK = timedelta(days=120)


def paid_seats(asana: LookAlike) -> list[str]:
    """Read the gids of those who have a paid seat, in the order of the listing."""
    url, offset, gids = f"{asana.url}/api/1.0/workspaces/{asana.organization_gid}/workspace_memberships", None, []
    query = {"limit": "100", "opt_fields": "user,is_active,is_guest,is_view_only"}
    headers = {"Authorization": f"Bearer {asana.admin_token}"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        while True:
            answer = client.get(url, params=query | ({"offset": offset} if offset else {})).json()
            gids += [
                str(one["user"]["gid"])
                for one in answer["data"]
                if one["is_active"] and not one["is_guest"] and not one["is_view_only"]
            ]
            if answer["next_page"] is None:
                return gids
            offset = answer["next_page"]["offset"]


async def connected(stack: Stack, asana: LookAlike, per_minute: int) -> int:
    """Keep a connection with the admin's token and that budget; return its id."""
    async with open_connection(stack.database_url("owner")) as owner:
        return await downloading.connected(owner, asana, stack.key, per_minute=per_minute)


async def published(stack: Stack, asana: LookAlike, connection_id: int, name: str, gids: Sequence[str]) -> int:
    """Make a profile with subscriptions of these people, as a download would; return its id."""
    now = datetime.now(UTC)
    draft = Draft(
        name=name,
        display_name=name,
        connection_id=connection_id,
        organization_gid=asana.organization_gid,
        organization_name="Acme",
        plan="starter",  # at the paid pace
        time_zone="UTC",
        currency="EUR",
        analyze_activity_from=now - LOOK_BACK,
        removal_cap=1000,
        provisioned_by_scim=False,
    )
    async with open_connection(stack.database_url("owner")) as owner:
        await profiles.create(owner, draft)
        profile = await profiles.get(owner, name)
        assert profile is not None
        # Nobody can be idle by then, so nobody is searched for: a person is one question.
        await profiles.publish(owner, profile, Publication(cron="0 5 * * *", threshold_days=3650), now)
        await owner.execute("UPDATE schedule SET enabled = false")
        await owner.execute("UPDATE profile SET sweep = 'full'")
        await owner.execute(
            """INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at,
                                         found_at)
               SELECT %s, gid, gid, 'member', false, now() - interval '900 days', now()
                 FROM unnest(%s::text[]) AS gid""",
            [profile.id, list(gids)],
        )
    return profile.id
