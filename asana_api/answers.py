"""What Asana answers, checked strictly on arrival: a value that reached a caller is whole and of the right types.

A field that was asked for and is missing is an error, never a default: whoever lacks `is_active` is not inactive.
Shapes are those of Asana's published OpenAPI document; times are aware and in the zone that was sent (UTC).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from asana_api.errors import BadAnswer

T = TypeVar("T")

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")


def _only_iso(value: object) -> object:
    """Refuse a bare number of seconds, which pydantic would take for a time."""
    if not isinstance(value, str) or not _ISO.match(value):
        raise ValueError("not a date and time as RFC 3339 writes it")
    return value


Gid = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_only_iso)]


class Answered(BaseModel):
    """What every answer is: strict, and deaf to fields that nobody asked for."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Ref(Answered):
    """Somebody or something, by gid alone."""

    gid: Gid


class Named(Answered):
    """A person as a membership names them."""

    gid: Gid
    name: str


class Vacation(Answered):
    """When a person said that they are away. Whole days in their own time zone."""

    start_on: date | None = None
    end_on: date | None = None


class Membership(Answered):
    """One person's seat. `is_active` is true for people who were invited and never came, too."""

    gid: Gid
    user: Named
    is_active: bool
    is_admin: bool
    is_guest: bool
    is_view_only: bool
    created_at: Moment
    vacation_dates: Vacation | None = None

    @property
    def user_gid(self) -> str:
        """The person's gid, the same in every organization."""
        return self.user.gid

    @property
    def user_name(self) -> str:
        """The person's name as this organization shows it."""
        return self.user.name


class User(Answered):
    """A person. Some have no e-mail address that this account may see."""

    gid: Gid
    name: str
    email: str | None = None


class Caller(User):
    """The account whose token we use."""


class Workspace(Answered):
    """A workspace, or an organization, which is what we work for."""

    gid: Gid
    name: str
    is_organization: bool


class Task(Answered):
    """A task as far as acts of work go: `modified_at` moves with anybody's change, also with every new story."""

    gid: Gid
    created_at: Moment
    created_by: Ref | None
    completed_at: Moment | None
    completed_by: Ref | None
    modified_at: Moment
    assignee: Ref | None

    @property
    def created_by_gid(self) -> str | None:
        """Who made the task; None if Asana does not say."""
        return self.created_by.gid if self.created_by else None

    @property
    def completed_by_gid(self) -> str | None:
        """Who completed the task; None if nobody did, or Asana does not say."""
        return self.completed_by.gid if self.completed_by else None

    @property
    def assignee_gid(self) -> str | None:
        """Who has the task; None if nobody has."""
        return self.assignee.gid if self.assignee else None


class FoundTask(Task):
    """A task as the search gives it, with the other people through whom it is found."""

    followers: list[Ref]


class Story(Answered):
    """One line of a task's history. `created_by` is null for what Asana did by itself."""

    gid: Gid
    created_at: Moment
    created_by: Ref | None
    resource_subtype: str

    @property
    def created_by_gid(self) -> str | None:
        """Who acted; None if nobody did, or Asana does not say."""
        return self.created_by.gid if self.created_by else None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `next_offset` is None on the last."""

    items: list[T]
    next_offset: str | None


@dataclass(frozen=True, slots=True)
class Arrived(Generic[T]):
    """One page of a listing that is here and of which only the way on was read: the next one can be asked for already.

    `read` gives its items, or raises BadAnswer; nothing may be believed before that.
    """

    next_offset: str | None
    read: Callable[[], list[T]]

    def page(self) -> Page[T]:
        """Give the whole page, its items read."""
        return Page(self.read(), self.next_offset)


class NextPage(Answered):
    """The way on, as Asana names it."""

    offset: str = Field(min_length=1, max_length=8192)  # its `uri` is never read: we send only the offset


class WayOn(Answered):
    """Where a listing goes on; what is on the page is another matter."""

    next_page: NextPage | None


class Listing(Answered, Generic[T]):
    """A page on the wire. `next_page` must be there, because we always send `limit`."""

    data: list[T]
    next_page: NextPage | None
    errors: None = None


class Found(Answered):
    """What a search found. It has no pages."""

    data: list[FoundTask]
    errors: None = None


class Single(Answered, Generic[T]):
    """One thing on the wire."""

    data: T
    errors: None = None


class Empty(Answered):
    """The answer to a removal: `{"data": {}}` and nothing else."""

    model_config = ConfigDict(extra="forbid")


def read(shape: TypeAdapter[T], body: bytes, call: str) -> T:
    """What the body says, if it has the shape; BadAnswer, naming the field but never its value, if not."""
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadAnswer(f"{place or 'body'}: {first['msg']}", call=call, status=200) from None


def moment(value: datetime) -> str:
    """A time as Asana takes it: UTC, milliseconds, cut and not rounded."""
    if value.tzinfo is None:
        raise ValueError("a time without its zone")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
