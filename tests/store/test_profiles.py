"""Profiles: publishing makes what it says and keeps what an operator set; what holds removals back; nothing mixes."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from store import entitlements, exemptions, leash, profiles, readings, seats
from store.connect import Connection, open_connection
from store.entitlements import Purchase
from store.profiles import Draft, Profile, Publication
from tests.conftest import Database
from tests.rows import NOW, add_profile, count

pytestmark = [pytest.mark.anyio, pytest.mark.services]
DAILY = Publication(cron="0 5 * * *", threshold_days=None)


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


async def draft(console: Connection, name: str = "acme", *, scim: bool = False) -> Profile:
    """Make a draft in Berlin, on a connection of its own."""
    cursor = await console.execute(
        "INSERT INTO connection (alias, base_url, requests_per_minute) VALUES (%s, 'https://x', 1) RETURNING id", [name]
    )
    row = await cursor.fetchone()
    assert row is not None
    await profiles.create(
        console,
        Draft(
            name=name,
            display_name=name,
            connection_id=row[0],
            organization_gid="1201",
            organization_name="Acme",
            plan="advanced",
            time_zone="Europe/Berlin",
            currency="EUR",
            analyze_activity_from=NOW - timedelta(days=60),
            removal_cap=25,
            provisioned_by_scim=scim,
        ),
    )
    return await the(console, name)


async def the(console: Connection, name: str = "acme") -> Profile:
    found = await profiles.get(console, name)
    assert found is not None
    return found


async def said(console: Connection) -> list[tuple[str, str]]:
    return [(one.name, one.subject) for one in await readings.newest_events(console, readings.Wanted(), 100)]


async def test_publishing_makes_models_a_rule_and_a_schedule(console: Connection) -> None:
    profile = await draft(console)
    due = await profiles.publish(console, profile, DAILY, NOW)
    assert due == datetime(2026, 3, 3, 4, 0, tzinfo=UTC)  # five o'clock in Berlin; it was seven already
    assert (await the(console)).status == "published"
    assert await count(console, "software_model") == 3
    assert await readings.rule_of(console, profile.id) == {
        "software_model": "member",
        "threshold_days": 60,
        "evidence": "work",
        "notify": False,
    }
    assert await said(console) == [("ProfilePublished", "profile/acme")]


async def test_publishing_again_keeps_the_rule_unless_told_otherwise(console: Connection) -> None:
    profile = await draft(console)
    for threshold, kept in ((90, 90), (None, 90), (30, 30)):
        await profiles.publish(console, profile, Publication(cron="0 5 * * *", threshold_days=threshold), NOW)
        rule = await seats.rule_of(console, profile.id)
        assert rule is not None
        assert rule.threshold == timedelta(days=kept)
    assert await count(console, "schedule") == 1


async def test_unpublishing_stops_the_schedule_and_publishing_starts_it(console: Connection) -> None:
    profile = await draft(console)
    await profiles.publish(console, profile, DAILY, NOW)
    await profiles.unpublish(console, await the(console), NOW)
    assert (await the(console)).status == "draft"
    assert await count(console, "schedule WHERE enabled") == 0
    await profiles.publish(console, await the(console), DAILY, NOW)
    assert await count(console, "schedule WHERE enabled") == 1
    assert [name for name, _ in await said(console)] == ["ProfilePublished", "ProfileUnpublished", "ProfilePublished"]


async def test_a_new_profile_is_leashed_and_says_where_work_goes_before_it_is_not(console: Connection) -> None:
    profile = await draft(console)
    assert profile.leashed
    with pytest.raises(psycopg.errors.CheckViolation):
        await console.execute("UPDATE profile SET leashed = false")
    await leash.unleash(console, profile, "Mara Lind")
    assert not (await the(console)).leashed
    await leash.leash(console, profile)
    assert (await the(console)).leashed


async def test_one_of_scim_cannot_be_unleashed(console: Connection) -> None:
    profile = await draft(console, scim=True)
    with pytest.raises(psycopg.errors.CheckViolation):
        await leash.unleash(console, profile, "Mara Lind")


async def test_stop_and_resume_are_kept_and_said(console: Connection) -> None:
    profile = await draft(console)
    await leash.stop(console, profile, by="ann", why="audit", now=NOW)
    stopped = await the(console)
    assert (stopped.reclaim_stopped_by, stopped.reclaim_stopped_why, stopped.reclaim_stopped_at) == (
        "ann",
        "audit",
        NOW,
    )
    await leash.resume(console, profile, by="bob", now=NOW)
    assert (await the(console)).reclaim_stopped_at is None
    assert await said(console) == [("ReclaimStopped", "profile/acme"), ("ReclaimResumed", "profile/acme")]


async def test_an_entitlement_is_in_the_profiles_currency_and_said_as_text(console: Connection) -> None:
    profile = await draft(console)
    purchase = Purchase(
        software_model="member",
        quantity=5,
        unit_cost=Decimal("24.99"),
        starts_on=date(2026, 1, 1),
        ends_on=None,
        order_number=None,
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):  # never published: it has no software models
        await entitlements.add(console, profile, purchase, by="ann", now=NOW)
    await profiles.publish(console, profile, DAILY, NOW)
    number = await entitlements.add(console, profile, purchase, by="ann", now=NOW)
    event = (await readings.newest_events(console, readings.Wanted(name="EntitlementChanged"), 1))[0]
    assert event.subject == f"entitlement/{number}"
    assert (event.payload["unit_cost"], event.payload["currency"], event.payload["ends_on"]) == ("24.99", "EUR", None)
    assert (await entitlements.of_profile(console, profile.id))[0].currency == "EUR"


async def test_profiles_do_not_know_each_others_people(console: Connection, database: Database) -> None:
    async with open_connection(database.owner_url) as owner:
        first, second = await add_profile(owner, "first"), await add_profile(owner, "second")
        for profile_id, mail in ((first, "a@example.com"), (second, "b@example.com")):
            await owner.execute("INSERT INTO person VALUES (%s, '7', 'Mara', %s)", [profile_id, mail])
            await owner.execute(
                """INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at,
                                             found_at) VALUES (%s, '7', '8', 'member', false, %s, %s)""",
                [profile_id, NOW, NOW],
            )
    assert await readings.user_gids(console, first, "A@example.com") == ["7"]
    assert await readings.user_gids(console, first, "b@example.com") == []
    await exemptions.add(console, second, "7", reason="on leave", until=None, by="ann", now=NOW)
    assert await exemptions.of_profile(console, first) == []
    assert [one.email for one in await exemptions.of_profile(console, second)] == ["b@example.com"]
    assert not await exemptions.remove(console, first, "7")
    assert await exemptions.remove(console, second, "7")


async def test_a_beginning_that_fits_two_is_seen_as_such(console: Connection) -> None:
    profile = await draft(console)
    for plan in ("ab" + "0" * 62, "ab" + "1" * 62):
        await console.execute(
            """INSERT INTO plan (hash, profile_id, content, made_by, made_at, expires_at, due_at)
               VALUES (%s, %s, '{}', 'ann', %s, %s, %s)""",
            [plan, profile.id, NOW, NOW + timedelta(days=7), NOW],
        )
    assert len(await readings.plans_that_begin(console, "ab")) == 2
    assert await readings.plans_that_begin(console, "ab00") == ["ab" + "0" * 62]
