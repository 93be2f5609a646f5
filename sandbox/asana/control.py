"""The control surface below `/-/sandbox`, for whoever cannot reach into this process. README.md describes each address.

Every request and answer is JSON; a wrong one is a 400 with `{"error": "…"}`. There is no authentication: the look-alike
is for loopback.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import parse_qsl

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sandbox.asana.changes import ROLES, Changes
from sandbox.asana.clock import written
from sandbox.asana.credentials import Credential
from sandbox.asana.faults import Fault
from sandbox.asana.limits import PLANS, Plan
from sandbox.asana.lookalike import LookAlike, OrganizationPlan
from sandbox.asana.member_export import member_export
from sandbox.asana.sending import Answer, json_answer, read_body, send_through, write_json
from sandbox.asana.truth import as_json, truth

Sent = dict[str, Any]  # what came in the body or the query: anything, until it is used
Action = Callable[[Sent], object]


class _Endpoint:
    def __init__(self, actions: dict[str, Action]) -> None:
        self._actions = actions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: Sent = dict(parse_qsl(scope["query_string"].decode()))
        body = await read_body(receive) if scope["method"] != "GET" else b""
        try:
            action = self._actions.get(scope["method"])
            if action is None:
                raise ValueError(f"this address takes {', '.join(self._actions)}")  # noqa: TRY301 - one way out
            told = action(sent | (json.loads(body) if body else {}))
            answer = told if isinstance(told, Answer) else json_answer(told)
        except (ValueError, KeyError, TypeError) as reason:
            missing = f"{reason} is missing" if isinstance(reason, KeyError) else str(reason)
            answer = json_answer({"error": missing}, 400)
        await send_through(None, send, lambda: answer)


class Control:
    """What the addresses do; each method takes what was sent and returns the JSON of the answer."""

    def __init__(self, look: LookAlike) -> None:
        self._look, self._changes = look, Changes(look)

    def routes(self) -> list[BaseRoute]:
        table: dict[str, dict[str, Action]] = {
            "about": {"GET": self.about},
            "clock": {"GET": self.clock, "POST": self.set_clock},
            "truth": {"GET": self.truth},
            "member_export": {"GET": self.member_export},
            "removals": {"GET": self.removals},
            "organization": {"GET": self.organization, "POST": self.set_organization},
            "faults": {"GET": self.faults, "POST": self.add_fault, "DELETE": self.remove_faults},
            "limits": {"GET": self.limits, "POST": self.set_limits},
            "people": {"POST": self.change_person},
            "acts": {"POST": self.act},
            "oauth": {"POST": self.set_oauth},
            "removing": {"POST": self.set_removing},
            "requests": {"GET": self.requests, "DELETE": self.forget_requests},
            "reset": {"POST": self.reset},
        }
        return [Route(f"/-/sandbox/{name}", _Endpoint(actions)) for name, actions in table.items()]

    def about(self, _: Sent) -> object:
        return self._look.about()

    def clock(self, _: Sent) -> object:
        return {"now": written(self._look.clock.now()), "frozen": self._look.clock.frozen}

    def set_clock(self, sent: Sent) -> object:
        clock = self._look.clock
        if sent.get("reset"):
            clock.reset()
        if "set" in sent:
            clock.set(_moment(sent["set"]))
        if "move" in sent:
            clock.move(timedelta(seconds=float(sent["move"])))
        if "frozen" in sent:
            (clock.freeze if sent["frozen"] else clock.run)()
        return self.clock(sent)

    def truth(self, sent: Sent) -> object:
        look = self._look
        caller = self._changes.person(sent["caller"]) if "caller" in sent else look.state.admins()[0]
        kind = "service_account" if caller is look.service_account else "pat"
        rows = truth(look, Credential("truth", kind, caller), _moment(sent["since"]))
        told = bytearray(write_json({"now": written(look.clock.now()), "caller": caller.gid}).encode())
        told[-1:] = b',"people":['
        for row in rows.values():  # one by one: as objects they would be several times their text
            told += write_json(as_json(row, look.state)).encode() + b","
        told[-1:] = b"]}"
        return Answer(200, bytes(told))

    def member_export(self, _: Sent) -> object:
        return {"csv": member_export(self._look)}

    def organization(self, _: Sent) -> object:
        look = self._look
        return {"plan": look.plan, "search_lag": look.search_lag.total_seconds(), "longest_listing": look.pages.longest}

    def set_organization(self, sent: Sent) -> object:
        if "plan" in sent:
            if sent["plan"] not in get_args(OrganizationPlan):
                raise ValueError(
                    f"there is no plan {sent['plan']!r}; there are {', '.join(get_args(OrganizationPlan))}"
                )
            self._look.plan = sent["plan"]
        if "search_lag" in sent:
            self._look.search_lag = timedelta(seconds=float(sent["search_lag"]))
        if "longest_listing" in sent:
            self._look.pages.longest = None if sent["longest_listing"] is None else int(sent["longest_listing"])
        return self.organization(sent)

    def removals(self, _: Sent) -> object:
        removals = self._look.removals
        return {"calls": [one.as_json() for one in removals.calls], "accepted": len(removals.accepted)}

    def faults(self, _: Sent) -> object:
        return {"faults": [_fault_json(fault) for fault in self._look.faults]}

    def add_fault(self, sent: Sent) -> object:
        return _fault_json(self._look.faults.add(sent.pop("kind"), **sent))

    def remove_faults(self, sent: Sent) -> object:
        if "number" not in sent:
            self._look.faults.clear()
        elif not self._look.faults.remove(int(sent["number"])):
            raise ValueError(f"there is no fault {sent['number']}")
        return self.faults(sent)

    def limits(self, _: Sent) -> object:
        plan = self._look.limits.plan
        return {
            "per_minute": plan and plan.per_minute,
            "reads": plan and plan.reads,
            "writes": plan and plan.writes,
            "latency_ms": self._look.latency_ms,
        }

    def set_limits(self, sent: Sent) -> object:
        if "latency_ms" in sent:
            self._look.latency_ms = float(sent["latency_ms"])
        if "per_minute" in sent:
            self._look.limits.switch(Plan(**{name: sent[name] for name in sent.keys() - {"latency_ms", "plan"}}))
        elif "plan" in sent:
            if sent["plan"] not in {None, *PLANS}:
                raise ValueError(f"there is no plan {sent['plan']!r}; there are {', '.join(PLANS)}")
            self._look.limits.switch(sent["plan"])
        return self.limits(sent)

    def change_person(self, sent: Sent) -> object:
        name, changes = sent["person"], self._changes
        if sent.get("leave"):
            changes.leave(name)
        if sent.get("rejoin"):
            changes.rejoin(name)
        roles = {role: bool(sent[role]) for role in sent.keys() & ROLES}
        if roles:
            changes.set_roles(name, **roles)
        person = changes.person(name)
        return {"gid": person.gid, "is_member": self._look.membership_of(person.gid) is not None}

    def act(self, sent: Sent) -> object:
        changes, at = self._changes, _moment(sent["at"]) if "at" in sent else None
        kind = sent.get("act", "comment_added")
        if kind == "read":
            changes.read(sent["person"], at)
            return {}
        if kind.startswith("log:"):
            return {"event": changes.log(sent["person"], kind.removeprefix("log:"), at=at).gid}
        if kind == "created":
            task = changes.create(
                sent["person"], assignee=sent.get("assignee", sent["person"]), at=at, private=bool(sent.get("private"))
            )
            return {"task": task.gid}
        if kind == "completed":
            return {"task": changes.complete(sent["person"], at=at, task=sent.get("task")).gid}
        private = bool(sent.get("private"))
        return {"story": changes.act(sent["person"], kind, at=at, task=sent.get("task"), private=private).gid}

    def set_oauth(self, sent: Sent) -> object:
        look = self._look
        if "logged_in" in sent:
            look.logged_in = self._changes.person(sent["logged_in"]).gid if sent["logged_in"] else None
        if "rotates" in sent:
            look.oauth.rotates = bool(sent["rotates"])
        if "redirect_uri" in sent:
            look.app.redirect_uris.add(str(sent["redirect_uri"]))
        return {"rotates": look.oauth.rotates, "redirect_uris": sorted(look.app.redirect_uris)}

    def set_removing(self, sent: Sent) -> object:
        look = self._look
        if "stay_listed" in sent:
            look.removed_stay_listed = bool(sent["stay_listed"])
        if "receiver" in sent:
            look.receiver = self._changes.person(sent["receiver"]).gid
        return {"stay_listed": look.removed_stay_listed, "receiver": look.receiving_admin().gid}

    def requests(self, _: Sent) -> object:
        return self._look.traffic.as_json()

    def forget_requests(self, sent: Sent) -> object:
        self._look.traffic.reset()
        return self.requests(sent)

    def reset(self, sent: Sent) -> object:
        self._look.begin_again()
        return self.about(sent)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fault_json(fault: Fault) -> dict[str, object]:
    return {
        "number": fault.number,
        "kind": fault.kind,
        "method": fault.method,
        "route": fault.route,
        "path": fault.path,
        "skip": fault.skip,
        "times": fault.times,
        "met": fault.met,
        "fired": fault.fired,
    }
