"""What an answer other than 200 means: one of the errors, chosen by status and by Asana's own words."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asana_api.errors import (
    AsanaError,
    BadAnswer,
    Forbidden,
    ListingCut,
    NotAuthorized,
    NotThere,
    NotUnderstood,
    OutcomeUnknown,
    PlanTooLow,
    RateLimited,
    RestartListing,
    ServerTrouble,
)
from asana_api.sending import Answer, Call

LONGEST_WAIT = 900.0
"""Seconds. Nobody waits longer for a 429 than a retry may be put off."""

_USUAL_WAIT = 30.0
_LIKE_A_TOKEN = re.compile(r"(?<![\w/+.=-])(?=[\w/+.=-]*[0-9])(?=[\w/+.=-]*[A-Za-z])[\w/+.=-]{20,}")
"""Twenty and more characters without a space, letters and digits among them. (A gid has no letters.)"""
_ADDRESS = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+")
_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u1fff\u2010-\u2027\u2030-\ud7ff]+")

_CERTAIN = frozenset({400, 401, 402, 403, 404, 429})
_BY_STATUS: dict[int, type[AsanaError]] = {402: PlanTooLow, 403: Forbidden, 404: NotThere}


class _Complaint(BaseModel):
    model_config = ConfigDict(strict=True)
    message: str


class _Complaints(BaseModel):
    model_config = ConfigDict(strict=True)
    errors: list[_Complaint] = Field(min_length=1)


def refusal(answer: Answer, call: Call, *secrets: str) -> AsanaError:
    """The error that an answer other than 200 stands for.

    A 400, 402, 403 or 404 is believed only in Asana's own form: a gateway's "not found" page is a BadAnswer.
    401, 429 and 5xx are believed in any form, since the careful thing to do is the same.
    """
    status, said = answer.status, complaint(answer.body, *secrets)
    if status == 429:
        wait = seconds_to_wait(answer.headers.get("retry-after"))
        return RateLimited(call=call.name, said=said or "", retry_after=wait)
    if status == 401:
        return NotAuthorized(call=call.name, status=status, said=said or "")
    if status >= 500:
        return ServerTrouble(call=call.name, status=status, said=said or "")
    if said is None or not 400 <= status < 500:
        return BadAnswer("neither an answer nor a refusal of Asana's", call=call.name, status=status)
    if status == 400:
        return _malformed(said, paging=call.paging)(call=call.name, status=status, said=said)
    return _BY_STATUS.get(status, NotUnderstood)(call=call.name, status=status, said=said)


def certain_refusal(answer: Answer, call: Call, *secrets: str) -> AsanaError:
    """The same for a change: the matching error if Asana certainly refused it, in its own form; else OutcomeUnknown."""
    said = complaint(answer.body, *secrets)
    if answer.status in _CERTAIN and said is not None:
        return refusal(answer, call, *secrets)
    return OutcomeUnknown(call=call.name, status=answer.status, said=said or "")


def _malformed(said: str, *, paging: bool) -> type[AsanaError]:
    """Which 400 it is. Asana does not document its words; we match only that a listing was truncated."""
    if "truncat" in said.lower():
        return ListingCut
    return RestartListing if paging else NotUnderstood


def complaint(body: bytes, *secrets: str) -> str | None:
    """Asana's own message, printable and without the token; None if this is not its form."""
    try:
        errors = _Complaints.model_validate_json(body).errors
    except ValidationError:
        return None
    return printable("; ".join(error.message for error in errors[:3]), *secrets)


def printable(text: str, *secrets: str) -> str:
    """Somebody else's words on one line, at most 300 characters, without control characters and secrets.

    Ours of this call are known; whatever else looks like a token is taken for one that an answer should not have told.
    An address of a person is none of our logs' business either.
    """
    for secret in filter(None, secrets):
        text = text.replace(secret, "[secret]")
    text = _ADDRESS.sub("[address]", _LIKE_A_TOKEN.sub("[secret]", text[:2000]))
    return _UNPRINTABLE.sub(" ", text)[:300].strip()


def seconds_to_wait(header: str | None, now: datetime | None = None) -> float:
    """Seconds from a Retry-After header, given as a number or as a date: 1 to 900, and 30 if it says nothing usable."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, IndexError, OverflowError):
            return _USUAL_WAIT
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 1.0), LONGEST_WAIT)
