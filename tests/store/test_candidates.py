"""Candidates: compare and set, one open one for a person, and a ledger that only grows."""

from uuid import uuid4

import psycopg
import pytest

from messages.events import CandidateState
from rules.verdict import Verdict
from store import candidates, seats
from store.candidates import Change
from store.connect import Connection
from tests.conftest import Database
from tests.rows import NOW, count
from tests.store.people import acme, add_candidate, add_subscription, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]

READY = Verdict("ready", "idle", "no act for 90 days", ("reading",))


def step(state_from: CandidateState, state_to: CandidateState) -> Change:
    return Change(
        state_from=state_from,
        state_to=state_to,
        by="ann",
        why="because",
        evidence={"reason": "x"},
        correlation_id=uuid4(),
    )


async def state_of(owner: Connection, candidate: int) -> tuple[object, ...]:
    cursor = await owner.execute("SELECT state, closed_at FROM candidate WHERE id = %s", [candidate])
    row = await cursor.fetchone()
    assert row is not None
    return row


async def test_opening_writes_the_row_the_ledger_and_the_event(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        run = await start_run(owner, profile, "candidates")
        (judged,) = await seats.to_judge(owner, profile, now=NOW)
        async with owner.transaction():
            (candidate,) = await candidates.open_candidates(owner, run, [(judged, READY)], NOW)
        assert await state_of(owner, candidate) == ("ready", None)
        cursor = await owner.execute(
            "SELECT state_from, state_to, user_gid, decided_by, evidence -> 'unseen' FROM decision"
        )
        assert await cursor.fetchall() == [(None, "ready", "1", "seatkeeper", ["reading"])]
        cursor = await owner.execute("SELECT subject, payload ->> 'why' FROM outbox WHERE name = 'CandidateFound'")
        assert await cursor.fetchall() == [(f"candidate/{candidate}", "no act for 90 days")]
        (again,) = await seats.to_judge(owner, profile, now=NOW)
        assert (again.candidate_id, again.candidate_state, again.candidate_reason) == (candidate, "ready", "idle")


async def test_a_change_from_another_state_does_nothing(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "candidates")
        candidate = await add_candidate(owner, profile, await add_subscription(owner, profile, "1"), run, "ready")
        assert not await candidates.change(owner, profile, candidate, step("attention_required", "ready"), NOW)
        assert not await candidates.change(owner, profile + 1, candidate, step("ready", "closed_skipped"), NOW)
        assert (await count(owner, "decision"), await count(owner, "outbox WHERE name = 'CandidateChanged'")) == (0, 0)
        assert await candidates.change(owner, profile, candidate, step("ready", "closed_skipped"), NOW)
        assert await state_of(owner, candidate) == ("closed_skipped", NOW)
        assert not await candidates.change(owner, profile, candidate, step("ready", "closed_skipped"), NOW)
        assert await count(owner, "decision") == 1


async def test_a_person_has_one_open_candidate_and_any_number_of_closed_ones(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "candidates")
        subscription = await add_subscription(owner, profile, "1")
        first = await add_candidate(owner, profile, subscription, run, "ready")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await add_candidate(owner, profile, subscription, run, "attention_required")
        await candidates.change(owner, profile, first, step("ready", "closed_canceled"), NOW)
        await add_candidate(owner, profile, subscription, run, "ready")


@pytest.mark.parametrize("statement", ["UPDATE decision SET why = ''", "DELETE FROM decision", "TRUNCATE decision"])
async def test_the_ledger_cannot_be_changed_even_by_its_owner(statement: str, database: Database) -> None:
    async with acme(database) as (owner, _):
        with pytest.raises(psycopg.errors.RestrictViolation):
            await owner.execute(statement.encode())


async def test_candidates_of_the_gone_are_closed_unless_they_are_being_revoked(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "candidates")
        made: dict[str, int] = {}
        for gid, state in {"1": "ready", "2": "attention_required", "3": "awaiting_revocation", "4": "ready"}.items():
            made[gid] = await add_candidate(owner, profile, await add_subscription(owner, profile, gid), run, state)
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_at = %s, gone_because = 'missing' WHERE user_gid <> '4'",
            [NOW],
        )
        async with owner.transaction():
            assert await candidates.close_for_the_gone(owner, run, NOW) == 2
        states = {gid: (await state_of(owner, candidate))[0] for gid, candidate in made.items()}
        assert states == {"1": "closed_skipped", "2": "closed_skipped", "3": "awaiting_revocation", "4": "ready"}


