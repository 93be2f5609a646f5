"""Actors: a coroutine for each command, declared where it is written and registered on a broker at start.

    @actor(DownloadSubscriptions, throws=(OrganizationGone,))
    async def download_subscriptions(command: DownloadSubscriptions) -> None: ...

    register(broker, [download_subscriptions])

Declaring needs no broker, so importing an actor connects to nothing, and a test calls it like any coroutine function.
The actor's name and queue are the command's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import dramatiq
from dramatiq.broker import Broker

from messages.commands import Command

LONGEST_SLICE = 120.0
"""Seconds: twice what a slice may plan for, far less than the 30 minutes after which RabbitMQ delivers it again."""

C = TypeVar("C", bound=Command)


@dataclass(frozen=True)
class DeclaredActor(Generic[C]):
    """A coroutine function and the command that it carries out."""

    command: type[C]
    carry_out: Callable[[C], Awaitable[None]]
    throws: tuple[type[BaseException], ...]
    longest_slice: float

    async def __call__(self, command: C) -> None:
        """Carry the command out, or raise TimeoutError when it takes longer than `longest_slice` seconds."""
        async with asyncio.timeout(self.longest_slice):
            await self.carry_out(command)


def actor(
    command: type[C], *, throws: tuple[type[BaseException], ...] = (), longest_slice: float = LONGEST_SLICE
) -> Callable[[Callable[[C], Awaitable[None]]], DeclaredActor[C]]:
    """Declare the coroutine function below as the actor of `command`.

    What it raises is retried with back-off, except `throws`, which dead-letters the message at once; both end in the
    broker's `on_giving_up`. It gets `longest_slice` seconds, by asyncio's own timeout: Dramatiq's TimeLimit raises
    inside the worker thread instead, at any instruction.
    """
    return lambda carry_out: DeclaredActor(command, carry_out, throws, longest_slice)


def register(broker: Broker, actors: Iterable[DeclaredActor[Any]]) -> None:
    """Make `broker` know the actors and their queues. ValueError if one is registered twice."""
    for declared in actors:
        declare = dramatiq.actor(
            broker=broker,
            actor_name=declared.command.actor,
            queue_name=declared.command.queue,
            throws=declared.throws,
        )
        declare(_reading_command(declared))


def _reading_command(declared: DeclaredActor[C]) -> Callable[..., Awaitable[None]]:
    async def carry_out(**fields: object) -> None:
        await declared(declared.command.model_validate(fields))

    return carry_out
