"""What the demo shows at its end: for a person as tables, for a program as one JSON document."""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sandbox.demo.checks import Check, as_json
from sandbox.demo.connecting import Row
from sandbox.demo.day import Day, Judged
from sandbox.demo.edge import EventReader
from sandbox.demo.memory import LIMIT, NOT_KNOWN, Peak, megabytes
from sandbox.demo.story import DAYS_SHOWN

CYCLES = ("first cycle", "next cycle")


def document(day: Day, reader: EventReader, checks: list[Check], total: float, peaks: Sequence[Peak]) -> Row:
    """Return everything that is shown, for a program."""
    return {
        "right": all(check.holds for check in checks),
        "people": day.people,
        "position": day.position,
        "connections": [one["connection"] for one in day.connections],
        "claims": _outcomes(day),
        "asked": [_asked(one) for one in day.cycles],
        "candidates": [_by_state(one) for one in day.cycles],
        "explained": [one["sentence"] for one in day.explained],
        "removals": {"planned": day.plan["people"], "accepted": sum(call["accepted"] is True for call in day.removals)},
        "really_used_unseen": [_unseen(one) for one in day.cycles],
        "refused_request": day.refusal,
        "events": dict(sorted(_by_type(reader).items())),
        "seconds": {name.strip(): round(took, 2) for name, took in day.took.items()} | {"total": round(total, 2)},
        "memory": {
            "limit_bytes": LIMIT,
            "processes": [{"process": one.process, "peak_bytes": one.bytes, "holds": one.holds} for one in peaks],
        },
        "checks": [as_json(check) for check in checks],
    }


def tell(
    console: Console, day: Day, reader: EventReader, checks: list[Check], total: float, peaks: Sequence[Peak] = ()
) -> None:
    """Print what happened."""
    position = day.position
    console.rule("license position")
    counts = ["owned", "used", "available", "needed"]
    _table(console, counts, [[f"{position[name]:,}" for name in counts]])
    amounts = ["true_up_cost", "over_licensed_amount", "potential_savings"]
    _table(
        console,
        [name.replace("_", " ") for name in amounts],
        [[f"{position[name]} {position['currency']}" for name in amounts]],
    )
    console.print("compliant" if position["compliant"] else "not compliant: more seats are used than owned")
    console.rule("activity")
    _tell_activity(console, day)
    console.rule("candidates")
    _tell_candidates(console, day)
    console.rule("removals")
    _tell_removals(console, day)
    console.rule("events received")
    _table(console, ["type", "events"], [[name, f"{count:,}"] for name, count in sorted(_by_type(reader).items())])
    console.print(f"A request for a profile that does not exist was refused: {day.refusal}", highlight=False)
    console.rule("time")
    _table(
        console,
        ["part", "seconds"],
        [[name, f"{took:.1f}"] for name, took in [*day.took.items(), ("all together", total)]],
    )
    if peaks:
        console.rule("memory")
        tell_memory(console, peaks)
    console.rule("checks")
    tell_checks(console, checks)


def tell_checks(console: Console, checks: list[Check]) -> None:
    """Print each figure beside what it must be."""
    rows = [
        [one["name"], str(one["found"]), str(one["expected"]), "ok" if one["holds"] else "WRONG"]
        for one in map(as_json, checks)
    ]
    _table(console, ["figure", "found", "must be", ""], rows)
    wrong = sum(not check.holds for check in checks)
    console.print(
        f"{len(checks) - wrong} of {len(checks)} figures are right."
        if wrong
        else f"All {len(checks)} figures are right."
    )


def tell_memory(console: Console, peaks: Sequence[Peak]) -> None:
    """Print the most memory that each process held, beside the limit."""
    words = {True: "ok", False: "TOO MUCH", None: ""}
    rows = [
        [one.process, NOT_KNOWN if one.bytes is None else megabytes(one.bytes), megabytes(LIMIT), words[one.holds]]
        for one in peaks
    ]
    _table(console, ["process", "peak MB", "at most", ""], rows)


def _tell_removals(console: Console, day: Day) -> None:
    outcomes = Counter(item["outcome"] or "waiting" for item in day.plan["items"])
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    accepted = sum(call["accepted"] is True for call in day.removals)
    console.print(f"Plan {day.plan['hash'][:12]}, approved by {day.plan['approved_by']}: {told}.", highlight=False)
    console.print(
        f"The look-alike's own record: {len(day.removals):,} calls, {accepted:,} people removed.", highlight=False
    )


def _tell_activity(console: Console, day: Day) -> None:
    """Print what was asked, how far each source has seen, and what is known of Asana itself."""
    told = ("people", "due", "asked", "watched", "looked_deep", "acts_seen", "unknown")
    rows = [[name, *(f"{_asked(one)[key]:,}" for key in told)] for name, one in zip(CYCLES, day.cycles, strict=True)]
    _table(console, ["pull", *(key.replace("_", " ") for key in told)], rows)
    console.print("The sweep is economical: after the first pull only those are asked about who could be idle.")
    sources = [
        [one["source"].replace("_", " "), f"{one['whole']:,} of {one['seats']:,}", f"{one['never']:,}"]
        for one in day.coverage["sources"]
    ]
    _table(console, ["source", f"seats seen on all of {DAYS_SHOWN} days", "never asked"], sources)
    claims = ", ".join(f"{count} {outcome}" for outcome, count in sorted(_outcomes(day).items()))
    console.print(f"Of what is taken for granted of Asana, the probe finds: {claims}.", highlight=False)


def _tell_candidates(console: Console, day: Day) -> None:
    """Print the candidates before and after the import, and some in words."""
    before, after = (_by_state(one) for one in day.cycles)
    rows = [[state, f"{before.get(state, 0):,}", f"{after.get(state, 0):,}"] for state in sorted(before | after)]
    _table(console, ["state", "people", "after the member export"], rows)
    for one in day.explained:
        console.print(f"• {one['sentence']}", highlight=False, soft_wrap=True)
    unseen, left = (_unseen(one) for one in day.cycles)
    console.print(
        f"Of the ready, {unseen:,} used Asana since then where tasks, search and log cannot see it (reading, ...). "
        f"The member export knows use of any kind: of those who are ready after it, {left:,} did.",
        soft_wrap=True,
    )


def _asked(judged: Judged) -> Row:
    counts: Row = judged.step("activity")["counts"]
    return counts


def _outcomes(day: Day) -> Counter[str]:
    return Counter(str(one["outcome"]) for one in day.claims)


def _by_state(judged: Judged) -> dict[str, int]:
    return dict(sorted(Counter(str(one["state"]) for one in judged.candidates).items()))


def _by_type(reader: EventReader) -> Counter[str]:
    return Counter(event.type for event in reader.received.values())


def _unseen(judged: Judged) -> int:
    return judged.expected.really_used(judged.judged_at)


def _table(console: Console, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
