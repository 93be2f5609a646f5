"""A whole day with real parts except the broker: what the actors make of an organization whose truth is known."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from messages.events import EVENTS
from sandbox.asana import Running
from sandbox.asana.model import Membership
from tests.conftest import Database
from tests.workers.actor_stage import LOOK_BACK, THRESHOLD, Stage, actor_stage, organization

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SAYS = ("SubscriptionFound", "SubscriptionChanged", "SubscriptionGone", "SubscriptionReturned")
CANDIDATE_SAYS = ("CandidateFound", "CandidateChanged")


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def seats(asana: Running) -> dict[str, Membership]:
    """The memberships that hold a seat, by the person's gid."""
    return {gid: one for gid, one in asana.organization.company.by_person.items() if one.is_active}


def model(membership: Membership) -> str:
    if membership.is_guest:
        return "guest"
    return "view_only" if membership.is_view_only else "member"


def expected_candidates(stage: Stage, first_day: datetime | None = None) -> dict[str, str]:
    """The rule, written anew over what the source could see since the first day: who is a candidate, in which state."""
    truth = stage.asana.truth((first_day or stage.now) - LOOK_BACK)
    idle_since, expected = stage.now - THRESHOLD, {}
    for gid, seat in seats(stage.asana).items():
        seen = truth[gid].last_work_seen_by_tasks_at
        never_one = seat.is_admin or seat.is_guest or seat.is_view_only or gid == stage.us.gid
        if never_one or seat.created_at > idle_since or (seen is not None and seen >= idle_since):
            continue
        expected[gid] = "ready" if seen else "attention_required"
    return expected


