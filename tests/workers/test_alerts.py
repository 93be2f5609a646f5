"""Alerts: each thing is told once, to real receivers, whatever they do, and the schedules never wait for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from connections.channels import AddressUnfit, Channels
from messages.events import ConnectionLost, RunFailed
from settings import Settings, SettingsUnfit
from store import alerts, outbox
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.eventually import eventually
from tests.receivers import SECRET, Webhook, deaf, mailbox, webhook
from tests.rows import NOW, add_profile, count
from workers.alerts import APART, Alerts, raise_alerts
from workers.scheduler import Scheduler, compose
from workers.waiting import first_of

pytestmark = [pytest.mark.anyio, pytest.mark.services]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("scheduler")) as connection:
        yield connection


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with webhook() as one:
        yield one


@pytest.fixture
def telling(database: Database, receiver: Webhook) -> Alerts:
    return Alerts(database.url("scheduler"), Channels(receiver.address).tell)


async def fail(owner: Connection, profile_id: int, now: datetime = NOW, *, reason: str = "Zoe Zander wept") -> None:
    """Say that a download failed; the reason has a name in it."""
    run = uuid4()
    failed = RunFailed(run_id=run, kind="download", profile="acme", cycle_id=None, counts={}, reason=reason)
    await outbox.say(owner, failed, subject=f"run/{run}", profile_id=profile_id, correlation_id=run, now=now)


async def lose(owner: Connection, now: datetime = NOW) -> None:
    lost = ConnectionLost(connection="acme", reason="Asana answered 401")
    await outbox.say(owner, lost, subject="connection/acme", profile_id=None, correlation_id=uuid4(), now=now)


async def test_a_failed_run_is_told_once_with_what_to_do_and_nobody_s_name(
    owner: Connection, acme: int, connection: Connection, telling: Alerts, receiver: Webhook
) -> None:
    await fail(owner, acme)
    assert await telling.look(connection, NOW) == 1
    assert await telling.look(connection, NOW + 2 * MINUTE) == 0
    (told,) = receiver.got
    assert told["title"] == "Seatkeeper: download of profile acme failed"
    assert "Since: 2026-03-02 06:00 UTC\nWhat to do: ./seats runs show " in told["message"]
    assert "Zoe" not in told["message"]


async def test_a_lost_connection_is_told_with_its_alias(
    owner: Connection, connection: Connection, telling: Alerts, receiver: Webhook
) -> None:
    await lose(owner)
    assert await telling.look(connection, NOW) == 1
    assert receiver.got[0]["message"].endswith("What to do: ./seats connect acme")


async def test_an_event_that_is_committed_late_is_told_and_one_of_last_week_is_not(
    owner: Connection, acme: int, connection: Connection, telling: Alerts, receiver: Webhook, database: Database
) -> None:
    async with open_connection(database.owner_url) as late:
        async with late.transaction():
            await fail(late, acme)  # has the lower id
            await lose(owner)
            assert await telling.look(connection, NOW) == 1
        await fail(owner, acme, NOW - 7 * DAY)
        assert await telling.look(connection, NOW + MINUTE) == 1
    assert [one["title"].split()[-1] for one in receiver.got] == ["more", "failed"]


async def test_a_refused_alert_is_tried_again_with_growing_pauses_until_it_is_taken(
    owner: Connection, acme: int, connection: Connection, telling: Alerts, receiver: Webhook
) -> None:
    await fail(owner, acme)
    receiver.status = 500
    tried = [minute for minute in range(20) if await tries_at(telling, connection, NOW + minute * MINUTE)]
    assert tried == [0, 1, 3, 7, 15]
    receiver.status = 200
    assert await telling.look(connection, NOW + 31 * MINUTE) == 1
    assert len(receiver.got) == 1
    assert await alerts.count(connection) == {"waiting": 0, "sent": 1, "given_up": 0}


async def tries_at(telling: Alerts, connection: Connection, now: datetime) -> bool:
    before = [one.tries for one in await alerts.newest(connection, 1)]
    await telling.look(connection, now)
    return [one.tries for one in await alerts.newest(connection, 1)] != before


async def test_an_alert_is_given_up_after_a_day(
    owner: Connection, acme: int, connection: Connection, telling: Alerts, receiver: Webhook
) -> None:
    await fail(owner, acme)
    receiver.status = 500
    await telling.look(connection, NOW)
    receiver.status = 200
    await telling.look(connection, NOW + DAY + MINUTE)
    (one,) = [one for one in await alerts.newest(connection, 9) if one.kind == "RunFailed"]
    assert one.given_up_at == NOW + DAY + MINUTE
    assert one.trouble == "channel 1 (JSON): it was refused, or nobody was there"
    assert receiver.got == []


async def test_one_that_no_scheduler_was_there_to_try_is_told_later(
    owner: Connection, acme: int, connection: Connection, telling: Alerts
) -> None:
    await fail(owner, acme)
    await raise_alerts(connection, NOW)
    assert await telling.look(connection, NOW + DAY + HOUR) == 1


async def test_two_schedulers_tell_nothing_twice(
    owner: Connection, acme: int, database: Database, receiver: Webhook
) -> None:
    for _ in range(10):
        await fail(owner, acme)
    channels = Channels(receiver.address)
    copies = [Alerts(database.url("scheduler"), channels.tell) for _ in range(4)]
    async with (
        open_connection(database.url("scheduler")) as first,
        open_connection(database.url("scheduler")) as second,
        open_connection(database.url("scheduler")) as third,
        open_connection(database.url("scheduler")) as fourth,
    ):
        looks = zip(copies, (first, second, third, fourth), strict=True)
        told = await asyncio.gather(*(copy.look(connection, NOW) for copy, connection in looks))
    assert sorted(told) == [0, 0, 0, 10]
    assert [one["title"] for one in receiver.got] == ["Seatkeeper: 10 alerts"]


async def test_what_one_scheduler_is_taking_another_leaves_to_it(
    owner: Connection, acme: int, connection: Connection, database: Database
) -> None:
    await fail(owner, acme)
    await raise_alerts(connection, NOW)
    async with open_connection(database.url("scheduler")) as other:
        await other.execute("SET lock_timeout = '1s'")
        async with connection.transaction():
            assert len(await alerts.take(connection, NOW, apart=APART)) == 1
            assert await alerts.take(other, NOW, apart=APART) == []
        assert await alerts.take(other, NOW, apart=APART) == []


async def test_a_storm_is_two_messages_and_another_scheduler_sends_no_third(
    owner: Connection, acme: int, connection: Connection, telling: Alerts, receiver: Webhook, database: Database
) -> None:
    await fail(owner, acme)
    for second in range(0, 60, 5):
        await telling.look(connection, NOW + timedelta(seconds=second))
        for _ in range(3):
            await fail(owner, acme)
    await lose(owner)
    await telling.look(connection, NOW + APART)
    first, second_one = receiver.got
    assert first["title"] == "Seatkeeper: download of profile acme failed"
    assert second_one["title"] == "Seatkeeper: 37 alerts"
    assert second_one["message"].startswith("Seatkeeper: Asana does not accept the connection acme")
    assert second_one["message"].endswith("And 27 more: ./seats alerts list --limit 37")
    another = Alerts(database.url("scheduler"), Channels(receiver.address).tell)
    await fail(owner, acme)
    assert [await another.look(connection, NOW + times * APART) for times in (1.5, 2)] == [0, 1]


async def test_tries_are_a_minute_apart_where_no_channel_takes_them(
    owner: Connection, acme: int, connection: Connection, telling: Alerts, receiver: Webhook
) -> None:
    receiver.status = 500
    for times in (0, 0.5):
        await fail(owner, acme)
        await telling.look(connection, NOW + times * APART)
    assert [one.tries for one in await alerts.newest(connection, 2)] == [0, 1]


async def test_old_coverage_is_told_once_and_again_each_day_that_it_lasts(
    owner: Connection, acme: int, connection: Connection
) -> None:
    hours = [hour for hour in range(24, 110) if await raise_alerts(connection, NOW + hour * HOUR + MINUTE)]
    assert hours == [36, 60, 84, 108]
    await owner.execute(
        """INSERT INTO run (profile_id, kind, state, correlation_id, requested_by, created_at, started_at,
                  ended_at, reason) SELECT %s, kind, state, gen_random_uuid(), 'ann', at, at, at, 'why' FROM (VALUES
          ('activity', 'finished', %s), ('activity', 'failed', %s), ('download', 'finished', %s)) r(kind, state, at)""",
        [acme, *(NOW + hour * HOUR for hour in (110, 115, 120))],
    )
    assert [hour for hour in range(111, 170) if await raise_alerts(connection, NOW + hour * HOUR)] == [147]
    assert (await alerts.newest(connection, 1))[0].title.endswith("profile acme was not read for 37 hours")


@pytest.mark.parametrize("change", ["activity_enabled = false", "status = 'draft'"])
async def test_old_coverage_is_no_matter_where_nothing_is_to_be_read(
    owner: Connection, acme: int, connection: Connection, change: str
) -> None:
    await owner.execute(f"UPDATE profile SET {change}".encode())
    assert await raise_alerts(connection, NOW + 9 * DAY) == 0


async def test_a_message_goes_by_mail_and_by_what_else_there_is(
    owner: Connection, acme: int, connection: Connection, database: Database, receiver: Webhook
) -> None:
    await fail(owner, acme)
    receiver.status = 500
    async with mailbox() as mail:
        telling = Alerts(database.url("scheduler"), Channels(f"{receiver.address}, {mail.address}").tell)
        assert await telling.look(connection, NOW) == 1
    assert "Subject: Seatkeeper: download of profile acme failed" in mail.got[0]
    (one,) = await alerts.newest(connection, 1)
    assert (one.sent_at, one.trouble) == (NOW, "channel 1 (JSON): it was refused, or nobody was there")


async def test_a_deaf_receiver_holds_up_neither_the_others_nor_the_schedules(
    owner: Connection, acme: int, database: Database, receiver: Webhook
) -> None:
    await fail(owner, acme)
    with deaf() as address:
        channels = Channels(f"{address} {receiver.address}")
        (silent, well) = await channels.tell("title", "body", within=0.3)
        assert (silent.trouble, well.trouble) == ("no answer within 0.3 seconds", None)

        telling = Alerts(database.url("scheduler"), channels.tell, clock=lambda: NOW)
        scheduler = Scheduler(database.url("scheduler"), recovery_after=MINUTE, every=0.01)
        stop = asyncio.Event()

        scheduler.ticked.listen()

        async def has_it() -> bool:
            return len(receiver.got) == 2

        async def three_ticks_while_it_waits() -> None:
            assert await eventually(has_it)  # the other channel has it; the deaf one is waited for
            for _ in range(3):
                await scheduler.ticked.next()
            assert await count(owner, "alert WHERE sent_at IS NULL AND tries = 1") == 1

        await first_of(telling.session(stop), scheduler.session(stop), three_ticks_while_it_waits())


async def test_no_secret_of_a_channel_is_in_a_log_line_an_error_or_a_row(
    owner: Connection, acme: int, connection: Connection, receiver: Webhook, caplog: pytest.LogCaptureFixture,
    database: Database, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    nobody = f"slack://{SECRET}A/{SECRET}B/{SECRET}C/ nosuchservice://{SECRET}"
    with pytest.raises(AddressUnfit, match="address 3 of 3 is none that Apprise knows") as refused:
        Channels(f"{receiver.address} {nobody}")
    await fail(owner, acme)
    receiver.status = 500
    gone = f"json://user:{SECRET}@127.0.0.1:1/{SECRET}"
    await Alerts(database.url("scheduler"), Channels(f"{receiver.address} {gone}").tell).look(connection, NOW)
    (one,) = await alerts.newest(connection, 1)
    said = capfd.readouterr()
    assert one.trouble
    assert SECRET not in f"{caplog.text}{caplog.records}{refused.value}{one.trouble}{said.out}{said.err}"


def test_without_channels_nothing_is_written_down() -> None:
    url = "postgresql://seatkeeper_scheduler@127.0.0.1/seatkeeper"
    for words in (None, "none"):
        parts = compose(Settings.model_validate({"database_url": url, "alert_urls": words}))
        assert (list(parts.sessions), parts.collect) == (["schedules"], None)
    with_channels = compose(Settings.model_validate({"database_url": url, "alert_urls": "json://127.0.0.1:1"}))
    assert list(with_channels.sessions) == ["schedules", "alerts"]
    with pytest.raises(SettingsUnfit, match=r"^SEATKEEPER_ALERT_URLS: address 1 of 1 is none that Apprise knows") as no:
        compose(Settings.model_validate({"database_url": url, "alert_urls": f"nosuch://{SECRET}"}))
    assert SECRET not in str(no.value)


async def test_the_scheduler_may_tell_and_not_take_back(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await connection.execute("DELETE FROM alert")
