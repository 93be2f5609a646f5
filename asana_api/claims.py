"""What our code takes for granted of Asana and was never tried on the real one: each as a claim that can be looked at.

`breaks` is what goes wrong here if it is not so, and `to_do` what to do then; where unknown means keep, a wrong claim
costs knowledge and never a seat. `reads` says how reading alone can settle it; None where only a change, a long wait or
somebody's knowledge could. Sources: "document" is Asana's OpenAPI document of June 2026, "page" one of its pages for
developers, "seen" what others reported, "inferred" our own conclusion.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about Asana that our code rests on."""

    id: str
    sentence: str
    breaks: str
    source: str
    to_do: str
    reads: str | None = None


_STRICT = "the call is refused as an odd answer: the run fails and nobody is touched"
_KEEP = "nobody is called gone or idle who is not; some who are stay unseen"

CLAIMS: tuple[Claim, ...] = (
    # Seats
    Claim("membership-fields", "Every membership says is_active, is_admin, is_guest, is_view_only and created_at.",
          _STRICT, "document", "report the field; no download works until then", "the first page of memberships"),
    Claim("page-has-way-on", "A listing asked with limit says next_page, null on its last page.",
          _STRICT, "page on pagination", "report it; no listing works until then", "the first page of memberships"),
    Claim("page-of-100", "A page has at most the 100 entries that were asked for.",
          "the count of pages is wrong; nobody is missed", "document", "report it", "the first page of memberships"),
    Claim("stale-offset-400", "A place in a listing that Asana no longer knows is answered with 400.",
          "a listing that grew old fails instead of beginning again", "seen", "report the answer",
          "a place in the memberships that never was"),
    Claim("offset-lives-15-minutes", "A place in a listing can be gone on from for about fifteen minutes.",
          "a download that was put off begins again, once, and then fails", "seen",
          "lower what a run may wait before it begins its listing again"),
    Claim("cut-listing-says-truncated", 'A listing that is too long ends with a 400 that says "truncated".',
          "the run fails for another reason; nobody is called gone", "page on errors", "report the words"),
    Claim("absent-is-empty", "Asked for the membership of somebody who has none, Asana answers an empty list.",
          "absence is never proven: people who left stay as they are", "inferred",
          "report the answer; leave the removal of people to the console until then",
          "the membership of a gid that nobody has"),
    Claim("removed-is-inactive", "Somebody who was removed has no membership, or one that is not active.",
          "a removal counts as unknown and is parked for a person to look at", "inferred",
          "do not unleash; report the answer", "a former member on the first pages, asked for alone"),
    Claim("invited-are-active", "Somebody who was invited and never came is active, and cannot be told apart.",
          "people who never came are shown as never seen, as now", "document", "nothing: they need a person's look"),
    Claim("view-only-is-not-paid", "A view-only member and a guest hold no paid seat.",
          "the license position counts too few seats; nobody is removed for it", "inferred",
          "compare the position with Asana's admin console"),
    Claim("joined-anew", "Somebody who was put back has another membership, or another created_at.",
          "a plan made before could name somebody who came back; their acts since then still keep them", "inferred",
          "let plans expire within a day"),
    Claim("agents-have-no-seat", "AI Teammates are in no listing of memberships.",
          "an agent counts as a seat; it is never removed, as nobody saw it act as a person", "document",
          "exempt the agents", "the agents beside the first pages of memberships"),
    Claim("names-of-everybody", "The listing of users has everybody of the organization, beyond 2,000 people as well.",
          "the download is incomplete, and nobody is called gone", "document", "report how many are missing"),
    # Activity
    Claim("stories-move-tasks", "A task's modified_at is never before its last story.",
          "acts are missed by the pull, so somebody could look idle: the last look asks again", "inferred",
          "do not unleash; ask with --sweep full and report it", "some tasks and their stories"),
    Claim("commenters-follow", "Whoever comments on a task follows it from then on.",
          "comments by people who stopped following are not seen; a verdict says so", "page on tasks",
          "import the member export, or connect a service account", "some tasks of the last week and their stories"),
    Claim("search-needs-a-plan", "A free organization is answered 402 to a search.",
          "the plan on the profile may be wrong; sources are chosen wrongly", "document",
          "set the plan on the profile to what Asana answers", "one search"),
    Claim("search-of-25-people", "A search takes 25 people in one parameter.",
          "the group is halved until Asana takes it: more searches", "inferred", "nothing", "one search for 25 people"),
    Claim("search-is-whole-below-100", "A search that answers fewer than 100 tasks answers all that it knows.",
          "acts are missed, so somebody could look idle: the last look asks again", "inferred",
          "do not unleash; report an example"),
    Claim("search-lags-a-minute", "A change shows in the search within two minutes.",
          "the newest acts are missed until the next pull", "page on the search: 10 to 60 seconds",
          "do not unleash while it is so; report how long it took", "a search for what was changed in the last hour"),
    Claim("log-is-for-service-accounts", "The audit log is refused with 403 or 402 to everybody else.",
          "nothing: it would be good news", "document", "nothing", "one page of the log with the account's own token"),
    Claim("log-ascends", "The audit log is in the order of created_at.",
          "the stream claims a window that has a gap", "document", "disconnect the service account and report it",
          "one page of the log"),
    Claim("log-keeps-90-days", "The audit log has the last 90 days and nothing before.",
          "a window is claimed in which events were deleted already", "page on the audit log",
          "disconnect the service account and report it", "the first event of the last 120 days"),
    Claim("log-goes-on", "The place after the last event can be asked from again, and answers no event twice.",
          "the stream begins again at the last time it saw", "page on the audit log", "report the answer",
          "the end of the last hour, twice"),
    # Refusals and limits
    Claim("refusals-have-a-form", 'Every refusal says {"errors": [{"message": ...}]}.',
          "a refusal counts as an odd answer: the run fails", "page on errors", "report the answer",
          "a task that is not there"),
    Claim("not-there-is-404", "What does not exist, or may not be seen, is answered with 404.",
          _KEEP, "document", "report the answer", "a task that is not there"),
    Claim("429-says-how-long", "A refusal for asking too fast says in Retry-After how many seconds to wait.",
          "we wait half a minute", "page on rate limits", "lower --requests-per-minute"),
    Claim("limits-by-plan", "A token may ask 150 times a minute on free, 1,500 on paid, and search 60 times.",
          "Asana refuses more often, and pulls take longer", "page on rate limits", "lower --requests-per-minute"),
    # Removal
    Claim("removal-answers-empty", 'A removal that was made is answered {"data": {}}.',
          "its outcome counts as unknown, and is read back", "document", "nothing: reading back settles it"),
    Claim("removal-shows-in-a-minute", "A minute after a removal the membership shows it.",
          "it counts as unknown and is parked for a person", "inferred", "look in Asana's console before another plan"),
    Claim("work-goes-to-the-caller", "With an OAuth or personal token a removed person's work goes to that account.",
          "the work goes to somebody else than the operator accepted", "document; for OAuth inferred",
          "remove one person by hand first, and look"),
    # Connection
    Claim("refresh-token-stays", "A refresh token can be used again, unless the answer brings a new one.",
          "the connection is lost after an hour; an operator connects again", "page on OAuth", "connect again"),
)  # fmt: skip
BY_ID = {claim.id: claim for claim in CLAIMS}
