"""Who is asked about, and from when on: what the database says of each paid seat before a pull."""

from datetime import datetime, timedelta

import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from store import activity, asking, exemptions
from store.asking import Person
from store.connect import Connection
from tests.conftest import Database
from tests.rows import NOW, add_profile
from tests.store.people import JOINED, acme, add_subscription, complete

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)
THRESHOLD = 60 * DAY
LOOK_BACK = NOW - 90 * DAY
Window = tuple[datetime, datetime]


async def cover(owner: Connection, profile: int, subscription: int, source: str, *seen: Window) -> None:
    covered = Multirange([Range(begin, end, "[]") for begin, end in seen])
    await owner.execute(
        "INSERT INTO coverage VALUES (%s, %s, %s, %s, %s)", [profile, subscription, source, covered, NOW - DAY]
    )


async def person(owner: Connection, profile: int, subscription: int) -> Person:
    (one,) = await asking.people(owner, profile, [subscription], threshold=THRESHOLD, now=NOW)
    return one


async def test_only_active_paid_seats_are_asked_about(database: Database) -> None:
    async with acme(database) as (owner, profile):
        paid = await add_subscription(owner, profile, "1")
        await add_subscription(owner, profile, "2", model="guest")
        await add_subscription(owner, profile, "3", model="view_only")
        gone = await add_subscription(owner, profile, "4")
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_at = %s, gone_because = 'missing' WHERE id = %s", [NOW, gone]
        )
        other = await add_profile(owner, "other")
        await complete(owner, other)
        await add_subscription(owner, other, "5")
        found = await asking.standings(owner, profile, pull_started_at=NOW)
        assert [one.subscription_id for one in found] == [paid]
        assert await asking.count_paid_seats(owner, profile) == 1
        people = await asking.people(owner, profile, [gone, paid], threshold=THRESHOLD, now=NOW)
        assert [one.subscription_id for one in people] == [paid]


async def test_a_standing_says_what_is_known_before_asking(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await activity.add_acts(owner, profile, [(subscription, "logged_in", NOW - DAY, "x")], NOW, source="audit_log")
        await activity.add_acts(owner, profile, [(subscription, "task_created", NOW - 2 * DAY, "y")], NOW)
        (one,) = await asking.standings(owner, profile, pull_started_at=NOW)
        assert (one.joined_at, one.last_act_at) == (JOINED, NOW - DAY)
        assert (one.excused, one.was_asked) == (False, False)
        await cover(owner, profile, subscription, "search", (LOOK_BACK, NOW - DAY))
        (one,) = await asking.standings(owner, profile, pull_started_at=NOW)
        assert not one.was_asked, "only the tasks are asked about everybody"
        await cover(owner, profile, subscription, "tasks", (LOOK_BACK, NOW - DAY))
        (one,) = await asking.standings(owner, profile, pull_started_at=NOW)
        assert one.was_asked


async def test_whoever_this_run_has_asked_is_not_asked_again(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await activity.note_trouble(owner, profile, "tasks", {subscription: "answer 403"}, NOW)
        assert await asking.standings(owner, profile, pull_started_at=NOW) == []
        (one,) = await asking.standings(owner, profile, pull_started_at=NOW + DAY)
        assert not one.was_asked, "a refusal is no answer"


@pytest.mark.parametrize(
    ("until", "excused"),
    [(None, True), (NOW + DAY + timedelta(seconds=1), True), (NOW + DAY, False), (NOW - DAY, False)],
    ids=["for good", "longer than verdicts stand", "until they end", "over"],
)
async def test_an_exemption_excuses_only_if_it_outlasts_the_verdicts(
    until: datetime | None, excused: bool, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        begun = NOW - 9 * DAY
        await exemptions.add(owner, profile, "1", reason="on leave", until=until, by="ann", now=begun)
        (one,) = await asking.standings(owner, profile, pull_started_at=NOW)
        assert one.excused == excused


async def test_admins_and_the_accounts_that_we_work_with_are_excused(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1", is_admin=True)
        await add_subscription(owner, profile, "2")
        await add_subscription(owner, profile, "3")
        await owner.execute(
            """INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at)
               SELECT connection_id, kind, 'connected', '2', 'x', now()
                 FROM profile, unnest(ARRAY['personal_access_token', 'service_account']) AS kind"""
        )
        found = await asking.standings(owner, profile, pull_started_at=NOW)
        assert [one.excused for one in sorted(found, key=lambda one: one.subscription_id)] == [True, True, False]


@pytest.mark.parametrize(
    ("seen", "since"),
    [
        ([], LOOK_BACK),
        ([(LOOK_BACK, NOW - DAY)], NOW - 2 * DAY),
        ([(LOOK_BACK - DAY, NOW - DAY)], NOW - 2 * DAY),
        ([(LOOK_BACK + DAY, NOW - DAY)], LOOK_BACK),
        ([(LOOK_BACK, NOW - 50 * DAY), (NOW - 40 * DAY, NOW - DAY)], NOW - 51 * DAY),
        ([(LOOK_BACK - 9 * DAY, LOOK_BACK - DAY), (NOW - 40 * DAY, NOW - DAY)], LOOK_BACK),
    ],
    ids=["nothing", "all", "more", "too late a begin", "a gap", "the look-back in a gap"],
)
async def test_each_source_is_asked_from_the_end_of_its_own_first_unbroken_window(
    seen: list[Window], since: datetime, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        one, two = await add_subscription(owner, profile, "1"), await add_subscription(owner, profile, "2")
        await cover(owner, profile, one, "tasks", *seen)
        await cover(owner, profile, two, "search", *seen)
        assert ((await person(owner, profile, one)).tasks_since, (await person(owner, profile, two)).search_since) == (
            since,
            since,
        )
        assert (await person(owner, profile, one)).search_since == LOOK_BACK


@pytest.mark.parametrize(
    ("tasks", "search", "until"),
    [
        ([(LOOK_BACK, NOW - DAY)], [(LOOK_BACK, NOW - 2 * DAY)], NOW - 2 * DAY),
        ([(LOOK_BACK, NOW - 2 * DAY)], [(LOOK_BACK, NOW - DAY)], NOW - 2 * DAY),
        ([(NOW - THRESHOLD, NOW - DAY)], [(NOW - THRESHOLD, NOW - DAY)], NOW - DAY),
        ([(NOW - THRESHOLD + DAY, NOW - DAY)], [(LOOK_BACK, NOW - DAY)], None),
        ([(LOOK_BACK, NOW - DAY)], [], None),
        ([(LOOK_BACK, NOW - DAY)], [(LOOK_BACK, NOW - 9 * DAY), (NOW - 8 * DAY, NOW - DAY)], NOW - 9 * DAY),
    ],
    ids=["search ends first", "tasks end first", "just enough", "too short", "only one", "a gap"],
)
async def test_a_person_was_seen_until_the_first_of_the_task_sources_ends(
    tasks: list[Window], search: list[Window], until: datetime | None, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await cover(owner, profile, subscription, "tasks", *tasks)
        await cover(owner, profile, subscription, "search", *search)
        assert (await person(owner, profile, subscription)).seen_until == until