async def test_a_cycle_runs_every_step_and_says_so(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        cycle = await stage.run("cycle")
        steps = await stage.steps(cycle)
    assert stage.errors == []
    assert {kind: (step.state, step.reason) for kind, step in steps.items()} == {
        "download": ("finished", None),
        "activity": ("finished", None),
        "reconcile": ("finished", None),
        "candidates": ("finished", None),
        "reclaim": ("finished", "nothing approved"),
    }
    assert cycle.state == "finished"


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_cycle_finds_what_is_true_and_visible(seed: int, database: Database) -> None:
    with organization(people=300, seed=seed) as asana:
        async with actor_stage(asana, database) as stage:
            await stage.run("cycle")
            known = {
                gid: (row["membership_gid"], row["software_model"], row["is_admin"], row["joined_at"], row["state"])
                for gid, row in (await stage.subscriptions()).items()
            }
            assert known == {
                gid: (seat.gid, model(seat), seat.is_admin, seat.created_at, "active")
                for gid, seat in seats(asana).items()
            }
            acts = await stage.rows(
                "SELECT user_gid, acted_at FROM last_activity l JOIN subscription s ON s.id = l.subscription_id"
            )
            truth = asana.truth(stage.now - LOOK_BACK)
            assert {row["user_gid"]: row["acted_at"] for row in acts} == {
                gid: truth[gid].last_work_seen_by_tasks_at
                for gid, seat in seats(asana).items()
                if model(seat) == "member"
                and truth[gid].last_work_seen_by_tasks_at
                and not seat.is_admin  # nobody judges them, so nobody asks; we are one
            }
            expected = expected_candidates(stage)
            assert {gid: state for gid, (state, _) in (await stage.candidates()).items()} == expected
            assert set(expected.values()) == {"ready", "attention_required"}, "the organization has both kinds"


async def test_every_event_has_its_shape_and_no_sequence_has_a_gap(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        await stage.approved_plan(limit=3)
        stage.later(days=1)
        await stage.run("cycle")
        await assert_events_are_sound(stage)
        names = {str(row["name"]) for row in await stage.rows("SELECT name FROM outbox WHERE channel = 'event'")}
    assert {"SubscriptionFound", "CandidateFound", "SubscriptionReclaimed", "ReconciliationCompleted"} <= names


async def assert_events_are_sound(stage: Stage) -> None:
    """Validate every event that was said, and see that each subject's sequence is 1, 2, 3, …"""
    told: dict[object, list[object]] = {}
    for row in await stage.rows(
        "SELECT name, subject, sequence, payload FROM outbox WHERE channel = 'event' ORDER BY id"
    ):
        EVENTS[str(row["name"])].model_validate(row["payload"])
        told.setdefault(row["subject"], []).append(row["sequence"])
    assert told
    assert all(sequence == list(range(1, len(sequence) + 1)) for sequence in told.values())


async def test_no_event_and_no_decision_has_a_name_or_an_address(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        said = str(await stage.rows("SELECT payload FROM outbox")) + str(await stage.rows("SELECT * FROM decision"))
    people = asana.organization.people.values()
    assert [
        person.name for person in people if person.name in said or (person.email or "@@").lower() in said.lower()
    ] == []


async def test_a_second_cycle_with_nothing_changed_says_nothing_new(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        before = await stage.candidates()
        tomorrow = stage.later(minutes=10)
        steps = await stage.steps(await stage.run("cycle"))
        said = {name: await stage.events(name, tomorrow) for name in SAYS + CANDIDATE_SAYS}
        after = await stage.candidates()
    assert {name: said[name] for name in said if said[name]} == {}
    assert before == after
    assert {steps["download"].counts[name] for name in ("found", "changed", "gone", "returned")} == {0}
    assert {steps["candidates"].counts[name] for name in ("found", "changed", "closed")} == {0}


async def test_a_second_pull_asks_only_for_what_is_new(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        first = asana.requests.by_route["GET /tasks/{task_gid}/stories"]
        stage.later(days=1)
        asana.requests.reset()
        await stage.run("cycle")
        assert asana.requests.by_route["GET /tasks/{task_gid}/stories"] < first / 10
        assert {gid: state for gid, (state, _) in (await stage.candidates()).items()} == expected_candidates(stage)


async def test_changes_between_two_cycles_are_found_and_said(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        ready = [gid for gid, (state, _) in (await stage.candidates()).items() if state == "ready"]
        leaver, promoted, demoted, active, rejoined = ready[:5]
        others = [gid for gid in await stage.subscriptions() if gid not in ready and gid != stage.us.gid]
        former = next(gid for gid, one in asana.organization.company.by_person.items() if not one.is_active)
        tomorrow, changes = stage.later(days=1), asana.changes
        changes.leave(leaver)
        changes.set_roles(promoted, is_admin=True)
        changes.set_roles(demoted, is_guest=True)
        changes.act(active)
        changes.leave(rejoined)
        changes.rejoin(rejoined)
        changes.rejoin(former)
        asana.organization.people[others[0]].name = "Quite Another"
        await stage.run("cycle")
        told = {name: {row["user_gid"] for row in await stage.events(name, tomorrow)} for name in SAYS}
        assert told == {
            "SubscriptionFound": {former},
            "SubscriptionChanged": {promoted, demoted, rejoined},
            "SubscriptionGone": {leaver},
            "SubscriptionReturned": set(),
        }
        changed = {row["user_gid"]: row["changed"] for row in await stage.events("SubscriptionChanged", tomorrow)}
        assert changed[promoted] == {"is_admin": [False, True]}
        assert changed[demoted] == {"software_model": ["member", "guest"]}
        assert changed[rejoined].keys() == {"membership_gid", "joined_at"}  # type: ignore[attr-defined] # jsonb
        now_known = await stage.candidates()
        assert now_known[leaver] == ("closed_skipped", "gone")
        assert now_known[promoted] == ("closed_skipped", "admin")
        assert now_known[demoted] == ("closed_skipped", "no_paid_seat")
        assert now_known[active] == ("closed_canceled", "active")
        assert now_known[rejoined] == ("closed_skipped", "new")
        renamed = await stage.rows(f"SELECT name FROM person WHERE user_gid = '{others[0]}'")
        assert renamed == [{"name": "Quite Another"}]
        await assert_events_are_sound(stage)


async def test_a_person_who_was_gone_and_comes_back_returns_under_the_same_subscription(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        leaver = next(gid for gid, (state, _) in (await stage.candidates()).items() if state == "ready")
        before = (await stage.subscriptions())[leaver]
        stage.later(days=1)
        asana.changes.leave(leaver)
        await stage.run("cycle")
        back = stage.later(days=1)
        asana.changes.rejoin(leaver)
        await stage.run("cycle")
        (event,) = await stage.events("SubscriptionReturned", back)
        after = (await stage.subscriptions())[leaver]
        assert await stage.events("SubscriptionFound", back) == []
        assert (await stage.candidates())[leaver] == ("closed_skipped", "gone"), "the clock of a new seat starts anew"
    assert (event["subscription_id"], event["user_gid"]) == (before["id"], leaver)
    assert (after["id"], after["state"], after["joined_at"]) == (before["id"], "active", back)
    assert after["membership_gid"] != before["membership_gid"]


async def test_an_exempt_person_is_no_candidate_and_an_exemption_ends(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        chosen = next(gid for gid, state in expected_candidates(stage).items() if state == "ready")
        await stage.owner.execute(
            "INSERT INTO exemption VALUES (%s, %s, 'on leave', %s, 'ann')",
            [stage.profile_id, chosen, stage.now + THRESHOLD / 60],
        )
        await stage.run("cycle")
        assert chosen not in await stage.candidates()
        stage.later(days=1)
        await stage.run("cycle")
        assert (await stage.candidates())[chosen][0] == "ready"
