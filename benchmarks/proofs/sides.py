"""The kinds of organization that a proof goes through: its plan, its credentials, and the evidence of its rule."""

from dataclasses import dataclass
from datetime import timedelta

from rules.evidence import AsanaPlan, Evidence


@dataclass(frozen=True, slots=True)
class Side:
    """One way of being connected.

    `goal`: the share of the idle that has to be found; None where it is only told. `look_back`: how far before its
    publishing the profile analyzes activity.
    """

    name: str
    plan: AsanaPlan
    evidence: Evidence = "work"
    with_service_account: bool = False
    with_export: bool = False
    goal: float | None = None
    look_back: timedelta = timedelta(days=240)


SIDES = (
    Side("free", "free"),
    Side("paid, OAuth", "advanced", goal=0.6),
    Side("paid, 60 days back", "advanced", look_back=timedelta(days=60)),
    Side("audit log", "enterprise", "any_use", with_service_account=True, goal=0.95),
    Side("member export", "free", "any_use", with_export=True, goal=0.95),
    Side("all of them", "enterprise", "any_use", with_service_account=True, with_export=True, goal=0.95),
)
