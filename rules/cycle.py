"""The order of a day: which step follows which, and what happens to the followers of a step that failed.

    download ─┬─> activity ──> candidates ──> reclaim
              └─> reconcile

A follower runs only when the step before it *finished* in this very cycle. Otherwise it ends as "not run", and says
why: a candidate found from half a download is the accident that this product exists to prevent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from messages.kinds import STEP_KINDS, StepKind

FIRST: StepKind = "download"
AFTER: dict[StepKind, StepKind] = {
    "activity": "download",
    "reconcile": "download",
    "candidates": "activity",
    "reclaim": "candidates",
}
"""Each step after the first, and the one that it needs."""

NOTHING_OFF: Mapping[StepKind, str] = MappingProxyType({})
ENDED = frozenset({"finished", "failed", "coalesced", "not_run"})


@dataclass(frozen=True)
class Next:
    """What a cycle does now: steps to start, steps that will not run (and why), and whether it is over."""

    start: tuple[StepKind, ...]
    not_run: tuple[tuple[StepKind, str], ...]
    over: bool


def next_steps(states: Mapping[StepKind, str], off: Mapping[StepKind, str] = NOTHING_OFF) -> Next:
    """Decide from the states of the steps that exist (`run.state`); steps that were not made yet are missing.

    `off` has the steps that the profile's switches forbid, each with why.
    """
    start: list[StepKind] = [] if FIRST in states else [FIRST]
    not_run: list[tuple[StepKind, str]] = []
    for step, needed in AFTER.items():
        state = states.get(needed)
        if step in states or state not in ENDED:
            continue
        if step in off:
            not_run.append((step, f"not run: {off[step]}"))
        elif state == "finished":
            start.append(step)
        else:
            not_run.append((step, f"not run: {needed} {_words(state)}"))
    over = len(states) == len(STEP_KINDS) and all(state in ENDED for state in states.values())
    return Next(tuple(start), tuple(not_run), over)


def _words(state: str) -> str:
    return {
        "failed": "incomplete",
        "coalesced": "was already under way outside of this cycle",
        "not_run": "was not run",
    }[state]
