"""The last moment before a removal leaves this process, and whether a byte of it may have left.

A process can sleep anywhere: in the garbage collector, under SIGSTOP, while a connection opens. So the clock is read
twice: before the request is given to httpx, and again by httpcore's `trace` extension, immediately before the first
byte is written. What remains is the time between that reading and the write.
"""

import time
from collections.abc import Mapping

from asana_api.errors import TooLate


class CallWindow:
    """Open until `call_before` on time.monotonic(). Pass it as httpcore's `trace` extension."""

    def __init__(self, call_before: float, call: str) -> None:
        self._call_before, self._call = call_before, call
        self._connecting, self._sending = False, False

    def seconds_left(self) -> float:
        """How long the call may take; TooLate if the window has passed."""
        left = self._call_before - time.monotonic()
        if left <= 0:
            raise TooLate("the time allowed for this call has passed", call=self._call)
        return left

    async def __call__(self, event: str, _info: Mapping[str, object]) -> None:
        """Follow httpcore's events, and refuse at the last of them before a byte is written."""
        if event.endswith(".send_request_headers.started"):
            self.seconds_left()
            self._sending = True
        self._connecting = True

    @property
    def certainly_unsent(self) -> bool:
        """True only if httpcore was seen at work and had not begun to write."""
        return self._connecting and not self._sending
