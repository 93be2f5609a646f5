"""How much memory each process of the demo held at most, and the limit that it must stay under."""

from dataclasses import dataclass

from sandbox.demo.checks import Check
from sandbox.stack import PROCESSES, Stack
from workers.operations import peak_memory

LIMIT = 300_000_000
"""Bytes that no process may reach: 300 MB."""
NOT_KNOWN = "not known here"


@dataclass(frozen=True)
class Peak:
    """The most memory that a process held at once, of all its lives; `bytes` is None where the system does not tell."""

    process: str
    bytes: int | None

    @property
    def holds(self) -> bool | None:
        """Whether it stayed under the limit; None where that is not known."""
        return None if self.bytes is None else self.bytes < LIMIT


def measure(stack: Stack) -> list[Peak]:
    """Read the peaks of everything that runs, of the largest `./seats` so far, and of ourselves."""
    return [
        *(Peak(name, stack.supervisor.peak_memory(name)) for name in PROCESSES),
        Peak("Asana look-alike", stack.supervisor.peak_memory("asana")),
        Peak("the largest ./seats", stack.largest_command.bytes),
        Peak("the demo itself", peak_memory()),
    ]


def check_of(peaks: list[Peak]) -> Check:
    """Make a check of it: nobody is at the limit or over it."""
    return Check(f"processes that held {LIMIT // 1_000_000} MB or more", sum(one.holds is False for one in peaks), 0)


def megabytes(amount: int) -> str:
    """Return bytes as megabytes (millions of bytes), rounded up."""
    return f"{-(-amount // 1_000_000):,}"
