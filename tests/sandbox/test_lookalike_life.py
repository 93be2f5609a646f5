"""A life of days, the member export, and listings that are too long."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.asana import running
from sandbox.asana.life import Life
from sandbox.asana.lookalike import LookAlike
from sandbox.asana.member_export import COLUMNS, member_export
from tests.sandbox.asking import Asking

MONDAY = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def lived(seed: int, days: int = 30) -> LookAlike:
    look = LookAlike(200, 3, start=MONDAY)
    life = Life(look, seed)
    for _ in range(days):
        life.live_day()
    return look


def test_a_seed_gives_the_same_days() -> None:
    first, again, another = (sorted(lived(seed).state.tasks) for seed in (1, 1, 2))
    assert first == again
    assert first != another


def test_sleepers_sleep_and_the_others_work() -> None:
    look = LookAlike(200, 3, start=MONDAY)
    life = Life(look, 1)
    for _ in range(30):
        life.live_day()
    assert look.clock.now() == MONDAY + timedelta(days=30)
    asleep = {one.gid for one in life.sleepers}
    assert len(asleep) == 24
    acted = {
        story.created_by.gid
        for task in look.state.tasks.values()
        for story in task.stories
        if story.created_at >= MONDAY
    }
    assert 0 < len(acted & asleep) < 6, "a few wake up"
    assert len(acted) > 120


def test_the_member_export_has_everybody_once() -> None:
    with running(people=80, seed=5) as asana:
        rows = list(csv.DictReader(io.StringIO(member_export(asana.look))))
        assert tuple(rows[0]) == COLUMNS
        members = asana.organization.members(asana.organization.company)
        assert sorted(row["Name"] for row in rows) == sorted(one.name for one in members)
        days = {row["Email"]: row["Last activity date"] for row in rows if row["Email"]}
        truths = asana.truth(asana.clock.now())
        for person in members:
            seen = truths[person.gid].seen_by_export
            assert person.email is None or days[person.email] == (seen.isoformat() if seen else "")
        assert any(row["Status"] == "Invited" and not row["Last activity date"] for row in rows)


def test_a_listing_that_is_too_long_is_refused_at_its_end() -> None:
    with running(people=250, seed=5) as asana, Asking(asana) as api:
        asana.look.pages.longest = 200
        path = f"/workspaces/{api.organization}/workspace_memberships"
        offset = api.get(path, limit=100)["next_page"]["offset"]
        offset = api.get(path, limit=100, offset=offset)["next_page"]["offset"]
        assert "truncated" in str(api.get(path, status=400, limit=100, offset=offset))


def test_days_away_are_given_for_one_person() -> None:
    with running(people=100, seed=5) as asana, Asking(asana) as api:
        away = next(one for one in asana.organization.company.memberships.values() if one.vacation)
        assert away.vacation
        where: dict[str, Any] = {"user": away.person.gid, "workspace": api.organization}
        (entry,) = api.get("/ooo_entries", **where, limit=10, opt_fields="start_date,end_date,user.name")["data"]
        assert entry["user"]["gid"] == away.person.gid
        assert entry["end_date"] == away.vacation[1].isoformat()
        later = (away.vacation[1] + timedelta(days=1)).isoformat()
        assert api.get("/ooo_entries", **where, start_date=later)["data"] == []
        api.get("/ooo_entries", status=400, user=away.person.gid)
