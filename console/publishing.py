"""`seats profile validate|publish|unpublish`: whether a profile can work, and whether it does."""

from datetime import datetime
from typing import Annotated

import typer

from connections.opening import open_asana
from console.errors import BadUse, CommandFailed, Refused
from console.finding import ProfileName, the_profile
from console.output import AsJson, Sheet, at, show
from console.profile_facts import described
from console.profile_rule import ThresholdDays, WantedEvidence, evidence_of, remarks_on
from console.session import By, connect, database, now, run, sealing
from console.style import examples
from console.validating import Check, validate
from rules.schedule import next_due
from store import cycles, profiles, readings
from store.profiles import Profile, Publication
from store.runs import Order

SHOWN = {"ok": "ok", "not_ok": "NOT OK", "not_needed": "not needed"}


def add_to(app: typer.Typer) -> None:
    """Put these commands into the group `profile`."""
    app.command("validate", epilog=examples("profile validate acme"))(validate_)
    app.command(
        "publish",
        epilog=examples(
            "profile publish acme",
            "profile publish acme --cron '30 2 * * 1-5'",
            "profile publish acme --evidence any-use --threshold-days 90",
        ),
    )(publish)
    app.command("unpublish", epilog=examples("profile unpublish acme"))(unpublish)


def validate_(name: ProfileName, as_json: AsJson = False) -> None:
    """Try each permission that download, activity and reclaim need, without harm."""

    async def work() -> list[Check]:
        async with database() as connection:
            profile = await the_profile(connection, name)
        return await _checks(profile)

    checks = run(work())
    valid = all(check.outcome != "not_ok" for check in checks)
    rows = [
        (check.name, check.credential, check.needed_by, SHOWN[check.outcome], check.why, check.to_do)
        for check in checks
    ]
    document = {"profile": name, "valid": valid, "checks": [_document(check) for check in checks]}
    columns = ("check", "tried with", "needed by", "", "what was found", "what to do")
    show(document, Sheet(columns, rows), as_json=as_json)
    if not valid:
        raise typer.Exit(CommandFailed.exit_code)


def publish(
    name: ProfileName,
    cron: Annotated[str, typer.Option(help="When the cycle runs, in the profile's time zone.")] = "0 5 * * *",
    evidence: WantedEvidence = None,
    threshold_days: ThresholdDays = None,
    first_cycle: Annotated[
        bool, typer.Option("--first-cycle/--no-first-cycle", help="Start the first cycle at once.")
    ] = True,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Validate a profile; then make its software models, rule and schedule, and accept its commands."""
    said = Publication(cron=cron, threshold_days=threshold_days, evidence=evidence_of(evidence))
    document, remarks = run(_publish(name, said, first_cycle=first_cycle, by=by))
    due = document["next_due_at"]
    assert isinstance(due, datetime)
    started = f"The first cycle has started: ./seats runs show {str(document['run_id'])[:8]}"
    show(
        document | {"remarks": remarks},
        f"Profile {name} is published; its cycle runs at '{cron}', next {at(due, str(document['time_zone']))}.",
        started if first_cycle else f"Start a cycle with: ./seats run cycle {name}",
        *remarks,
        as_json=as_json,
    )


async def _publish(
    name: str, publication: Publication, *, first_cycle: bool, by: str
) -> tuple[dict[str, object], list[str]]:
    async with database() as connection:
        profile = await the_profile(connection, name)
        _check_cron(publication.cron, profile.time_zone)
        _refuse_the_first_fault(await _checks(profile))
        async with connection.transaction():
            profile, moment = await the_profile(connection, name, lock=True), now()
            due = await profiles.publish(connection, profile, publication, moment)
            run_id = None
            if first_cycle:
                order = Order(profile_id=profile.id, kind="cycle", requested_by=by)
                run_id = await cycles.add(connection, order, moment)
        published = await the_profile(connection, name)
        remarks = await remarks_on(connection, published, moment)
        rule = await readings.rule_of(connection, profile.id)
    document = described(published) | {"cron": publication.cron, "next_due_at": due, "run_id": run_id, "rule": rule}
    return document, remarks


async def _checks(profile: Profile) -> list[Check]:
    if profile.organization_gid is None:
        raise Refused(f"profile {profile.name} has no organization")
    async with open_asana(connect(), profile.connection_id, sealing(), reads_in_flight=1, tries_search=True) as asana:
        service = asana.service.client if asana.service is not None else None
        return await validate(asana, service, profile, now())


def _refuse_the_first_fault(checks: list[Check]) -> None:
    for check in checks:
        if check.error is not None:
            raise check.error
        if check.outcome == "not_ok":
            raise Refused(": ".join(filter(None, (check.name, check.why, check.to_do))))


def _check_cron(cron: str, time_zone: str) -> None:
    try:
        next_due(cron, time_zone, now())
    except ValueError as error:
        raise BadUse(str(error)) from None


def unpublish(name: ProfileName, as_json: AsJson = False) -> None:
    """Refuse the profile's commands from now on, and stop its schedule. What is known of it stays."""

    async def work() -> tuple[Profile, bool]:
        async with database() as connection, connection.transaction():
            profile = await the_profile(connection, name, lock=True)
            was_published = profile.status == "published"
            if was_published:
                await profiles.unpublish(connection, profile, now())
            return await the_profile(connection, name), was_published

    profile, was_published = run(work())
    again = "is a draft again" if was_published else "is a draft already"
    show(described(profile), f"Profile {name} {again}; nothing runs for it.", as_json=as_json)


def _document(check: Check) -> dict[str, object]:
    return {
        "check": check.name,
        "credential": check.credential,
        "needed_by": check.needed_by,
        "outcome": check.outcome,
        "ok": check.outcome != "not_ok",
        "why": check.why,
        "to_do": check.to_do,
    }
