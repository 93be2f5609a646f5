"""A profile as it is shown: its form, its switches, what its plan decides, and what holds its removals back."""

from collections.abc import Mapping

from asana_api import oauth
from console.output import at
from console.profile_rule import WORDS, sentence
from rules.evidence import Evidence, enough, sources_of
from rules.pace import requests_a_minute, searches_a_minute
from rules.switches import ACTIVITY_OFF, RECLAIM_OFF
from settings import CALLBACK, read_settings
from store import connections, readings
from store.connect import Connection
from store.profiles import Profile

PROFILE_TYPES = {"subscription": "Subscription"}
SWEEPS = {"economical": "only those for whom it can make a difference", "full": "everybody, each time"}


def described(profile: Profile) -> dict[str, object]:
    """Return a profile as it stands in a JSON document."""
    names = (
        "name display_name profile_type status connection organization_gid organization_name plan time_zone currency"
        " activity_enabled reclaim_enabled analyze_activity_from sweep leashed removal_cap provisioned_by_scim"
        " work_goes_to reclaim_stopped_at reclaim_stopped_by reclaim_stopped_why created_at published_at deleted_at"
    )
    return {name: getattr(profile, name) for name in names.split()}


def brakes_of(profile: Profile) -> str:
    """Say in words what holds the removals of a profile back."""
    if profile.deleted_at is not None:
        return "none any more: the profile was deleted"
    if not profile.reclaim_enabled:
        return f"none: {RECLAIM_OFF}"
    if not profile.activity_enabled:
        return f"none: {ACTIVITY_OFF}"
    if profile.provisioned_by_scim:
        return "refused here: provisioned by SCIM"
    if profile.reclaim_stopped_at is not None:
        return f"stopped by {profile.reclaim_stopped_by}: {profile.reclaim_stopped_why}"
    return "leashed: dry run" if profile.leashed else "unleashed"


def named(profile: Profile) -> str:
    """Return the name by which a profile is found: a deleted one has its number behind it."""
    return profile.name if profile.deleted_at is None else f"{profile.name}@{profile.id}"


async def whole(connection: Connection, profile: Profile) -> dict[str, object]:
    """Return all that is shown of a profile, as a JSON document: with its connection, plan, rule and schedule."""
    credential = await connections.credential_of(connection, profile.connection_id)
    rule = await readings.rule_of(connection, profile.id)
    application = await readings.application_of(connection, profile.connection_id)
    return described(profile) | {
        "named": named(profile),
        "connection_url": profile.base_url,
        "client_id": application.client_id,
        "redirect_url": _redirect_url() if application.client_id else None,
        "connection_state": credential.state if credential else "not_connected",
        "connection_lost_because": credential.lost_reason if credential else None,
        "service_account": application.service_account,
        "rule": rule,
        "schedule": await readings.schedule_of(connection, profile.id),
        "plan_decides": _decided(profile, rule, with_service_account=application.service_account is not None),
    }


def _redirect_url() -> str:
    """Where a browser comes back to: our own page, or none, and a person pastes the code."""
    public_url = read_settings().public_url
    return oauth.OUT_OF_BAND if public_url is None else public_url + CALLBACK


def _decided(profile: Profile, rule: Mapping[str, object] | None, *, with_service_account: bool) -> dict[str, object]:
    evidence: Evidence = "any_use" if rule is not None and rule["evidence"] == "any_use" else "work"
    return {
        "requests_a_minute": requests_a_minute(profile.plan),
        "searches_a_minute": searches_a_minute(profile.plan),
        "sources": list(sources_of(profile.plan, with_service_account=with_service_account)),
        "evidence": evidence,
        "enough": [list(one) for one in enough(profile.plan, evidence)],
    }


def told(profile: Profile, document: Mapping[str, object]) -> dict[str, object]:
    """Return the same as lines for a person."""
    zone, rule, schedule = profile.time_zone, document["rule"], document["schedule"]
    lines: dict[str, object] = {
        "profile": document["named"],
        "display name": profile.display_name,
        "status": profile.status.capitalize(),
        "profile type": PROFILE_TYPES[profile.profile_type],
        "organization": f"{profile.organization_name} ({profile.organization_gid})",
        "connection": f"{profile.connection}: {document['connection_state']}",
        "connection URL": profile.base_url,
        "client id": document["client_id"],
        "redirect URL": document["redirect_url"],
        "service account": document["service_account"],
        **_plan_lines(profile, document["plan_decides"]),
        "download": "on (always)",
        "activity": _switch(on=profile.activity_enabled, off=ACTIVITY_OFF),
        "analyze from": at(profile.analyze_activity_from, zone),
        "asks about": SWEEPS[profile.sweep],
        "reclaim": _switch(on=profile.reclaim_enabled, off=RECLAIM_OFF),
        "removals": brakes_of(profile),
        "most in 24 hours": profile.removal_cap,
        "work goes to": profile.work_goes_to,
        "deleted": at(profile.deleted_at, zone) or None,
    }
    if isinstance(rule, dict):
        lines["rule"] = sentence(rule)
    if isinstance(schedule, dict) and schedule["enabled"]:
        lines["cycle"] = f"{schedule['cron']} {schedule['time_zone']}, next {at(schedule['next_due_at'], zone)}"
    return lines


def _plan_lines(profile: Profile, decided: object) -> dict[str, object]:
    assert isinstance(decided, dict)
    searches = f", {decided['searches_a_minute']} of them searches" if decided["searches_a_minute"] else ", no search"
    ways = " or ".join(" and ".join(one) for one in decided["enough"])
    return {
        "plan": f"{profile.plan}: {decided['requests_a_minute']:,} requests a minute{searches}",
        "sources asked": ", ".join(decided["sources"]),
        "a verdict needs": f"{ways} ({WORDS[decided['evidence']]})",
    }


def _switch(*, on: bool, off: str) -> str:
    return "on" if on else f"off: {off}"
