"""How long one message takes on an idle relay: from the commit of its row to its delivery to a consumer."""

import asyncio
import random
import time
from datetime import UTC, datetime

import pika

from benchmarks.relay_stage import CORRELATION, OWNER, PATIENCE, QUEUE, Stage, event_of
from messages.routing import EVENTS_EXCHANGE
from store import outbox
from store.connect import Connection, open_connection
from workers import amqp

QUIET = (0.015, 0.035)
"""Seconds between two messages: long enough for the relay to mark the last one and to fall idle."""
WARM_UP = 10


def through_the_relay(stage: Stage, number: int) -> list[float]:
    """Commit one event after another; give the seconds from each commit to its delivery. The relay must be running."""
    return asyncio.run(_measure(stage, number, through_the_outbox=True))


def straight(stage: Stage, number: int) -> list[float]:
    """Publish one body after another with pika; give the seconds from each publish to its delivery."""
    return asyncio.run(_measure(stage, number, through_the_outbox=False))


async def _measure(stage: Stage, number: int, *, through_the_outbox: bool) -> list[float]:
    admin = pika.URLParameters(stage.services.rabbitmq.admin_url).credentials.username
    stop, took = asyncio.Event(), []
    async with (
        amqp.connect(stage.url(admin, stage.edge), name="benchmark") as broker,
        open_connection(stage.services.postgres.url(OWNER, stage.database)) as connection,
    ):
        channel = await broker.channel(prefetch=100)
        deliveries = broker.deliveries(channel, QUEUE, stop)
        for count in range(number + WARM_UP):
            began = await _say(connection, count) if through_the_outbox else _publish(channel)
            async with asyncio.timeout(PATIENCE):
                delivery = await anext(deliveries)
            took.append(time.perf_counter() - began)
            channel.basic_ack(delivery.tag)
            await asyncio.sleep(random.uniform(*QUIET))
    return took[WARM_UP:]


async def _say(connection: Connection, count: int) -> float:
    event, _, _ = event_of(2 * count)
    now = datetime.now(UTC)
    await outbox.say(
        connection, event, subject="subscription/latency", profile_id=1, correlation_id=CORRELATION, now=now
    )
    return time.perf_counter()


def _publish(channel: "pika.channel.Channel") -> float:
    properties = pika.BasicProperties(delivery_mode=2)
    began = time.perf_counter()
    channel.basic_publish(EVENTS_EXCHANGE, "acme.Benchmark", b"x" * 600, properties)
    return began
