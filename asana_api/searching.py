"""The calls that look for activity across an organization: the task search, the audit log, and who is no person.

The search has no pages (Asana's page on it: results are not stable, at most 100): an answer that is full may be a part,
and what to do then is the caller's matter. The audit log is asked without `limit`, which would cut its pages from
1,000 to 100 (its page names that default; the parameter's own page, the bound).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from pydantic import TypeAdapter

from asana_api import address
from asana_api.answers import Found, FoundTask, Listing, Ref, moment, read
from asana_api.errors import BadAnswer
from asana_api.listings import Reads
from asana_api.log_answers import AuditPage, LogListing
from asana_api.paging import whole_listing
from asana_api.sending import Call

Relation = Literal["assignee", "followers", "created_by", "assigned_by"]

FULL = 100
"""The most tasks that a search answers; so many may be a part."""
FOUND_FIELDS = "created_at,created_by,completed_at,completed_by,modified_at,assignee,followers"

_FOUND = TypeAdapter(Found)
_LOG = TypeAdapter(LogListing)
_AGENTS = TypeAdapter(Listing[Ref])


@dataclass(frozen=True, slots=True)
class Sought:
    """What a search is for: tasks with any of these people in that relation, within times (aware, None for open).

    Whether Asana counts the ends themselves is not promised: ask a little wider than you mean.
    """

    relation: Relation
    user_gids: Sequence[str]
    modified_after: datetime | None = None
    modified_before: datetime | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def query(self) -> dict[str, str]:
        """As parameters. RefusedHere for anything that is not a gid, "me" and e-mail addresses among it."""
        if not self.user_gids:
            raise ValueError("a search for nobody finds everything")
        people = ",".join(address.gid(one, self.relation) for one in self.user_gids)
        times = {
            "modified_at.after": self.modified_after,
            "modified_at.before": self.modified_before,
            "created_at.after": self.created_after,
            "created_at.before": self.created_before,
        }
        return {f"{self.relation}.any": people} | {name: moment(at) for name, at in times.items() if at is not None}


class ActivityReads(Reads):
    """Reads that find out what people did, beside the listings of their tasks."""

    async def search_page(
        self,
        workspace_gid: str,
        sought: Sought,
        *,
        sort_by: Literal["created_at", "modified_at"] = "modified_at",
        ascending: bool = False,
    ) -> list[FoundTask]:
        """At most FULL tasks that this account may see; FULL of them may be a part. PlanTooLow on a free plan.

        The index is 10 to 60 seconds behind, longer when Asana is in trouble (its page on the search).
        """
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/tasks/search"
        query = sought.query() | {
            "sort_by": sort_by,
            "sort_ascending": "true" if ascending else "false",
            "limit": str(FULL),
            "opt_fields": FOUND_FIELDS,
        }
        call = Call("GET", path, urlencode(query), search=True)
        tasks = read(_FOUND, await self._request(call), call.name).data
        if len(tasks) > FULL:
            raise BadAnswer("more tasks than were asked for", call=call.name, status=200)
        return tasks

    async def audit_page(
        self, workspace_gid: str, *, start_at: datetime, end_at: datetime | None = None, offset: str | None = None
    ) -> AuditPage:
        """The next events since a time (it counts, `end_at` does not), oldest first; asked with a service account.

        Asana gives no `next_page` only as long as nothing ever matched; after that each answer has one, also the empty
        ones, and the end of what there is now is an empty page.
        """
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/audit_log_events"
        query = {"start_at": moment(start_at)}
        query |= {"end_at": moment(end_at)} if end_at is not None else {}
        query |= {"offset": offset} if offset is not None else {}
        call = Call("GET", path, urlencode(query), paging=offset is not None)
        page = read(_LOG, await self._request(call), call.name)
        way_on = page.next_page.offset if page.next_page is not None else None
        if page.data and way_on is None:
            raise BadAnswer("events without a way on", call=call.name, status=200)
        if page.data and way_on == offset:
            raise BadAnswer("the next page is the same page", call=call.name, status=200)
        return AuditPage(page.data, way_on)

    async def agents(self, workspace_gid: str) -> list[str]:
        """Return the gids of the organization's agents (AI Teammates): they act, but are no people and have no seat."""
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/agents"
        found = await whole_listing(lambda offset: self._page(_AGENTS, path, {"opt_fields": "name"}, offset))
        return [one.gid for one in found]
