"""What every event has: a payload that refuses what it does not know."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

CandidateState = Literal[
    "attention_required",
    "ready",
    "awaiting_user",
    "awaiting_approval",
    "awaiting_revocation",
    "closed_complete",
    "closed_skipped",
    "closed_canceled",
]
SoftwareModel = Literal["member", "view_only", "guest"]


class Event(BaseModel):
    """The payload of one event; the class's name is the event's type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: ClassVar[int] = 1
