"""What the demo shows at its end: for a person as tables, for a program as one JSON document."""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sandbox.demo.checks import Check, as_json
from sandbox.demo.edge import EventReader
from sandbox.demo.memory import LIMIT, NOT_KNOWN, Peak, megabytes
from sandbox.demo.story import Day, Row


def document(day: Day, reader: EventReader, checks: list[Check], total: float, peaks: Sequence[Peak]) -> Row:
    """Return everything that is shown, for a program."""
    return {
        "right": all(check.holds for check in checks),
        "people": day.people,
        "position": day.position,
        "candidates": _by_state(day),
        "explained": [one["sentence"] for one in day.explained],
        "removals": {"planned": day.plan["people"], "accepted": sum(call["accepted"] is True for call in day.removals)},
        "really_used_unseen": _unseen(day),
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
    console.rule("candidates")
    _table(console, ["state", "people"], [[state, f"{count:,}"] for state, count in _by_state(day).items()])
    for one in day.explained:
        console.print(f"• {one['sentence']}", highlight=False, soft_wrap=True)
    if (unseen := _unseen(day)) is not None:
        console.print(
            f"Of the ready, {unseen:,} did use Asana since then where the source cannot see it (reading, ...): "
            "each verdict says so, and a person reads the plan.",
            soft_wrap=True,
        )
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


def _by_state(day: Day) -> dict[str, int]:
    return dict(sorted(Counter(one["state"] for one in day.candidates).items()))


def _by_type(reader: EventReader) -> Counter[str]:
    return Counter(event.type for event in reader.received.values())


def _unseen(day: Day) -> int | None:
    if day.expected is None or day.judged_at is None:
        return None
    return day.expected.really_used(day.judged_at)


def _table(console: Console, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