@pytest.mark.parametrize(
    ("until", "because"), [(None, "on leave"), ("2026-03-02 06:00:00.001Z", "on leave"), ("2026-03-02 06:00Z", None)]
)
async def test_an_exemption_holds_until_its_end(until: str | None, because: str | None, database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        await owner.execute("INSERT INTO exemption VALUES (%s, '1', 'on leave', %s, 'ann')", [profile, until])
        (judged,) = await seats.to_judge(owner, profile, now=NOW)
        assert judged.seat.exempt_because == because


async def test_the_account_of_the_connection_is_known_as_ours(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2"):
            await add_subscription(owner, profile, gid)
        await owner.execute(
            """INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at)
               SELECT connection_id, 'personal_access_token', 'connected', '2', 'x', %s FROM profile""",
            [NOW],
        )
        judged = await seats.to_judge(owner, profile, now=NOW)
        assert {one.user_gid: one.seat.is_ours for one in judged} == {"1": False, "2": True}


async def test_many_changes_at_once_are_each_compared_and_written_down_in_order(database: Database) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "candidates")
        made = [
            await add_candidate(owner, profile, await add_subscription(owner, profile, gid), run, state)
            for gid, state in {
                "1": "ready",
                "2": "attention_required",
                "3": "awaiting_revocation",
                "4": "ready",
            }.items()
        ]
        steps = {
            made[3]: step("ready", "closed_canceled"),
            made[2]: step("ready", "closed_canceled"),  # it is being revoked by now
            made[1]: step("attention_required", "ready"),
            made[0]: step("ready", "attention_required"),
        }
        assert await candidates.change_all(owner, profile, steps, NOW) == {made[0], made[1], made[3]}
        assert await candidates.change_all(owner, profile, {}, NOW) == frozenset()
        states = [(await state_of(owner, candidate)) for candidate in made]
        assert states == [
            ("attention_required", None),
            ("ready", None),
            ("awaiting_revocation", None),
            ("closed_canceled", NOW),
        ]
        cursor = await owner.execute(
            """SELECT d.candidate_id, d.user_gid, d.state_from, d.state_to, o.subject, o.sequence, o.correlation_id
                 FROM decision d JOIN outbox o ON o.payload ->> 'candidate_id' = d.candidate_id::text ORDER BY o.id"""
        )
        assert await cursor.fetchall() == [
            (made[n], gid, change.state_from, change.state_to, f"candidate/{made[n]}", 1, change.correlation_id)
            for n, gid in enumerate(("1", "2", "3", "4"))
            for change in [steps[made[n]]]
            if n != 2
        ]


async def test_many_are_opened_at_once_each_with_its_own_line_and_event(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2", "3"):
            await add_subscription(owner, profile, gid)
        run = await start_run(owner, profile, "candidates")
        judged = await seats.to_judge(owner, profile, now=NOW)
        never = Verdict("attention_required", "never_seen", "never seen", ())
        found = [(judged[2], READY), (judged[0], never)]
        made = await candidates.open_candidates(owner, run, found, NOW)
        assert await candidates.open_candidates(owner, run, [], NOW) == []
        cursor = await owner.execute(
            """SELECT d.candidate_id, d.user_gid, d.state_to, d.why, o.payload ->> 'user_gid', o.payload ->> 'state'
                 FROM decision d JOIN outbox o ON o.subject = 'candidate/' || d.candidate_id ORDER BY d.id"""
        )
        assert await cursor.fetchall() == [
            (made[0], "3", "ready", "no act for 90 days", "3", "ready"),
            (made[1], "1", "attention_required", "never seen", "1", "attention_required"),
        ]
