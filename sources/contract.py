"""The contract of a source of activity: given people and a window, what it found, and what it saw completely for whom.

A source is one module here. It declares in `rules.evidence` which acts it sees and whose private work, asks Asana (or
reads a file), and answers with findings. Three promises hold for each of them:
- a window is claimed only after every page of every answer about it came whole; else the person has a trouble instead;
- an act carries its proof, the place where anybody can look it up;
- TryLater and NotAuthorized are raised, since they say nothing about a person; any other refusal is that person's
  trouble, and no one else's.
"""

from dataclasses import dataclass, field
from datetime import datetime

from rules.evidence import Source


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody to ask about: their acts since `since`, of which one at `best_known` is known already (both aware)."""

    user_gid: str
    since: datetime
    best_known: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One act: who, when (aware), what in Asana's own words (`task_created`, `comment_added`, ...), and its proof."""

    user_gid: str
    at: datetime
    act: str
    proof: str


@dataclass(slots=True)
class Findings:
    """What a source answered. Whoever is neither in `covered` nor in `troubles` was not asked about."""

    source: Source
    acts: list[Found] = field(default_factory=list)
    covered: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """By gid, the window that was seen completely (both ends aware)."""
    troubles: dict[str, str] = field(default_factory=dict)
    """By gid, a sentence on why nothing is claimed."""
