"""`seats profile set|delete`: what an operator says about a profile changes, or its days are over."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from console.errors import BadUse, Refused
from console.finding import ProfileName, the_profile
from console.output import AsJson, show
from console.output import named as counted
from console.profile_facts import described, named
from console.profile_rule import ThresholdDays, WantedEvidence, evidence_of, remarks_on
from console.profile_terms import MOST_REMOVALS, Beyond, moment_from, name_for_people, zone_named
from console.session import By, database, now, run
from console.style import examples
from rules.evidence import AsanaPlan
from store import deletions, profiles, reclamation_rule
from store.deletions import Ended
from store.profiles import Changes, Profile, Sweep
from store.reclamation_rule import RuleChange


def add_to(app: typer.Typer) -> None:
    """Put these commands into the group `profile`."""
    app.command(
        "set",
        epilog=examples(
            "profile set acme --no-reclaim",
            "profile set acme --plan enterprise --time-zone Europe/Berlin",
            "profile set acme --evidence any-use",
        ),
    )(set_)
    app.command("delete", epilog=examples("profile delete acme", "profile delete acme --yes"))(delete)


def set_(
    name: ProfileName,
    display_name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    plan: Annotated[AsanaPlan | None, typer.Option(help="The organization's Asana plan.")] = None,
    activity: Annotated[bool | None, typer.Option("--activity/--no-activity", help="Pull activity.")] = None,
    reclaim: Annotated[bool | None, typer.Option("--reclaim/--no-reclaim", help="Take seats back.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="The zone of the schedule and of times that are shown.")] = None,
    analyze_activity_from: Annotated[
        str | None, typer.Option(help="From when activity is analyzed: a date (2026-10-01), or days back (60d).")
    ] = None,
    beyond: Beyond = False,
    sweep: Annotated[Sweep | None, typer.Option(help="Whom a pull asks about.")] = None,
    removal_cap: Annotated[
        int | None, typer.Option(min=1, max=MOST_REMOVALS, help="Most removals in any 24 hours.")
    ] = None,
    evidence: WantedEvidence = None,
    threshold_days: ThresholdDays = None,
    as_json: AsJson = False,
) -> None:
    """Change what is said about a profile. What runs goes on; the next step of it obeys."""
    if time_zone is not None:
        zone_named(time_zone)
    given = Changes(
        display_name=None if display_name is None else name_for_people(display_name),
        plan=plan,
        time_zone=time_zone,
        activity_enabled=activity,
        reclaim_enabled=reclaim,
        sweep=sweep,
        removal_cap=removal_cap,
    )
    rule = RuleChange(evidence=evidence_of(evidence), threshold_days=threshold_days)
    if given == Changes() and rule == RuleChange() and analyze_activity_from is None:
        raise BadUse("say what to change; see --help")
    after, remarks = run(_change(name, given, rule, analyze_activity_from, beyond=beyond))
    show(described(after) | {"remarks": remarks}, f"Profile {name} is changed.", *remarks, as_json=as_json)


async def _change(
    name: str, given: Changes, rule: RuleChange, analyze_from: str | None, *, beyond: bool
) -> tuple[Profile, list[str]]:
    async with database() as connection, connection.transaction():
        before, moment = await the_profile(connection, name, lock=True), now()
        if analyze_from is not None:
            zone = zone_named(given.time_zone or before.time_zone)
            begin = moment_from(analyze_from, moment, zone, beyond=beyond)
            given = replace(given, analyze_activity_from=begin)
        await profiles.change(connection, before, given, moment)
        judged_anew = rule != RuleChange()
        if judged_anew and not await reclamation_rule.change(connection, before.id, rule):
            raise Refused(f"profile {name} has no rule yet: say it to `./seats profile publish {name}`")
        after = await the_profile(connection, name)
        remarks = _remarks(before, after)
        if judged_anew or after.plan != before.plan or given.analyze_activity_from is not None:
            remarks += await remarks_on(connection, after, moment)
        return after, remarks


def _remarks(before: Profile, after: Profile) -> list[str]:
    """Say what a change means that may not be plain."""
    changed = {
        "Activity is off: no activity is pulled, no candidates are found, and those that are open are not acted on."
        " The profile stays as it is, its download and reconciliation go on.": before.activity_enabled
        and not after.activity_enabled,
        "Activity is on: candidates are found again after the next pull.": after.activity_enabled
        and not before.activity_enabled,
        "Reclaim is off: there are candidates and plans to read, and nobody is removed. What became of a removal that"
        " was called already is read back as ever.": before.reclaim_enabled and not after.reclaim_enabled,
        "Reclaim is on: the leash and the stop hold removals back as they did.": after.reclaim_enabled
        and not before.reclaim_enabled,
        f"Whether Asana agrees that the plan is {after.plan} is seen by ./seats profile validate"
        f" {after.name}.": before.plan != after.plan,
        "What was pulled from an earlier time on is kept.": after.analyze_activity_from > before.analyze_activity_from,
    }
    return [sentence for sentence, holds in changed.items() if holds]


def delete(
    name: ProfileName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the name again.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """End all that runs for a profile and give its name free. What is known of it stays, and can be read."""
    if not yes:
        _confirm(name)
    profile, ended = run(_delete(name, by))
    counts = {"runs": ended.runs, "candidates": ended.candidates, "plans": ended.plans}
    show(
        described(profile) | {"named": named(profile), "ended": counts},
        f"Profile {name} is deleted; {counted(ended.runs, 'run')}, {counted(ended.candidates, 'candidate')} and"
        f" {counted(ended.plans, 'plan')} were ended. Its history: ./seats profile show {named(profile)}",
        as_json=as_json,
    )


def _confirm(name: str) -> None:
    """Have the name typed again; refuse where nobody sits at a terminal."""
    if not _at_a_terminal():
        raise BadUse(f"deleting profile {name} asks for a confirmation: give --yes")
    if typer.prompt(f"Nothing will run for profile {name} any more. Type its name to delete it", err=True) != name:
        raise Refused("that is not its name; nothing was deleted")


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


async def _delete(name: str, by: str) -> tuple[Profile, Ended]:
    async with database() as connection, connection.transaction():
        profile = await the_profile(connection, name)
        ended = await deletions.delete(connection, profile, by=by, now=now())
        after = await profiles.get_by_id(connection, profile.id)
        assert after is not None
        return after, ended
