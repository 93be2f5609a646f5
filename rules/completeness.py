"""When a listing counts as complete. A partial one must never reach the comparison: nobody is gone because of it."""

from dataclasses import dataclass

LARGEST_MISSING_SHARE = 0.05
FEW = 5
"""So many may be missing from a small organization although they are more than the share: each is confirmed anyway."""


@dataclass(frozen=True)
class Listing:
    """What was listed (rows written), what lies in the staging tables, and what was known before.

    `unconfirmed`: people with a seat by the listing alone, whom nothing else that Asana says confirms.
    """

    memberships_written: int
    memberships_staged: int
    users_written: int
    users_staged: int
    contradictions: int
    seats: int
    known: int
    missing: int
    unconfirmed: int


def trouble_with(listing: Listing) -> str | None:
    """Return why the listing cannot be believed, in a sentence for a person; None if it can."""
    if listing.memberships_written != listing.memberships_staged or listing.users_written != listing.users_staged:
        return "rows of the listing were lost on the way (the database server was restarted); download again"
    if listing.contradictions:
        return f"the listing says different things of {listing.contradictions} people on different pages"
    if listing.seats <= listing.unconfirmed:
        return "the listing shows nobody at all, not even the person who asked"
    if listing.missing > max(FEW, LARGEST_MISSING_SHARE * listing.known):
        return (
            f"{listing.missing} of {listing.known} known people are missing from the listing; "
            f"more than {LARGEST_MISSING_SHARE:.0%} is not believed"
        )
    if listing.unconfirmed > most_unconfirmed(listing.seats):
        return (
            f"{listing.unconfirmed} of {listing.seats} listed people are not among the users, and have no membership "
            f"when asked for by themselves; more than {LARGEST_MISSING_SHARE:.0%} is not believed"
        )
    return None


def most_unconfirmed(seats: int) -> float:
    """Return how many of so many listed people may be unconfirmed: they are left out, and the others believed."""
    return max(FEW, LARGEST_MISSING_SHARE * seats)
