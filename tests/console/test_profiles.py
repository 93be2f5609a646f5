"""Profiles as an operator keeps them: their form, their switches, changing them, and the end of their days."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from console import changing
from sandbox.asana import Running
from tests.conftest import Database
from tests.console.conftest import Seats

pytestmark = pytest.mark.services
BEYOND = "--look-back-beyond-60-days"
REFUSED, USAGE, NOT_FOUND = 4, 2, 3


def create(seats: Seats, *options: str, name: str = "acme") -> dict[str, object]:
    made: dict[str, object] = seats.ok("profile", "create", name, "--connection=acme", "--plan=advanced", *options)
    return made


def days_back(document: dict[str, object]) -> int:
    begin = datetime.fromisoformat(str(document["analyze_activity_from"]))
    return round((datetime.now(UTC) - begin) / timedelta(days=1))


def test_the_form_of_a_profile_and_what_its_plan_decides(connected: Seats, asana: Running) -> None:
    create(connected, "--no-reclaim", "--sweep=full", "--display-name=Acme Inc.")
    shown = connected.ok("profile", "show", "acme")
    assert (shown["display_name"], shown["profile_type"], shown["status"]) == ("Acme Inc.", "subscription", "draft")
    assert (shown["activity_enabled"], shown["reclaim_enabled"], shown["sweep"]) == (True, False, "full")
    assert shown["connection_url"] == asana.url
    assert shown["plan_decides"] == {
        "requests_a_minute": 1500,
        "searches_a_minute": 60,
        "sources": ["tasks", "search"],
        "evidence": "work",
        "enough": [["tasks", "search"]],
    }
    told = connected("profile", "show", "acme").out
    for words in (
        "Acme Inc.",
        "Draft",
        "Subscription",
        asana.url,
        "tasks and search (work)",
        "off: reclaim is switched",
    ):
        assert words in told
    connected.ok("profile", "set", "acme", "--plan=free")
    decided = connected.ok("profile", "show", "acme")["plan_decides"]
    assert (decided["requests_a_minute"], decided["searches_a_minute"], decided["sources"]) == (150, 0, ["tasks"])


def test_a_client_id_is_shown_and_never_a_secret(connected: Seats, database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("UPDATE connection SET client_id = '4711', client_secret_sealed = 'sealed-secret'")
    create(connected)
    ours = connected("profile", "show", "acme", SEATKEEPER_PUBLIC_URL="https://seats.example.com").out
    assert "https://seats.example.com/" in ours
    shown = connected("profile", "show", "acme", "--json").out + connected("profile", "show", "acme").out
    assert "4711" in shown
    assert "urn:ietf:wg:oauth:2.0:oob" in shown
    assert "secret" not in shown


def test_further_back_than_sixty_days_asks_for_a_word(connected: Seats) -> None:
    made = ("profile", "create", "acme", "--connection=acme", "--plan=advanced")
    ended = connected(*made, "--analyze-activity-from=61d")
    assert (ended.code, BEYOND in ended.err) == (USAGE, True)
    assert days_back(create(connected, "--analyze-activity-from=60d")) == 60
    assert connected("profile", "set", "acme", "--analyze-activity-from=2020-01-01").code == USAGE
    assert days_back(connected.ok("profile", "set", "acme", "--analyze-activity-from=120d", BEYOND)) == 120


def test_what_is_not_named_stays(published: Seats) -> None:
    before = published.ok("profile", "show", "acme")
    after = published.ok("profile", "set", "acme", "--removal-cap=7")
    assert after.pop("remarks") == []
    assert after == {name: before[name] for name in after} | {"removal_cap": 7}


def test_switching_activity_off_says_what_it_means_and_keeps_the_profile_published(published: Seats) -> None:
    changed = published.ok("profile", "set", "acme", "--no-activity")
    assert (changed["status"], changed["activity_enabled"]) == ("published", False)
    assert "not acted on" in changed["remarks"][0]
    for kind in ("activity", "candidates", "reclaim"):
        ended = published("run", kind, "acme")
        assert (ended.code, "activity is switched off" in ended.err) == (REFUSED, True)
    assert published("run", "download", "acme").code == 0
    assert published.ok("profile", "set", "acme", "--activity")["activity_enabled"] is True


def test_with_reclaim_off_nothing_is_let_go(published: Seats) -> None:
    published.ok("profile", "set", "acme", "--no-reclaim")
    for command in (["run", "reclaim", "acme"], ["profile", "unleash", "acme", "--work-goes-to=Mara Lind"]):
        ended = published(*command)
        assert (ended.code, "reclaim is switched off" in ended.err) == (REFUSED, True)
    assert published("run", "candidates", "acme").code == 0


def test_the_evidence_is_chosen_when_publishing_and_stays_when_publishing_again(drafted: Seats) -> None:
    drafted.ok("profile", "set", "acme", "--plan=enterprise")
    early = drafted("profile", "set", "acme", "--evidence=any-use")
    assert (early.code, "./seats profile publish acme" in early.err) == (REFUSED, True)
    publish = ("profile", "publish", "acme", "--no-first-cycle")
    first = drafted.ok(*publish, "--evidence=any-use", "--threshold-days=50")
    assert "a member export is imported" in first["remarks"][0]
    assert "a service account is connected" in first["remarks"][0]
    again = drafted.ok(*publish)["rule"]
    assert (again["evidence"], again["threshold_days"]) == ("any_use", 50)
    shown = drafted.ok("profile", "show", "acme")
    assert shown["plan_decides"]["enough"] == [["member_export"], ["audit_log", "tasks", "search"]]
    assert "no any use for 50 days" in drafted("profile", "show", "acme").out


def test_the_rule_of_a_published_profile_is_changed_at_once(published: Seats) -> None:
    (remark,) = published.ok("profile", "set", "acme", "--evidence=any-use")["remarks"]
    assert "nobody can be a candidate" in remark
    assert "service account" not in remark, "the plan has no audit log"
    assert "no any use for 60 days" in published("profile", "show", "acme").out
    (remark,) = published.ok("profile", "set", "acme", "--evidence=work", "--threshold-days=90")["remarks"]
    assert "for the next 30 days nobody can be judged" in remark
    assert "no work for 90 days" in published("profile", "show", "acme").out


def test_a_short_look_back_says_when_anybody_can_be_judged(connected: Seats) -> None:
    made = create(connected, "--analyze-activity-from=0d")
    assert "for the next 60 days nobody can be judged" in str(made["remarks"])
    assert create(connected, "--analyze-activity-from=60d", name="other")["remarks"] == []


def test_unpublishing_twice_says_so(published: Seats) -> None:
    assert "is a draft again" in published("profile", "unpublish", "acme").out
    assert "is a draft already" in published("profile", "unpublish", "acme").out


def test_the_schedule_follows_the_time_zone(published: Seats) -> None:
    published.ok("profile", "set", "acme", "--time-zone=Pacific/Auckland")
    schedule = published.ok("profile", "show", "acme")["schedule"]
    assert schedule["time_zone"] == "Pacific/Auckland"
    assert datetime.fromisoformat(schedule["next_due_at"]).hour in {16, 17}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "what to change"),
        (["--display-name= "], "name for people"),
        (["--display-name=" + 121 * "a"], "at most 120"),
        (["--display-name=Acme\nInc."], "one line"),
        (["--display-name=Acme\x1b[2J"], "printable"),
        (["--evidence=reading"], "any-use"),
        (["--threshold-days=0"], "threshold-days"),
        (["--analyze-activity-from=0001-01-01T00:00+14:00"], "no Asana"),
        (["--analyze-activity-from=9999-12-31T23:00-14:00"], "future"),
        (["--time-zone=Mars/Base"], "Europe/Berlin"),
        (["--plan=gold"], "advanced"),
        (["--removal-cap=0"], "removal-cap"),
        (["--analyze-activity-from=2999-01-01"], "future"),
    ],
)
def test_changes_that_make_no_sense(drafted: Seats, options: list[str], word: str) -> None:
    ended = drafted("profile", "set", "acme", *options)
    assert (ended.code, word in ended.err) == (USAGE, True)


def test_deleting_asks_for_yes_where_nobody_can_type_the_name(published: Seats) -> None:
    ended = published("profile", "delete", "acme", stdin="")
    assert (ended.code, "--yes" in ended.err) == (USAGE, True)
    assert published.ok("profile", "show", "acme")["status"] == "published"


def test_at_a_terminal_its_name_is_typed(drafted: Seats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "_at_a_terminal", lambda: True)
    ended = drafted("profile", "delete", "acme", stdin="acne\n")
    assert (ended.code, "nothing was deleted" in ended.err) == (REFUSED, True)
    assert drafted.ok("profile", "show", "acme")["status"] == "draft"
    assert drafted("profile", "delete", "acme", stdin="acme\n").code == 0
    assert drafted("profile", "show", "acme").code == NOT_FOUND


def test_a_deleted_profile_can_be_read_and_not_changed(published: Seats) -> None:
    run = published.ok("run", "cycle", "acme")
    deleted = published.ok("profile", "delete", "acme", "--yes")
    named = str(deleted["named"])
    assert (deleted["status"], named.startswith("acme@")) == ("deleted", True)
    assert published.ok("profile", "show", named)["deleted_at"] == deleted["deleted_at"]
    assert [one["named"] for one in published.ok("profile", "list", "--deleted")["profiles"]] == [named]
    assert published.ok("profile", "list")["profiles"] == []
    assert run["id"] in {one["id"] for one in published.ok("runs", "list", f"--profile={named}")["runs"]}
    assert published.ok("runs", "show", str(run["id"])[:8])["state"] == "failed"
    assert published.ok("position", named)["positions"] == []
    assert published.ok("candidates", named)["candidates"] == []
    for command in (["show", "acme"], ["set", named, "--no-reclaim"], ["publish", named], ["delete", named, "--yes"]):
        assert published("profile", *command).code == NOT_FOUND
    for wrong in ("acme@999", "acme@x", "acne" + named[4:]):
        assert published("profile", "show", wrong).code == NOT_FOUND
    create(published)
    assert published.ok("profile", "show", "acme")["status"] == "draft"
    assert published.ok("runs", "list", "--profile=acme")["runs"] == []
