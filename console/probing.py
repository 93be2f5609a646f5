"""`seats claims` and `seats probe`: what our code takes for granted of Asana, and what reading the real one shows.

A probe only reads: whoever runs it changes nothing. What it finds is kept for the connection; it changes nothing in
how Seatkeeper works, an operator decides what to do.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer

from asana_api.claims import BY_ID, CLAIMS, Claim
from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, TryLater
from connections.opening import open_asana
from console.errors import BadUse, NotFound
from console.output import AsJson, Sheet, show
from console.probe_activity import ActivityTrials, NoServiceAccount
from console.probe_seats import SeatTrials, Seen, told_of
from console.session import connect, database, now, run, sealing
from console.style import examples
from store import connections, probes
from store.probes import Probe

HELP_CLAIMS = examples("claims", "claims --json")
HELP = examples("probe acme", "probe acme --organization 1201234567890123 --json")


def claims(as_json: AsJson = False) -> None:
    """List what is taken for granted of Asana and was never tried on the real one."""
    rows = [(one.id, one.sentence, one.source, one.reads or "not by reading", one.breaks) for one in CLAIMS]
    columns = ("claim", "what we take for granted", "from", "settled by", "if it is not so")
    show({"claims": [_document(one) for one in CLAIMS]}, Sheet(columns, rows), as_json=as_json)


def probe(
    alias: Annotated[str, typer.Argument(help="Alias of the connection.", show_default=False)],
    organization: Annotated[
        str | None, typer.Option(help="The organization's gid.", show_default="the only one of the account")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a little of the real Asana, and say which claims that confirms or refutes. Nothing is changed there."""
    found, known = run(_probe(alias, organization))
    lines = [_line(claim, found.get(claim.id), known.get(claim.id)) for claim in CLAIMS]
    rows = [(one["claim"], one["outcome"], one["seen"], one["to_do"]) for one in lines]
    refuted = sum(one["outcome"] == "refuted" for one in lines)
    settled = sum(one["outcome"] != "unsettled" for one in lines)
    remark = f"{settled} of {len(lines)} claims are settled, {refuted} of them against us."
    sheet = Sheet(("claim", "outcome", "what was seen", "what to do"), rows, remark=remark)
    show({"connection": alias, "claims": lines}, sheet, as_json=as_json)


async def _probe(alias: str, organization: str | None) -> tuple[dict[str, Probe], dict[str, Probe]]:
    """Return what this probe found, and what is known with what was found before."""
    async with database() as connection:
        known = await connections.get(connection, alias)
        if known is None:
            raise NotFound(f"there is no connection {alias}; make it with `./seats connect {alias}`")
        moment = now()
        async with open_asana(connect(), known.id, sealing(), reads_in_flight=1, tries_search=True) as asana:
            gid = organization or await _only_organization(asana.client)
            seats = SeatTrials(asana.client, gid, [])
            service = asana.service.client if asana.service is not None else None
            activity = ActivityTrials(asana.client, service, gid, seats, own_gid=asana.own_gid, now=moment)
            seen = await _all(seats, activity)
        found = [Probe(claim, outcome, told, moment) for claim, outcome, told in seen]
        async with connection.transaction():
            await probes.keep(connection, known.id, found)
        return {one.claim: one for one in found}, await probes.of_connection(connection, known.id)


async def _only_organization(client: AsanaClient) -> str:
    organizations = [one for one in await client.workspaces() if one.is_organization]
    if len(organizations) != 1:
        several = ", ".join(f"{one.gid} ({one.name})" for one in organizations) or "none"
        raise BadUse(f"choose one with --organization; the account is in: {several}")
    return organizations[0].gid


Trial = Callable[[], Awaitable[list[Seen]]]


async def _all(seats: SeatTrials, activity: ActivityTrials) -> list[Seen]:
    """Try everything, each with the claims that it speaks of; the first one reads the people for the others."""
    trials: tuple[tuple[str, Trial], ...] = (
        ("membership-fields page-has-way-on page-of-100", seats.memberships),
        ("removed-is-inactive", seats.removed),
        ("absent-is-empty", seats.absent),
        ("stale-offset-400", seats.stale_offset),
        ("agents-have-no-seat", seats.agents),
        ("not-there-is-404 refusals-have-a-form", seats.not_there),
        ("search-needs-a-plan search-of-25-people", activity.search),
        ("stories-move-tasks", activity.stories),
        ("commenters-follow", activity.commenters),
        ("search-lags-a-minute", activity.lag),
        ("log-is-for-service-accounts", activity.log_refused),
        ("log-ascends log-keeps-90-days", activity.log),
        ("log-goes-on", activity.log_goes_on),
    )
    return [seen for spoken_of, trial in trials for seen in await _tried(spoken_of.split(), trial)]


async def _tried(spoken_of: Sequence[str], trial: Trial) -> list[Seen]:
    """Try once; an answer that says nothing leaves the claims unsettled. Asana's being away ends the probe."""
    try:
        found = await trial()
    except NoServiceAccount:
        return [(one, "unsettled", "the connection has no service account") for one in spoken_of]
    except TryLater:
        raise
    except AsanaError as error:
        return [(one, "unsettled", told_of(error)) for one in spoken_of]
    known = {claim for claim, _, _ in found}
    return found + [(one, "unsettled", "another answer came first") for one in spoken_of if one not in known]


def _line(claim: Claim, found: Probe | None, known: Probe | None) -> dict[str, object]:
    """Say what is known of a claim; where this probe did not settle it, what an earlier one saw counts."""
    newest = found if found is not None and found.outcome != "unsettled" else known or found
    outcome = newest.outcome if newest else "unsettled"
    return {
        "claim": claim.id,
        "assumed": claim.sentence,
        "outcome": outcome,
        "seen": newest.seen if newest else "cannot be settled by reading",
        "asked_at": newest.asked_at if newest else None,
        "if_refuted": claim.breaks,
        "to_do": claim.to_do if outcome == "refuted" else "",
    }


def _document(claim: Claim) -> dict[str, object]:
    names = "id sentence breaks source reads to_do"
    return {name: getattr(BY_ID[claim.id], name) for name in names.split()}
