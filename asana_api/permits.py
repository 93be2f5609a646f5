"""Leave to ask: the budget that every process of one credential shares. The real one lives in the store."""

from typing import Literal, Protocol

Kind = Literal["read", "write"]


class Permits(Protocol):
    """What the client needs to know of a rate limit."""

    async def take(self, kind: Kind) -> None:
        """Return when one more request may be sent. A request that is rejected counts too."""

    async def slow_down(self, retry_after: float) -> None:
        """Asana said 429: nobody with this credential asks anything for `retry_after` seconds."""


class NoLimits:
    """Every request may go at once: for tests, the sandbox and a person's own questions."""

    async def take(self, kind: Kind) -> None:
        """Allow it."""

    async def slow_down(self, retry_after: float) -> None:
        """Forget it: the caller sees RateLimited all the same."""
