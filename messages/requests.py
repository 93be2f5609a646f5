"""Requests: plain JSON that anyone with the right to publish drops on the queue `seatkeeper.requests`.

The reader trusts nothing: size before parsing, duplicate keys, NaN, NUL, depth, types, extra keys. What it refuses, it
refuses with one sentence that says what to mend.
"""

import json
import re
from typing import Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from messages.errors import MessageError, RequestError
from messages.kinds import RunKind
from messages.strict_json import read_object

PROFILE_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
LARGEST_BODY = 64 * 1024
"""Bytes."""


class Request(BaseModel):
    """A wish for one run. The same id again is harmless; the same id with another body is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    kind: RunKind
    profile: str = Field(pattern=PROFILE_NAME.pattern)
    requested_by: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    at: AwareDatetime | None = None
    """Not before this moment; now when it is missing."""
    plan: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """The hash of the approved plan that a `reclaim` carries out."""

    @model_validator(mode="after")
    def _plan_goes_with_reclaim(self) -> Self:
        if (self.kind == "reclaim") != (self.plan is not None):
            sentence = "a reclaim request names the hash of an approved plan, and no other kind does"
            raise ValueError(sentence)
        return self


def read_request(body: bytes) -> Request:
    """Return the request in `body`, or raise RequestError with the reason in one sentence."""
    fields = _read_object(body)
    claimed_id = _claimed_id(fields)
    try:
        return Request.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise RequestError(_sentence(error), claimed_id, _claimed_profile(fields)) from None
    except RecursionError:  # writing may reach less deep than reading
        raise RequestError("the body is nested too deeply", claimed_id) from None


def _read_object(body: bytes) -> dict[str, object]:
    try:
        return read_object(body, largest=LARGEST_BODY)
    except MessageError as error:
        raise RequestError(str(error)) from None


def _claimed_id(fields: dict[str, object]) -> str | None:
    claimed = fields.get("id")
    try:
        return str(UUID(claimed)) if isinstance(claimed, str) else None
    except ValueError:
        return None


def _claimed_profile(fields: dict[str, object]) -> str | None:
    profile = fields.get("profile")
    return profile if isinstance(profile, str) and PROFILE_NAME.fullmatch(profile) else None


def _sentence(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False)[:3]:
        where = ".".join(str(part)[:60] for part in problem["loc"])
        words = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{where}: {words}" if where else words)
    return "; ".join(parts)
