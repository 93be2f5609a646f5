"""Waiting for what another process or server brings about in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(is_so: Callable[[], Awaitable[object]], within: float = 15.0) -> bool:
    """Return whether it became so within so many seconds; asks again every 20 ms."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if await is_so():
            return True
        await asyncio.sleep(0.02)
    return False
