"""What a download has listed: counted, compared, asked for, and merged into one profile and no other."""

import contextlib
from datetime import timedelta
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, RestrictViolation

from store import listings
from store.connect import Connection
from store.listings import ListedMembership, ListedUser
from store.runs import Run
from tests.conftest import Database
from tests.rows import NOW, add_profile, count
from tests.store.people import JOINED, acme, add_subscription, complete, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]


def listed(user_gid: str, **changed: Any) -> ListedMembership:  # noqa: ANN401 - what a membership has
    """A membership as it is known of `add_subscription`'s people, with some of it changed."""
    usual = {
        "user_gid": user_gid,
        "membership_gid": f"9{user_gid}",
        "is_active": True,
        "is_admin": False,
        "is_guest": False,
        "is_view_only": False,
        "joined_at": JOINED,
    }
    return ListedMembership(**{**usual, **changed})


async def merged(
    owner: Connection, run: Run, *memberships: ListedMembership, absent: tuple[str, ...] = ()
) -> dict[str, int]:
    async with owner.transaction():
        await listings.stage_memberships(owner, run, memberships)
        await listings.stage_absences(owner, run, absent, proven=True)
        return await listings.merge(owner, run, NOW + timedelta(minutes=1))


async def state_of(owner: Connection, user_gid: str) -> tuple[object, ...]:
    cursor = await owner.execute(
        "SELECT state, software_model, is_admin, membership_gid FROM subscription WHERE user_gid = %s", [user_gid]
    )
    row = await cursor.fetchone()
    assert row is not None
    return row


