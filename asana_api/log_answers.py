"""One event of the audit log, as little of it as evidence needs.

Names, e-mail and IP addresses, user agents, SAML responses, titles and the resource are dropped on arrival: no field
here could hold them. Of a rule's name and of the person on whose behalf support acted, only whether there was one.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field

from asana_api.answers import Answered, Gid, Moment, NextPage


def _is_there(value: object) -> bool:
    return value is not None and value != ""


Whether = Annotated[bool, BeforeValidator(_is_there)]


class LogActor(Answered):
    """Who acted. Only users have a gid."""

    actor_type: str
    gid: Gid | None = None


class LogContext(Answered):
    """Where from. `api_authentication_method` is there if that is the API."""

    context_type: str
    api_authentication_method: str | None = None
    by_rule: Whether = Field(default=False, validation_alias="rule_name")
    on_behalf: Whether = Field(default=False, validation_alias="on_behalf_of_user_id")


class LogEvent(Answered):
    """One event; `created_at` is in the order in which the log gives them."""

    gid: str = Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")
    created_at: Moment
    event_type: str = Field(pattern=r"^[a-z0-9_.]{1,100}$")
    actor: LogActor
    context: LogContext


class LogListing(Answered):
    """A page on the wire."""

    data: list[LogEvent]
    next_page: NextPage | None
    errors: None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some events, oldest first, and the place to ask from next: None only as long as nothing ever matched."""

    events: list[LogEvent]
    next_offset: str | None
