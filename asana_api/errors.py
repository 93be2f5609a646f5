"""Every way in which a call to Asana can fail, sorted by what the caller must do next.

    AsanaError
    ├── TryLater             nothing is wrong with the question: ask again later
    │   ├── RateLimited         after `retry_after` seconds (429)
    │   │   └── BudgetSpent     never sent: our own budget is spent for so long
    │   ├── ServerTrouble       Asana is in trouble (5xx)
    │   └── Unreachable         no whole answer came in time
    ├── RestartListing       begin this listing again from its first page, once; never splice two listings
    ├── ListingCut           the listing can not be had whole: the run is incomplete, nobody is gone
    ├── NeedsOperator        asking again changes nothing until a person acts
    │   ├── NotAuthorized       the token is not accepted (401)
    │   │   └── GrantLost       the refresh token is not accepted either: connect again
    │   ├── PlanTooLow          402
    │   ├── Forbidden           403
    │   └── NotUnderstood       400 and every other 4xx: Asana changed, or we are wrong
    ├── NotThere             404, which also means "not for you to see": no proof that anything is gone
    ├── BadAnswer            not Asana, or not what Asana promises: believe nothing of it
    ├── RefusedHere          never sent: we refused it ourselves
    │   └── TooLate             because its time had passed: look again before another try
    └── OutcomeUnknown       a change was or may have been sent: read what became of it, never send it again

Asked for a change, every error but OutcomeUnknown says that the change was certainly not made.
The first sentence of an exception's docstring is what an operator reads. No error carries a token.
"""


class AsanaError(Exception):
    """A call to Asana failed."""

    def __init__(self, particulars: str = "", *, call: str = "", status: int | None = None, said: str = "") -> None:
        """`call` is method and path, without query; `said` is Asana's own message, already made printable."""
        super().__init__(particulars, call, status, said)
        self.particulars, self.call, self.status, self.said = particulars, call, status, said

    def __str__(self) -> str:
        sentence = (type(self).__doc__ or "").partition("\n")[0].strip()
        answer = f"answer {self.status}" if self.status is not None else ""
        said = f'Asana says "{self.said}"' if self.said else ""
        return " ".join((sentence, "; ".join(filter(None, (self.particulars, self.call, answer, said))))).strip()


class TryLater(AsanaError):
    """Asana could not answer just now."""


class RateLimited(TryLater):
    """Asana asks us to slow down.

    `retry_after` is in seconds, from 1 to 900; it concerns everything that is asked with this credential.
    """

    def __init__(
        self, particulars: str = "", *, call: str = "", status: int | None = 429, said: str = "", retry_after: float
    ) -> None:
        super().__init__(f"wait {retry_after:g} s; {particulars}".strip("; "), call=call, status=status, said=said)
        self.retry_after = retry_after


class BudgetSpent(RateLimited):
    """Asana was not asked: the budget is ours.

    A pause that Asana asked for is a part of it. The call has waited for its permit as long as it may.
    """


class ServerTrouble(TryLater):
    """Asana is in trouble and did not answer the question."""


class Unreachable(TryLater):
    """Asana could not be reached, or did not answer in time."""


class RestartListing(AsanaError):
    """Asana no longer knows this place in the listing: begin the listing again."""


class ListingCut(AsanaError):
    """Asana does not give this listing whole, because it is too long."""


class NeedsOperator(AsanaError):
    """Asana refuses, and will until somebody changes something."""


class NotAuthorized(NeedsOperator):
    """Asana does not accept the token: connect again, or let the organization's administrator allow the app."""


class GrantLost(NotAuthorized):
    """Asana no longer accepts the connection's refresh token: connect again."""


class PlanTooLow(NeedsOperator):
    """The organization's Asana plan does not include this call."""


class Forbidden(NeedsOperator):
    """Asana does not let this account do that: the connection needs an administrator of the organization."""


class NotUnderstood(NeedsOperator):
    """Asana does not accept the request as it was put: this version of Seatkeeper may be too old for Asana's API."""


class NotThere(AsanaError):
    """Asana does not show this: it does not exist, or this account may not see it; it proves nothing."""


class BadAnswer(AsanaError):
    """What came back is not what Asana promises, so none of it is believed."""


class RefusedHere(AsanaError):
    """Never sent: Seatkeeper refused to make this call."""


class TooLate(RefusedHere):
    """Never sent: the time allowed for this call had passed."""


class OutcomeUnknown(AsanaError):
    """The change may or may not have been made: look in Asana, and never send it again without a person's decision."""