async def test_a_listing_is_counted_and_compared_with_what_is_known(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2", "3"):
            await add_subscription(owner, profile, gid)
        run = await start_run(owner, profile, "download")
        rows = [listed("1"), listed("1"), listed("2", is_active=False), listed("4"), listed("4", is_admin=True)]
        await listings.stage_memberships(owner, run, rows)
        await listings.stage_users(owner, run, [ListedUser("1", "Ann", None)])
        found = await listings.compare(owner, run)
    assert (found.memberships, found.users, found.seats, found.known) == (5, 1, 2, 3)
    assert found.contradictions == 1, "the fourth person; the first was listed twice with the same words"
    assert found.missing == 2, "an inactive membership is no seat"


async def test_a_former_membership_beside_a_new_one_is_no_contradiction(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "download")
        former = listed("1", is_active=False, membership_gid="77", is_admin=True)
        await listings.stage_memberships(owner, run, [former, listed("1")])
        found = await listings.compare(owner, run)
        assert (found.contradictions, found.seats) == (0, 1)
        await merged(owner, run)
        assert await state_of(owner, "1") == ("active", "member", False, "91")


async def test_who_is_missing_is_asked_for_once(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2", "3", "4"):
            await add_subscription(owner, profile, gid)
        run = await start_run(owner, profile, "download")
        await listings.stage_memberships(owner, run, [listed("1")])
        assert await listings.to_confirm(owner, run, 10) == ["2", "3", "4"]
        assert await listings.to_confirm(owner, run, 2) == ["2", "3"]
        await listings.stage_memberships(owner, run, [listed("2")], confirmed=True)
        await listings.stage_absences(owner, run, ["3"], proven=True)
        await listings.stage_absences(owner, run, ["4"], proven=False)
        assert await listings.to_confirm(owner, run, 10) == []
        assert (await listings.compare(owner, run)).memberships == 1, "the confirmed one is not of the listing"


async def test_who_would_be_new_and_is_no_user_is_asked_for_once(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2"):
            await add_subscription(owner, profile, gid)
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_because = 'missing', gone_at = %s WHERE user_gid = '2'", [NOW]
        )
        run = await start_run(owner, profile, "download")
        rows = [listed("1"), listed("2"), listed("3"), listed("4"), listed("4"), listed("5", is_active=False)]
        await listings.stage_memberships(owner, run, [*rows, listed("6")])
        await listings.stage_users(owner, run, [ListedUser("3", "Ann", None)])
        assert await listings.strangers(owner, run, 10) == ["2", "4", "6"], "not the known one, and not the user"
        assert await listings.strangers(owner, run, 1) == ["2"]
        await listings.stage_memberships(owner, run, [listed("4")], confirmed=True)
        await listings.stage_absences(owner, run, ["2"], proven=False)
        found = await listings.compare(owner, run)
        assert (found.unasked, found.unconfirmed) == (1, 1)
        assert await listings.strangers(owner, run, 10) == ["6"]


async def test_who_would_be_new_and_is_not_confirmed_is_not_found(database: Database) -> None:
    async with acme(database) as (owner, profile):
        other = await add_profile(owner, "other")
        await complete(owner, other)
        await add_subscription(owner, other, "2")
        run = await start_run(owner, profile, "download")
        await listings.stage_memberships(owner, run, [listed("3")], confirmed=True)
        await listings.stage_absences(owner, run, ["1"], proven=False)
        assert (await merged(owner, run, listed("1"), listed("2"), listed("3"), absent=("2",)))["found"] == 1
        cursor = await owner.execute("SELECT user_gid FROM subscription WHERE profile_id = %s", [profile])
        assert await cursor.fetchall() == [("3",)]


async def test_only_a_proven_absence_is_gone(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2", "3"):
            await add_subscription(owner, profile, gid)
        run = await start_run(owner, profile, "download")
        await listings.stage_absences(owner, run, ["2"], proven=False)
        counts = await merged(owner, run, listed("1"), absent=("3",))
        assert counts == {"found": 0, "changed": 0, "gone": 1, "returned": 0}
        assert [(await state_of(owner, gid))[0] for gid in ("1", "2", "3")] == ["active", "active", "gone"]


async def test_who_is_listed_is_not_gone_whatever_else_was_noted(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        run = await start_run(owner, profile, "download")
        assert (await merged(owner, run, listed("1"), absent=("1",)))["gone"] == 0


async def test_the_answer_to_a_question_of_its_own_is_the_newer_one(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        run = await start_run(owner, profile, "download")
        await listings.stage_memberships(owner, run, [listed("1", is_admin=True)], confirmed=True)
        await merged(owner, run, listed("1"))
        assert await state_of(owner, "1") == ("active", "member", True, "91")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"is_admin": True}, {"is_admin": [False, True]}),
        ({"is_guest": True}, {"software_model": ["member", "guest"]}),
        ({"is_view_only": True}, {"software_model": ["member", "view_only"]}),
        ({"is_guest": True, "is_view_only": True}, {"software_model": ["member", "guest"]}),
        ({"membership_gid": "77"}, {"membership_gid": ["91", "77"]}),
    ],
)
async def test_each_change_is_said_by_its_field(
    changed: dict[str, object], field: dict[str, object], database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        run = await start_run(owner, profile, "download")
        assert (await merged(owner, run, listed("1", **changed)))["changed"] == 1
        cursor = await owner.execute("SELECT payload -> 'changed' FROM outbox WHERE name = 'SubscriptionChanged'")
        assert await cursor.fetchall() == [(field,)]


@pytest.mark.parametrize(("gone_after", "returned"), [(-1, 1), (1, 0)])
async def test_a_seat_reclaimed_while_the_listing_was_read_does_not_return_by_it(
    gone_after: int, returned: int, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        run = await start_run(owner, profile, "download")
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_because = 'reclaimed', gone_at = %s",
            [NOW + timedelta(seconds=gone_after)],
        )
        assert (await merged(owner, run, listed("1")))["returned"] == returned
        assert (await state_of(owner, "1"))[0] == ("active" if returned else "gone")


async def test_a_listing_of_one_profile_touches_no_other(database: Database) -> None:
    async with acme(database) as (owner, profile):
        other = await add_profile(owner, "other")
        await complete(owner, other)
        await add_subscription(owner, other, "1", is_admin=True)
        await add_subscription(owner, other, "2")
        run = await start_run(owner, profile, "download")
        counts = await merged(owner, run, listed("1"), absent=("2",))
        assert counts == {"found": 1, "changed": 0, "gone": 0, "returned": 0}
        cursor = await owner.execute(
            "SELECT user_gid, state, is_admin FROM subscription WHERE profile_id = %s ORDER BY user_gid", [other]
        )
        assert await cursor.fetchall() == [("1", "active", True), ("2", "active", False)]


async def test_a_name_with_a_nul_can_be_kept(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "download")
        async with owner.transaction():
            await listings.stage_users(owner, run, [ListedUser("1", "A\x00nn\t\\N\n", None), ListedUser("2", None, "")])
        await merged(owner, run, listed("1"))
        cursor = await owner.execute("SELECT name, email FROM person ORDER BY user_gid")
        assert await cursor.fetchall() == [("A\ufffdnn\t\\N\n", None), (None, "")]


async def test_what_was_listed_is_dropped_at_the_end_and_can_be_dropped_by_halves(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "download")
        await listings.stage_memberships(owner, run, [listed("1")])
        await listings.stage_users(owner, run, [ListedUser("1", "Ann", None)])
        await listings.forget(owner, run, "memberships")
        assert (await count(owner, "listed_membership"), await count(owner, "listed_user")) == (0, 1)
        await merged(owner, run, listed("1"))
        assert (await count(owner, "listed_membership"), await count(owner, "listed_user")) == (0, 0)
        assert await count(owner, "asked_absence") == 0


@pytest.mark.parametrize(
    "row",
    [
        "person (profile_id, user_gid) VALUES ({profile}, '1')",
        """outbox (channel, name, profile_id, payload, correlation_id, occurred_at)
           VALUES ('command', 'x', {profile}, '{{}}', gen_random_uuid(), now())""",
    ],
)
async def test_a_row_belongs_to_a_profile_that_there_is_and_stays_with_it(row: str, database: Database) -> None:
    async with acme(database) as (owner, profile):
        other = await add_profile(owner, "other")
        with pytest.raises(ForeignKeyViolation):
            await owner.execute(f"INSERT INTO {row.format(profile=other + 1)}".encode())
        await owner.execute(f"INSERT INTO {row.format(profile=profile)}".encode())
        with pytest.raises(RestrictViolation):
            await owner.execute(f"UPDATE {row.split(maxsplit=1)[0]} SET profile_id = {other}".encode())


async def test_a_subscription_belongs_to_a_profile_by_its_software_model(database: Database) -> None:
    async with acme(database) as (owner, profile):
        with pytest.raises(ForeignKeyViolation):
            await add_subscription(owner, profile + 1, "1")


@pytest.mark.parametrize(
    ("gid", "is_one"), [("1" * 30, True), ("1" * 31, False), ("", False), ("1\n", False), ("१", False)]
)
async def test_a_gid_is_one_to_thirty_digits(gid: str, database: Database, *, is_one: bool) -> None:
    async with acme(database) as (owner, _):
        with contextlib.nullcontext() if is_one else pytest.raises(CheckViolation):
            await owner.execute("SELECT %s::gid", [gid])


async def test_message_ids_begin_with_the_time(database: Database) -> None:
    async with acme(database) as (owner, _):
        query = "SELECT array_agg(uuid_by_time()::text), extract(epoch FROM now()) FROM generate_series(1, 200)"
        row = await (await owner.execute(query)).fetchone()
    assert row is not None
    found, began = [UUID(one) for one in row[0]], float(row[1])
    assert len(set(found)) == 200
    assert {(one.version, one.variant) for one in found} == {(7, RFC_4122)}
    assert [one.int >> 80 for one in found] == sorted(one.int >> 80 for one in found)
    assert abs((found[0].int >> 80) / 1000 - began) < 60
