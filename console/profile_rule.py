"""What an operator says of the reclamation rule: which evidence it wants and for how long, and what follows from it."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias

import typer

from console.output import named
from rules.evidence import DECLARATIONS, PLANS_WITH_AUDIT_LOG, Evidence, enough, sources_of
from store import member_exports, readings
from store.connect import Connection
from store.profiles import Profile

WantedEvidence: TypeAlias = Annotated[
    Literal["work", "any-use"] | None,
    typer.Option(
        "--evidence",
        help="What must be unseen before a seat is a candidate: acts of work, or use of any kind.",
        show_default="as it is; work at first",
    ),
]
ThresholdDays: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=3650,
        help="Days without it after which a seat is a candidate.",
        show_default="as it is; 60 at first",
    ),
]
WORDS: dict[Evidence, str] = {"work": "work", "any_use": "any use"}


def evidence_of(wanted: Literal["work", "any-use"] | None) -> Evidence | None:
    """Return the evidence by its name in the rule."""
    return None if wanted is None else "any_use" if wanted == "any-use" else "work"


def sentence(rule: dict[str, object]) -> str:
    """Say a rule, as `no any use for 60 days`."""
    wanted = WORDS["any_use" if rule["evidence"] == "any_use" else "work"]
    return f"no {wanted} for {named(int(str(rule['threshold_days'])), 'day')}"


async def remarks_on(connection: Connection, profile: Profile, now: datetime) -> list[str]:
    """Say where nobody can be a candidate by the rule: the sources do not exist, or do not look back so far."""
    rule = await readings.rule_of(connection, profile.id)
    if rule is None:
        return []
    found = []
    if rule["evidence"] == "any_use" and not await _any_use_is_seen(connection, profile, now):
        account = ", or a service account is connected" if profile.plan in PLANS_WITH_AUDIT_LOG else ""
        found.append(
            "No source of any use is connected: nobody can be a candidate until a member export is imported"
            f" (./seats activity import {profile.name} members.csv){account}."
        )
    if rule["evidence"] == "work":
        found += too_short(profile.analyze_activity_from, int(str(rule["threshold_days"])), now)
    return found


def too_short(analyze_from: datetime, threshold_days: int, now: datetime) -> list[str]:
    """Say from when on anybody can be judged, where activity is analyzed from a later time than the rule looks back."""
    missing = timedelta(days=threshold_days) - (now - analyze_from)
    if missing < timedelta(hours=1):  # the usual 60 days back and 60 days of the rule, a moment later
        return []
    days = named(-(-missing // timedelta(days=1)), "day")
    span = f"{analyze_from:%Y-%m-%d} on, and a seat is a candidate after {named(threshold_days, 'day')}"
    return [f"Activity is analyzed from {span}: for the next {days} nobody can be judged by tasks."]


async def _any_use_is_seen(connection: Connection, profile: Profile, now: datetime) -> bool:
    application = await readings.application_of(connection, profile.connection_id)
    connected = set(sources_of(profile.plan, with_service_account=application.service_account is not None))
    exports = await member_exports.of_profile(connection, profile.id)
    if exports and exports[0].exported_at >= now - DECLARATIONS["member_export"].lag:
        connected.add("member_export")
    return any(connected.issuperset(one) for one in enough(profile.plan, "any_use"))
