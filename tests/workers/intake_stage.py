"""Somebody who drops messages, and a session of the intake that takes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pika

from messages.routing import REQUESTS_QUEUE
from tests.conftest import Vhosts
from workers.entry import Session, Trouble, keep_going


@contextlib.asynccontextmanager
async def running(session: Session, trouble: Trouble) -> AsyncIterator[None]:
    """Keep a session going while the block runs, as its process does."""
    stop = asyncio.Event()
    going = asyncio.create_task(keep_going(stop, "test", session, trouble))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await going


class Sender:
    """An operations person with plain pika."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()

    def drop(self, *bodies: bytes, queue: str = REQUESTS_QUEUE) -> None:
        for one in bodies:
            self._channel.basic_publish("", queue, one)

    def close(self) -> None:
        self._connection.close()


async def queue_is_empty(vhosts: Vhosts, vhost: str) -> bool:
    depths = await asyncio.to_thread(vhosts.rabbitmq.queue_depths, vhost)
    return not any(depths.values())
