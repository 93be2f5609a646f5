"""`seats alerts`: what was to be told, and whether the channels take it, without a word of their secrets."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from connections.channels import Channels
from settings import read_settings
from tests.conftest import Database
from tests.console.conftest import Seats
from tests.receivers import SECRET, Webhook, webhook


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with webhook() as one:
        yield one


def test_a_test_message_reaches_the_channel_that_the_file_names(receiver: Webhook, tmp_path: Path) -> None:
    file = tmp_path / "alert_urls"
    file.write_text(f"{receiver.address}\n")
    ended = Seats()("alerts", "test", SEATKEEPER_ALERT_URLS_FILE=str(file))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split() == ["channel", "answer", "1", "(JSON)", "taken"]
    assert [one["title"] for one in receiver.got] == ["Seatkeeper: a test"]


@pytest.mark.parametrize("between", ["\n", "\r\n", ",\n  ", "\t", " , "])
def test_addresses_may_stand_on_lines_of_their_own(
    receiver: Webhook, tmp_path: Path, between: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = f"{receiver.address}{between}mailto://127.0.0.1:1?from=seats@example.com&to=a@example.com,b@example.com"
    (tmp_path / "alert_urls").write_bytes(f"{addresses}\n".encode())
    monkeypatch.setenv("SEATKEEPER_ALERT_URLS_FILE", str(tmp_path / "alert_urls"))
    from_file = read_settings().alert_addresses()
    monkeypatch.delenv("SEATKEEPER_ALERT_URLS_FILE")
    monkeypatch.setenv("SEATKEEPER_ALERT_URLS", addresses)
    assert read_settings().alert_addresses() == from_file
    assert len(Channels(from_file)) == 2


def test_a_channel_that_does_not_take_it_is_named_without_its_secret(receiver: Webhook) -> None:
    gone = f"json://user:{SECRET}@127.0.0.1:1/{SECRET}"
    ended = Seats()("alerts", "test", "--json", SEATKEEPER_ALERT_URLS=f"{receiver.address},{gone}")
    assert ended.code == 1
    assert "not every channel took it" in ended.err
    assert [one["taken"] for one in ended.json()["channels"]] == [True, False]
    assert SECRET not in ended.out + ended.err
    ended = Seats()("alerts", "test", SEATKEEPER_ALERT_URLS=gone)
    assert (ended.code, ended.err) == (1, "seats: no channel took it\n")


@pytest.mark.parametrize(
    ("addresses", "says"),
    [("none", "names no channel"), (f"nosuch://{SECRET}", "address 1 of 1 is none that Apprise knows")],
)
def test_a_test_without_a_channel_says_what_is_wrong(addresses: str, says: str) -> None:
    ended = Seats()("alerts", "test", SEATKEEPER_ALERT_URLS=addresses)
    assert (ended.code, says in ended.err, SECRET in ended.err) == (78, True, False)


@pytest.mark.services
def test_alerts_are_listed_with_what_became_of_them(seats: Seats, database: Database) -> None:
    assert seats("alerts", "list").out == "There is no alert.\n"
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            """INSERT INTO alert (kind, about, title, body, raised_at, next_try_at, tries, sent_at, given_up_at)
               SELECT 'RunFailed', title, title, 'b', '2026-03-02 06:00Z', '2026-03-02 06:00Z', 2, sent, given_up
                 FROM (VALUES ('one', NULL::timestamptz, NULL::timestamptz), ('two', '2026-03-02 06:01Z', NULL),
                              ('three', NULL, '2026-03-03 07:00Z')) AS rows (title, sent, given_up)"""
        )
    listed = seats("alerts", "list").out
    assert [state for state in ("given up", "sent 2026-03-02 06:01 UTC", "waits for try 3") if state in listed] == [
        "given up",
        "sent 2026-03-02 06:01 UTC",
        "waits for try 3",
    ]
    assert [one["title"] for one in seats.ok("alerts", "list", "--limit=2")["alerts"]] == ["three", "two"]
