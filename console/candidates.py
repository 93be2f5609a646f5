"""`seats candidates` and `seats explain`: who is one seat too many, and how we know."""

from datetime import datetime
from itertools import pairwise
from operator import itemgetter
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from console.errors import BadUse, NotFound
from console.finding import PersonName, ProfileName, a_profile, check_named, the_person
from console.output import AsJson, Sheet, at, facts, named, show
from console.session import database, now, run
from console.style import examples
from messages.events import CandidateState
from rules.evidence import DECLARATIONS, Source
from rules.outlook import Outlook
from store import explanations, profiles, readings
from store.connect import Connection
from store.explanations import Explanation, Listed, Look
from store.profiles import Profile

HELP = examples("candidates acme", "candidates acme --state ready --json")
HELP_EXPLAIN = examples("explain mara@example.com", "explain 1201234567890123 --profile acme --json")


def candidates(
    profile: ProfileName,
    state: Annotated[CandidateState | None, typer.Option(help="Only this state.", show_default="all open ones")] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List a profile's candidates, longest idle first."""

    async def read() -> list[Listed]:
        async with database() as connection:
            found = await a_profile(connection, profile)
            return await explanations.listed(connection, found.id, state=state, with_closed=every)

    found = run(read())
    rows = [(one.subscription_id, one.name or one.user_gid, one.email, one.state, one.why) for one in found]
    by_state = {one: sum(each.state == one for each in found) for one in sorted({each.state for each in found})}
    remark = ", ".join(f"{count:,} {one.replace('_', ' ')}" for one, count in by_state.items())
    columns = ("id", "person", "e-mail", "state", "why")
    sheet = Sheet(columns, rows, remark=remark, empty="There is no such candidate.", numbers=frozenset({"id"}))
    names = "candidate_id subscription_id user_gid name email state why last_act_at opened_at changed_at"
    document = [{name: getattr(one, name) for name in names.split()} for one in found]
    show({"profile": profile, "by_state": by_state, "candidates": document}, sheet, as_json=as_json)


def explain(
    person: PersonName,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Where they have a seat.", show_default="found")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a person is, or is not, a candidate.

    Shows the verdict as it would be now, what each source saw and when, the gaps between, what it cannot see, the
    earliest day on which the person could become a candidate, and every decision so far.
    """

    async def read() -> tuple[Profile, Explanation]:
        async with database() as connection:
            where = await a_profile(connection, profile) if profile else await _where(connection, person)
            gid = await the_person(connection, where, person)
            found = await explanations.explain(connection, where.id, gid, now())
            assert found is not None  # the_person has seen the subscription
            return where, found

    where, found = run(read())
    show(_document(where, found), *_told(where, found), as_json=as_json)


async def _where(connection: Connection, person: str) -> Profile:
    check_named(person)
    known = await profiles.all_of(connection)
    found = [one for one in known if await readings.user_gids(connection, one.id, person)]
    if not found:
        raise NotFound(f"no profile knows anybody by {person}; give an e-mail, a gid or a subscription id")
    if len(found) > 1:
        raise BadUse(f"{person} has a seat in several; choose with --profile: {', '.join(one.name for one in found)}")
    return found[0]


def _told(where: Profile, found: Explanation) -> list[Sheet | str]:
    seat, zone = found.subscription, where.time_zone
    last = (
        f"{at(seat.last_act_at, zone)}: {seat.last_act}, by {_named(seat.source)}, proof {seat.proof}"
        if seat.last_act_at
        else "none was seen"
    )
    parts: list[Sheet | str] = [
        f"{seat.name or seat.user_gid} {_in_a_word(found)}",
        facts(
            {
                "person": " ".join(filter(None, (seat.name, seat.email and f"<{seat.email}>", f"({seat.user_gid})"))),
                "seat": f"{seat.software_model}{', admin' if seat.is_admin else ''}, since {at(seat.joined_at, zone)}",
                "gone": at(seat.gone_at, zone) or None,
                "last activity": last,
                "rule": found.threshold_days
                and f"a candidate after {named(found.threshold_days, 'day')} without {_wanted(found)}",
                "candidate": found.candidate_state or "no",
                "could become one": found.outlook and _ahead(found.outlook, zone),
            }
        ),
        "",
        _sources(found, zone),
        "",
        *(_declared(look.source) for look in found.looks),
    ]
    if found.verdict and found.verdict.unseen:
        parts += ["", f"What the source cannot see: {'; '.join(found.verdict.unseen)}."]
    if found.decisions:
        rows = [
            (at(one.decided_at, zone), one.state_from, one.state_to, one.decided_by, one.why) for one in found.decisions
        ]
        parts += ["", Sheet(("decided", "from", "to", "by", "why"), rows)]
    return parts


def _sources(found: Explanation, zone: str) -> Sheet:
    """Lay out a line for each window, and one for each gap between two: what was not seen is not left out."""
    rows: list[tuple[str, ...]] = []
    for look in found.looks:
        lines = [("seen", begin, end) for begin, end in look.covered]
        lines += [("NOT SEEN", begin, end) for begin, end in gaps_between(look.covered)]
        told = [
            (f"{at(begin, zone)} to {at(end, zone)}", word) for word, begin, end in sorted(lines, key=itemgetter(1))
        ]
        first, *others = told or [("nothing", "")]
        asked = at(look.asked_at, zone) or "never"
        rows.append((_named(look.source), *first, asked, look.trouble or ""))
        rows.extend(("", *one, "", "") for one in others)
    return Sheet(("source", "window", "", "last asked", "trouble"), rows, empty="No source has said anything yet.")


def gaps_between(windows: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return what lies between windows that stand in their order."""
    return [(end, begin) for (_, end), (begin, _) in pairwise(windows)]


def _declared(source: Source) -> str:
    one = DECLARATIONS[source]
    sees = f"{_named(source)} sees {one.sees}. Of private work: {one.private_work}."
    return f"{sees} It cannot see: {'; '.join(one.unseen)}."


def _named(source: Source | None) -> str:
    return (source or "nothing").replace("_", " ")


def _wanted(found: Explanation) -> str:
    return "any use" if found.evidence == "any_use" else "work"


def _ahead(ahead: Outlook, zone: str) -> str:
    if ahead.earliest is None:
        return f"only if {ahead.condition}"
    return f"on {ahead.earliest.astimezone(ZoneInfo(zone)):%Y-%m-%d} at the earliest, if {ahead.condition}"


def _in_a_word(found: Explanation) -> str:
    seat, verdict = found.subscription, found.verdict
    if seat.state == "gone":
        return f"has no seat any more: {seat.gone_because}."
    if verdict is None:
        return "was not judged yet: activity was never pulled."
    words = {"keep": "keeps the seat", "ready": "does not use the seat", "attention_required": "needs a look"}
    return f"{words[verdict.outcome]}: {verdict.why}."


def _document(where: Profile, found: Explanation) -> dict[str, object]:
    seat, verdict, ahead = found.subscription, found.verdict, found.outlook
    names = (
        "subscription_id user_gid name email software_model is_admin joined_at state gone_at gone_because last_act_at"
        " last_act proof source"
    )
    decided = "decided_at state_from state_to decided_by why evidence"
    return {
        "profile": where.name,
        "sentence": f"{seat.name or seat.user_gid} {_in_a_word(found)}",
        **{name: getattr(seat, name) for name in names.split()},
        "sources": [_look(one) for one in found.looks],
        "threshold_days": found.threshold_days,
        "evidence": found.evidence,
        "verdict": None
        if verdict is None
        else {"outcome": verdict.outcome, "reason": verdict.reason, "why": verdict.why, "unseen": list(verdict.unseen)},
        "outlook": ahead and {"earliest": ahead.earliest, "condition": ahead.condition},
        "candidate_state": found.candidate_state,
        "decisions": [{name: getattr(one, name) for name in decided.split()} for one in found.decisions],
    }


def _look(look: Look) -> dict[str, object]:
    one = DECLARATIONS[look.source]
    return {
        "source": look.source,
        "covered": _windows(look.covered),
        "gaps": _windows(gaps_between(look.covered)),
        "asked_at": look.asked_at,
        "trouble": look.trouble,
        "sees": one.sees,
        "private_work": one.private_work,
        "unseen": list(one.unseen),
    }


def _windows(windows: list[tuple[datetime, datetime]]) -> list[dict[str, datetime]]:
    return [{"from": begin, "to": end} for begin, end in windows]
