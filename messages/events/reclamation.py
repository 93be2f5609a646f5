"""Events of reclamation: candidates, plans and removals."""

from datetime import datetime
from typing import Literal

from messages.events.base import CandidateState, Event
from messages.events.subscriptions import OfSubscription


class _OfCandidate(OfSubscription):
    candidate_id: int


class CandidateFound(_OfCandidate):
    """A subscription met the reclamation rule, or nothing is known of it and an operator should look."""

    state: CandidateState
    why: str


class CandidateChanged(_OfCandidate):
    """A candidate went from one state to another."""

    state_from: CandidateState
    state_to: CandidateState
    by: str
    why: str


class _OfPlan(Event):
    profile: str
    plan: str


class PlanMade(_OfPlan):
    """A dry run was written: who would be removed and why. It removes nobody."""

    people: int
    made_by: str
    expires_at: datetime


class PlanApproved(_OfPlan):
    """An operator approved exactly the plan with this hash."""

    approved_by: str


class PlanExpired(_OfPlan):
    """A plan was not carried out in time and cannot be any more."""


class SubscriptionReclaimed(OfSubscription):
    """The person was removed, and a reading after it showed them gone."""

    plan: str
    removal_id: int
    removed_at: datetime
    last_look_at: datetime


class ReclaimFailed(OfSubscription):
    """A removal was refused, or its outcome is unknown and a person has to decide; it is never repeated by itself."""

    plan: str
    removal_id: int | None
    outcome: Literal["refused", "unknown"]
    reason: str
