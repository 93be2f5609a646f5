"""What a new verdict does to a candidate that is already open.

Unknown changes nothing. A candidate that waits for a person's decision about a removal (its outcome unknown, or
refused) stays with that person: no verdict makes it ready again.
"""

from dataclasses import dataclass

from messages.events import CandidateState
from rules.verdict import Verdict

UNKNOWN = frozenset({"stale", "not_covered", "no_source"})
"""Reasons to keep that only say what is not known."""
WAITS_FOR_A_PERSON = frozenset({"outcome_unknown", "refused"})


@dataclass(frozen=True, slots=True)
class Open:
    """An open candidate: its state, and the reason that brought it there."""

    state: CandidateState
    reason: str


def next_state(candidate: Open, verdict: Verdict) -> CandidateState | None:
    """Return the state that the verdict brings the candidate to; None where it stays."""
    if candidate.state not in {"ready", "attention_required"} or verdict.reason in UNKNOWN:
        return None
    if verdict.outcome == "keep":
        return "closed_canceled" if verdict.reason == "active" else "closed_skipped"
    if candidate.reason in WAITS_FOR_A_PERSON or verdict.outcome == candidate.state:
        return None
    return verdict.outcome
