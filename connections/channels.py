"""The ways on which somebody is told: mail, Slack, Teams, a webhook, and whatever else Apprise's addresses can name.

An address holds secrets, so none of it is ever shown: a channel is told by its number and kind. Apprise's own log lines
repeat addresses, and are switched off. Each call has a thread of its own that no end of the process waits for, since a
receiver may be deaf for longer than anybody can wait.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from apprise import Apprise, AppriseAsset
from apprise.utils.parse import parse_urls

LONGEST_CALL = 20.0
"""Seconds that all channels together get for one message."""


class AddressUnfit(Exception):
    """One of the addresses is none that can be told something; the sentence shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message at one channel; `trouble` is None where it was taken."""

    channel: str
    trouble: str | None


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    apprise: Apprise


class Channels:
    """All of them."""

    def __init__(self, addresses: str) -> None:
        """Take Apprise's addresses, separated by blanks or commas; AddressUnfit for one that it does not know."""
        _be_silent()
        found = [str(one) for one in parse_urls(addresses)]  # type: ignore[no-untyped-call]  # Apprise types itself in part
        self._channels = [_channel(number, len(found), address) for number, address in enumerate(found, 1)]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._channels)

    async def tell(self, title: str, body: str, *, within: float = LONGEST_CALL) -> list[Told]:
        """Send a message by every channel at once; return what became of it at each, after `within` seconds at most."""
        answers = [self._begin(channel, title, body) for channel in self._channels]
        if answers:
            await asyncio.wait(answers, timeout=within)
        return [_told(channel, answer, within) for channel, answer in zip(self._channels, answers, strict=True)]

    @staticmethod
    def _begin(channel: _Channel, title: str, body: str) -> "asyncio.Future[bool]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def settle(taken: bool) -> None:  # noqa: FBT001 - called by the loop
            if not answer.done():
                answer.set_result(taken)

        def call() -> None:
            taken = _send(channel.apprise, title, body)
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, taken)

        threading.Thread(target=call, name=f"channel-{channel.name}", daemon=True).start()
        return answer


def _channel(number: int, of: int, address: str) -> _Channel:
    # Not in Apprise's own pool of threads: the end of the process would wait for it.
    apprise = Apprise(asset=AppriseAsset(app_id="Seatkeeper", app_desc="Seatkeeper", app_url="", async_mode=False))
    if not apprise.add(address) or len(apprise) != 1:
        raise AddressUnfit(f"address {number} of {of} is none that Apprise knows (its service, or a part of it)")
    return _Channel(f"{number} ({apprise[0].service_name})", apprise)


def _send(apprise: Apprise, title: str, body: str) -> bool:
    try:
        return bool(apprise.notify(title=title, body=body))
    except Exception:  # noqa: BLE001 - whatever a channel stumbles over, the others go on, and its words may hold secrets
        return False


def _told(channel: _Channel, answer: "asyncio.Future[bool]", within: float) -> Told:
    if not answer.done():
        answer.cancel()
        return Told(channel.name, f"no answer within {within:g} seconds")
    return Told(channel.name, None if answer.result() else "it was refused, or nobody was there")


def taken(told: Sequence[Told]) -> bool:
    """Return whether any channel took the message."""
    return any(one.trouble is None for one in told)


def _be_silent() -> None:
    for name in ("apprise", "urllib3", "requests_oauthlib", "oauthlib"):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
