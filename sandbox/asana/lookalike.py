"""All parts of one look-alike, in one place that every route is given."""

import secrets
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from sandbox.asana.clock import Clock
from sandbox.asana.credentials import OOB, App, Credentials
from sandbox.asana.faults import Faults
from sandbox.asana.generator import generate
from sandbox.asana.limits import PLANS, Limits
from sandbox.asana.log import make_log
from sandbox.asana.model import Membership, Person
from sandbox.asana.oauth import OAuth
from sandbox.asana.paging import Pages
from sandbox.asana.removals import Removals
from sandbox.asana.traffic import Traffic

OrganizationPlan = Literal["free", "starter", "advanced", "enterprise", "enterprise+"]


class LookAlike:
    """An Asana with a seeded organization. `start` (aware) begins with a frozen clock, None with real time."""

    def __init__(
        self,
        people: int = 50,
        seed: int = 1,
        *,
        plan: OrganizationPlan = "enterprise+",
        limits: str | None = None,
        latency_ms: float = 0,
        start: datetime | None = None,
        redirect_uris: tuple[str, ...] = (),
    ) -> None:
        self.people, self.seed = people, seed
        self.clock = Clock(start)
        self.plan: OrganizationPlan = plan  # what the organization pays for: it gates the search and the audit log
        self.search_lag = timedelta(seconds=20)  # how far the search's index is behind
        self.most_in_search = 40  # people whom one parameter of a search may name
        self.log_offsets_expire: timedelta | None = None
        self.limits = Limits(PLANS[limits] if limits else None)
        self.latency_ms = latency_ms
        self.faults = Faults()
        self.traffic = Traffic()
        self.removals = Removals()
        self.removed_stay_listed = False  # whether removeUser leaves an inactive membership behind
        self.pages = Pages(self.clock)
        self.state = generate(people, seed, self.clock.now())
        self.log = make_log(self.state, seed, people, self.clock.now())
        self.credentials = Credentials(self.clock)
        self.app = App(str(secrets.randbelow(10**16)), secrets.token_hex(16), {OOB, *redirect_uris})
        self.oauth = OAuth(self.app, self.credentials, self.clock, self._logged_in)
        self.logged_in: str | None = None  # the gid of who sits before the browser; None: the first admin
        self.receiver: str | None = None  # who gets the things of those a service account removes; None: first admin
        self.service_account = self._service_account()
        self.admin_token = self.credentials.personal_token(self.state.admins()[0])
        self.service_account_token = self.credentials.service_account_token(self.service_account)

    def begin_again(self) -> None:
        """The same organization anew, as seen now; records, faults and offsets are forgotten, tokens stay good."""
        kept = {person.gid for person in self.state.people.values()}
        self.state = generate(self.people, self.seed, self.clock.now())
        self.log = make_log(self.state, self.seed, self.people, self.clock.now())
        assert kept >= self.state.people.keys(), "a seed gives the same people each time"
        self.credentials.rebind(self.state.people)
        self.service_account = self._service_account()
        self.faults.clear()
        self.removals.reset()
        self.traffic.reset()
        self.logged_in = self.receiver = None
        self.removed_stay_listed = False

    def about(self) -> dict[str, str]:
        """What a client needs to know to begin."""
        return {
            "organization_gid": self.state.company.gid,
            "admin_gid": self.state.admins()[0].gid,
            "admin_token": self.admin_token,
            "service_account_token": self.service_account_token,
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
        }

    def receiving_admin(self) -> Person:
        """Who gets the things of a person that a service account removes."""
        return self.state.people[self.receiver] if self.receiver else self.state.admins()[0]

    def membership_of(self, gid: str) -> Membership | None:
        """A person's membership of the organization."""
        return self.state.company.by_person.get(gid)

    def _logged_in(self) -> Person:
        return self.state.people[self.logged_in] if self.logged_in else self.state.admins()[0]

    def _service_account(self) -> Person:
        """A service account's person, or in a very small organization the first admin."""
        everybody = self.state.people.values()
        own = (person for person in everybody if person.archetype == "service_account")
        return next(chain(own, self.state.admins()))
