"""Leave to ask: the budget that every process of one credential shares. The real one lives in the store."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Literal, Protocol

Kind = Literal["read", "write", "search"]


class Held(Protocol):
    """A place among the requests in flight."""

    async def confirm(self) -> None:
        """Return when the place is certainly held for as long as a call can take: the last thing before sending."""


class Permits(Protocol):
    """What the client needs to know of a rate limit."""

    def in_flight(self, kind: Kind) -> AbstractAsyncContextManager[Held]:
        """Wait for a place among the requests in flight, and hold it until the block ends."""

    async def take(self, kind: Kind) -> None:
        """Return when one more request may be sent. A request that is rejected counts too."""

    async def slow_down(self, retry_after: float, kind: Kind) -> None:
        """Asana said 429 to such a request: nobody with this credential asks anything for `retry_after` seconds."""


class NoLimits:
    """Every request may go at once: for tests, the sandbox and a person's own questions."""

    def in_flight(self, kind: Kind) -> AbstractAsyncContextManager[Held]:  # noqa: ARG002 - the protocol's word
        """Allow it."""
        return nullcontext(self)

    async def confirm(self) -> None:
        """Allow it."""

    async def take(self, kind: Kind) -> None:
        """Allow it."""

    async def slow_down(self, retry_after: float, kind: Kind) -> None:
        """Forget it: the caller sees RateLimited all the same."""
