"""The organization's audit log: who logged in or changed something, and what only looks like it.

It has no viewing, commenting, creating or completing. Sessions are long: somebody who is here every day logs in every
one to three weeks. Everything is drawn from a generator of its own, so the people and their work stay as they are.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random

from sandbox.asana.clock import to_milliseconds, written
from sandbox.asana.errors import Json
from sandbox.asana.model import Person
from sandbox.asana.state import State

KEPT = timedelta(days=90)
"""How long an event is kept."""
FIRST_GID = 9_000_000_000_000_001
PLACES = ("web", "web", "web", "desktop", "mobile")
CHANGES = ("attachment_uploaded", "attachment_downloaded", "team_member_added", "project_privacy_settings_changed")
BY_HAND = frozenset({"web", "desktop", "mobile", "email"})
CATEGORIES = {"user_login_succeeded": "logins", "user_login_failed": "logins", "user_logged_out": "logins"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `method` goes with the context `api`; `about` is whom it happened to, the actor unless said."""

    gid: str
    at: datetime
    kind: str
    actor: Person | None
    about: Person | None
    context: str = "web"
    method: str | None = None
    rule: str | None = None

    @property
    def is_use(self) -> bool:
        """Whether the actor used Asana then, by hand."""
        by_hand = self.context in BY_HAND or (self.context == "api" and self.method in {"cookie", "oauth"})
        return self.actor is not None and by_hand and self.rule is None and self.kind != "user_login_failed"

    def as_json(self) -> Json:
        context: Json = {"context_type": self.context}
        if self.context in BY_HAND:
            context |= {
                "client_ip_address": f"192.0.2.{int(self.gid) % 250 + 1}",
                "user_agent": "Mozilla/5.0 (look-alike)",
            }
        context |= {"api_authentication_method": self.method} if self.method else {}
        context |= {"rule_name": self.rule} if self.rule else {}
        actor: Json = {"actor_type": "user", **_named(self.actor)} if self.actor else {"actor_type": "asana"}
        about = self.about or self.actor
        resource: Json = {"resource_type": "user", **_named(about)} if about else {"resource_type": "workspace"}
        category = CATEGORIES.get(self.kind, "user_updates" if self.kind.startswith("user_") else "content_export")
        return {
            "gid": self.gid,
            "created_at": written(self.at),
            "event_type": self.kind,
            "event_category": category,
            "actor": actor,
            "resource": resource,
            "details": {"new_value": "member"} if self.kind.startswith("team_") else {},
            "context": context,
        }


def _named(person: Person) -> Json:
    named: Json = {"gid": person.gid, "name": person.name}
    return named | ({"email": person.email} if person.email else {})


class AuditLog:
    """All events, oldest first."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._gids = count(FIRST_GID, 3)

    def add(
        self,
        kind: str,
        actor: Person | None,
        at: datetime,
        *,
        about: Person | None = None,
        context: str = "web",
        method: str | None = None,
        rule: str | None = None,
    ) -> Event:
        """Put an event where its time says."""
        event = Event(str(next(self._gids)), to_milliseconds(at), kind, actor, about, context, method, rule)
        insort(self.events, event, key=lambda one: one.at)
        if event.is_use and actor is not None:
            actor.last_logged_at = max(actor.last_logged_at or event.at, event.at)
        return event

    def since(self, start_at: datetime) -> Iterator[Event]:
        """Events from a time on; the time itself counts."""
        begin = bisect_left(self.events, start_at, key=lambda one: one.at)
        return iter(self.events[begin:])


def make_log(state: State, seed: int, people: int, now: datetime) -> AuditLog:
    """The log of an organization as seen at `now`: nobody used Asana later than their work and reading say."""
    log, rng = AuditLog(), Random(f"{seed}/{people}/log")
    last_use = _last_uses(state)
    admin = state.admins()[0]
    for person in list(state.people.values()):
        used = last_use.get(person.gid)
        if person.archetype == "invited":
            log.add("user_invited", admin, min(_joined(state, person, now), now), about=person)
        elif person.archetype == "service_account":
            for _ in range(5):
                log.add(rng.choice(CHANGES), person, _ago(now, rng, 80), context="api", method="service_account")
        elif used is not None:
            _person(log, rng, person, used, _joined(state, person, now), now)
    return log


def _person(log: AuditLog, rng: Random, person: Person, used: datetime, joined: datetime, now: datetime) -> None:
    """Log-ins back from the last use, with what else the person changed, and what others did in their name."""
    at = used - timedelta(days=rng.uniform(0, 20))
    while at > max(joined, now - KEPT - timedelta(days=10)):
        log.add("user_login_succeeded", person, at, context=rng.choice(PLACES))
        if rng.random() < 0.3:
            log.add(rng.choice(CHANGES), person, min(used, at + timedelta(days=rng.uniform(0, 7))))
        at -= timedelta(days=rng.uniform(7, 21))
    if rng.random() < 0.1:
        log.add("user_login_failed", person, _ago(now, rng, 60))
    if rng.random() < 0.05:
        log.add(rng.choice(CHANGES), person, _ago(now, rng, 60), context="api", method="personal_access_token")
    if rng.random() < 0.05:
        log.add(rng.choice(CHANGES), person, _ago(now, rng, 60), rule="Move what is late")


def _ago(now: datetime, rng: Random, most_days: float) -> datetime:
    return now - timedelta(days=rng.uniform(0, most_days))


def _joined(state: State, person: Person, now: datetime) -> datetime:
    membership = state.company.by_person.get(person.gid)
    return membership.created_at if membership else now


def _last_uses(state: State) -> dict[str, datetime]:
    """Each person's last reading or work, by gid."""
    last = {gid: one.last_read_at for gid, one in state.people.items() if one.last_read_at is not None}
    for task in state.tasks.values():
        acts = [(task.created_by, task.created_at), *((one.created_by, one.created_at) for one in task.stories)]
        if task.completed_by and task.completed_at:
            acts.append((task.completed_by, task.completed_at))
        for actor, at in acts:
            if actor.gid not in last or at > last[actor.gid]:
                last[actor.gid] = at
    return last
