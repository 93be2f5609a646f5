"""The phases: one row for each kind of question to Asana, when it is asked, and what makes it be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.proofs.answers_kinds import Shape
from rules.evidence import Source

During = Literal["pull", "last look", "console"]
Query = Mapping[str, str | None]

API_TOKEN = "/-/oauth_token"  # noqa: S105 - a route
MEMBERSHIPS = "/workspaces/{workspace_gid}/workspace_memberships"
ME = "/users/{user_gid}"
STORIES = "/tasks/{task_gid}/stories"
SEARCH = "/workspaces/{workspace_gid}/tasks/search"
LOG = "/workspaces/{workspace_gid}/audit_log_events"

SOME = ".+"
ONE, MANY = "[0-9]+", ".*,.*"

ASK_EVERYBODY = "UPDATE profile SET sweep = 'full';"
TOKEN_ENDS = "UPDATE credential SET expires_at = now() WHERE kind = 'oauth';"  # noqa: S105 - no token
WORK = "UPDATE reclamation_rule SET evidence = 'work';"
"""A last look asks the tasks and the search: with the log as evidence, who has not been pulled today is kept anyway."""
SEEN_LONG_AGO = "UPDATE coverage SET covered = covered * tstzmultirange(tstzrange(NULL, '2026-04-20'));"
"""Who was not seen for days is not watched, but may be found to have made something."""
NO_LOG_YET = "DELETE FROM activity_stream;"


@dataclass(frozen=True, slots=True)
class Phase:
    """One kind of question. `query` tells its calls from the others of the route; None: without that parameter.

    `source` is whose windows may not reach further than without the fault. `before` is what is changed in the database
    first, and `besides` what makes it be asked at all: the tasks of one person fail, or one slips between two pages.
    """

    name: str
    route: str
    shape: Shape
    during: During = "pull"
    query: Query = field(default_factory=dict)
    method: str = "GET"
    before: str = ""
    source: Source | None = None
    besides: Literal["", "fails for one", "one slips"] = ""


FIRST: Query = {"offset": None}
LATER: Query = {"offset": SOME}
MAKERS: Query = {"created_by.any": SOME, "created_at.after": SOME}
LISTED_FIRST: Query = {"user": None, "offset": None}
LISTED_LATER: Query = {"user": None, "offset": SOME}

PHASES: tuple[Phase, ...] = (
    Phase("token, before a download", API_TOKEN, "token", method="POST", before=TOKEN_ENDS),
    Phase("token, before a last look", API_TOKEN, "token", "last look", method="POST", before=WORK + TOKEN_ENDS),
    Phase("me", ME, "one", before=ASK_EVERYBODY, besides="fails for one"),
    Phase("workspaces", "/workspaces", "workspaces", "console"),
    Phase("memberships, first page", MEMBERSHIPS, "memberships", query=LISTED_FIRST),
    Phase("memberships, later page", MEMBERSHIPS, "memberships", query=LISTED_LATER),
    Phase("users, first page", "/users", "users", query=FIRST),
    Phase("users, later page", "/users", "users", query=LATER),
    Phase("one membership", MEMBERSHIPS, "seat", query={"user": SOME}, besides="one slips"),
    Phase("tasks, first page", "/tasks", "tasks", query=FIRST, before=ASK_EVERYBODY, source="tasks"),
    Phase("tasks, later page", "/tasks", "tasks", query=LATER, before=ASK_EVERYBODY, source="tasks"),
    Phase("stories, first page", STORIES, "stories", query=FIRST, before=ASK_EVERYBODY, source="tasks"),
    Phase("stories, later page", STORIES, "stories", query=LATER, before=ASK_EVERYBODY, source="tasks"),
    Phase("search, watch of many", SEARCH, "search", query={"assignee.any": MANY}),
    Phase("search, who made something", SEARCH, "search", query=MAKERS, before=SEEN_LONG_AGO),
    Phase("search, deep look", SEARCH, "search", query={"followers.any": ONE}, before=ASK_EVERYBODY, source="search"),
    Phase("audit log, first page", LOG, "log", query=FIRST, source="audit_log"),
    Phase("audit log, later page", LOG, "log", query=LATER, source="audit_log"),
    Phase("audit log, a first pull", LOG, "log", query={"end_at": SOME}, before=NO_LOG_YET, source="audit_log"),
    Phase("last look, tasks", "/tasks", "tasks", "last look", before=WORK, source="tasks"),
    Phase("last look, stories", STORIES, "stories", "last look", before=WORK, source="tasks"),
    Phase("last look, search", SEARCH, "search", "last look", before=WORK, source="search"),
    Phase("last look, membership", MEMBERSHIPS, "seat", "last look", query={"user": SOME}, before=WORK),
)
