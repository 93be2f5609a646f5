"""An Asana on paper: a few tasks and events in memory, answered through the client's own transport.

It does what Asana's pages promise and no more: a search gives at most 100 tasks in no order that holds, an index may be
behind, and the log goes on for ever. `meanwhile` runs before each answer, for people who work while somebody looks.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import parse_qs

import httpx

from asana_api.client import AsanaClient

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ORGANIZATION = "9"
BASE = "http://127.0.0.1:1/api/1.0"


@dataclass
class Line:
    """A story, or an event of the log."""

    gid: str
    at: datetime
    by: str
    subtype: str = "comment_added"


@dataclass
class PaperTask:
    """A task; `followers` and the rest are gids."""

    gid: str
    made_at: datetime
    made_by: str = "1"
    modified_at: datetime = NOW
    assignee: str | None = None
    assigned_by: str | None = None
    followers: set[str] = field(default_factory=set)
    completed_by: str | None = None
    completed_at: datetime | None = None
    stories: list[Line] = field(default_factory=list)

    def people(self, relation: str) -> set[str]:
        ones = {"assignee": self.assignee, "created_by": self.made_by, "assigned_by": self.assigned_by}
        return self.followers if relation == "followers" else {one for one in [ones[relation]] if one}

    def as_json(self) -> dict[str, object]:
        return {
            "gid": self.gid,
            "created_at": written(self.made_at),
            "created_by": {"gid": self.made_by},
            "completed_at": written(self.completed_at) if self.completed_at else None,
            "completed_by": {"gid": self.completed_by} if self.completed_by else None,
            "modified_at": written(self.modified_at),
            "assignee": {"gid": self.assignee} if self.assignee else None,
            "followers": [{"gid": one} for one in sorted(self.followers)],
        }


def written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class PaperAsana(httpx.AsyncBaseTransport):
    """Its answers, and what it was asked. `refuse` may answer instead."""

    tasks: dict[str, PaperTask] = field(default_factory=dict)
    events: list[dict[str, object]] = field(default_factory=list)
    page: int = 2
    random: Random = field(default_factory=lambda: Random(1))
    meanwhile: Callable[[], None] = lambda: None
    refuse: Callable[[str, dict[str, str]], httpx.Response | None] = lambda _path, _query: None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def client(self) -> AsanaClient:
        async def token() -> str:
            return "a-token"

        return AsanaClient(BASE, token, open_transport=lambda: self)

    def add(self, task: PaperTask) -> PaperTask:
        self.tasks[task.gid] = task
        return task

    def searches(self) -> list[dict[str, str]]:
        """The queries of all searches."""
        return [query for path, query in self.asked if path.endswith("/tasks/search")]

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/1.0")
        query = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        self.asked.append((path, query))
        answer = self.refuse(path, query)
        if answer is None:
            answer = httpx.Response(200, content=json.dumps(self._answer(path, query)))
        self.meanwhile()
        return answer

    def _answer(self, path: str, query: dict[str, str]) -> dict[str, object]:
        match path.strip("/").split("/"):
            case ["users", "me"]:
                return {"data": {"gid": "1", "name": "Mara", "email": None}}
            case ["workspaces", _, "tasks", "search"]:
                return {"data": [task.as_json() for task in self._found(query)]}
            case ["workspaces", _, "audit_log_events"]:
                return self._log(query)
            case ["tasks", gid, "stories"]:
                return {"data": [_story(one) for one in self.tasks[gid].stories], "next_page": None}
            case ["tasks"]:
                mine = [task for task in self.tasks.values() if task.assignee == query["assignee"]]
                since = datetime.fromisoformat(query["modified_since"])
                return {"data": [one.as_json() for one in mine if one.modified_at >= since], "next_page": None}
        raise AssertionError(path)

    def _found(self, query: dict[str, str]) -> list[PaperTask]:
        relation = next(name for name in query if name.endswith(".any"))
        people = set(query[relation].split(","))
        found = [
            task
            for task in self.tasks.values()
            if task.people(relation.removesuffix(".any")) & people
            and _within(task.modified_at, query, "modified_at")
            and _within(task.made_at, query, "created_at")
        ]
        self.random.shuffle(found)
        if query["sort_by"] == "created_at":
            found.sort(key=lambda task: task.made_at, reverse=query["sort_ascending"] == "false")
        return found[: int(query["limit"])]

    def _log(self, query: dict[str, str]) -> dict[str, object]:
        begin, end = query["start_at"], query.get("end_at", "~")
        matching = [event for event in self.events if begin <= str(event["created_at"]) < end]
        first = int(query.get("offset", "0"))
        data = matching[first : first + self.page]
        way_on = {"offset": str(first + len(data)), "path": "/x", "uri": "https://elsewhere.example/x"}
        return {"data": data, "next_page": way_on if matching else None}


def _within(at: datetime, query: dict[str, str], name: str) -> bool:
    """Whether it is between the ends, neither of which belongs to it: nobody promised that they do."""
    after, before = query.get(f"{name}.after"), query.get(f"{name}.before")
    return (after is None or written(at) > after) and (before is None or written(at) < before)


def _story(line: Line) -> dict[str, object]:
    by = {"gid": line.by} if line.by else None
    return {"gid": line.gid, "created_at": written(line.at), "created_by": by, "resource_subtype": line.subtype}


def some_tasks(count: int, *, follower: str, first: datetime, apart: timedelta = timedelta(hours=1)) -> list[PaperTask]:
    """So many tasks of the person 1 that somebody follows, one modified after the other."""
    return [
        PaperTask(str(100 + n), first - timedelta(days=300), modified_at=first + n * apart, followers={follower})
        for n in range(count)
    ]
