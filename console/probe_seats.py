"""Settling claims about seats and refusals by reading: what was seen, and which claim that confirms or refutes.

Few reads: three pages of memberships, a former member and nobody by themselves, agents, and what is not there. An
answer that says nothing about a claim leaves it unsettled. What is seen is said without names and gids.
"""

from asana_api.answers import Membership
from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, BadAnswer, NotThere, NotUnderstood, RestartListing
from console.output import named
from store.probes import Outcome

NOBODY = "999999999999999999"
"""A gid as long as Asana's own; nobody has it."""
PAGES = 3
Seen = tuple[str, Outcome, str]
"""A claim's id, what became of it, and what was seen."""


class SeatTrials:
    """The trials of seats in one organization; `people` are those that were read, for the trials of activity."""

    def __init__(self, client: AsanaClient, organization_gid: str, people: list[Membership]) -> None:
        """`people` is filled by `memberships`."""
        self._client, self._gid, self.people = client, organization_gid, people

    async def memberships(self) -> list[Seen]:
        offset: str | None = None
        sizes: list[int] = []
        try:
            while len(sizes) < PAGES:
                page = (await self._client.membership_page(self._gid, offset)).page()
                self.people += page.items
                sizes.append(len(page.items))
                offset = page.next_offset
                if offset is None:
                    break
        except BadAnswer as error:
            return [(one, "refuted", error.particulars) for one in ("membership-fields", "page-has-way-on")]
        told = f"{named(sum(sizes), 'membership')} on {named(len(sizes), 'page')}"
        at_most = outcome_of(against=max(sizes) > 100, in_favour=offset is not None or len(sizes) > 1)
        return [
            ("membership-fields", "confirmed" if sum(sizes) else "unsettled", f"{told}, all with these fields"),
            ("page-has-way-on", "confirmed", f"{told}, each page with next_page"),
            ("page-of-100", at_most, f"{told}, the longest page has {max(sizes)}"),
        ]

    async def removed(self) -> list[Seen]:
        former = next((one for one in self.people if not one.is_active), None)
        if former is None:
            return [("removed-is-inactive", "unsettled", "no former member on the pages that were read")]
        alone = await self._client.membership_of(self._gid, former.user_gid)
        kept = alone is not None and alone.is_active
        told = "has none" if alone is None else f"one with is_active {str(alone.is_active).lower()}"
        return [
            ("removed-is-inactive", "refuted" if kept else "confirmed", f"a former member, asked for alone: {told}")
        ]

    async def absent(self) -> list[Seen]:
        try:
            found = await self._client.membership_of(self._gid, NOBODY)
        except BadAnswer as error:
            return [("absent-is-empty", "refuted", told_of(error))]
        except (NotThere, NotUnderstood) as error:  # of a person whom it knows it may say otherwise
            return [("absent-is-empty", "unsettled", f"Asana knows nobody by that gid: {told_of(error)}")]
        return [
            ("absent-is-empty", "confirmed" if found is None else "refuted", "an empty list" if not found else "one")
        ]

    async def stale_offset(self) -> list[Seen]:
        try:
            await self._client.membership_page(self._gid, "no-such-place")
        except RestartListing as error:
            return [("stale-offset-400", "confirmed", told_of(error))]
        return [("stale-offset-400", "refuted", "a page, for a place that never was")]

    async def agents(self) -> list[Seen]:
        agents = set(await self._client.agents(self._gid))
        if not agents:
            return [("agents-have-no-seat", "unsettled", "the organization has no agents")]
        seated = len(agents & {one.user_gid for one in self.people})
        told = f"{seated} of {len(agents)} agents among {len(self.people)} memberships"
        return [("agents-have-no-seat", outcome_of(against=seated > 0, in_favour=bool(self.people)), told)]

    async def not_there(self) -> list[Seen]:
        try:
            await self._client.story_page(NOBODY)
        except NotThere as error:
            return [
                ("not-there-is-404", "confirmed", told_of(error)),
                ("refusals-have-a-form", "confirmed", "a message"),
            ]
        except BadAnswer as error:
            return [("refusals-have-a-form", "refuted", told_of(error))]
        except AsanaError as error:
            return [("not-there-is-404", "refuted", told_of(error)), ("refusals-have-a-form", "confirmed", "a message")]
        return [("not-there-is-404", "refuted", "stories, of a task that is not there")]


def told_of(error: AsanaError) -> str:
    return f"{type(error).__name__}, answer {error.status}" if error.status is not None else type(error).__name__


def outcome_of(*, against: bool, in_favour: bool) -> Outcome:
    """Return what follows from what was seen: one example against a claim is enough."""
    return "refuted" if against else "confirmed" if in_favour else "unsettled"
