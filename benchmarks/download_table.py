"""The table of the download benchmark: medians of the rounds, and beside whom each figure stands."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from benchmarks.download_legs import AGAIN, DLT_AGAIN, DLT_FIRST, FIRST, OURS, SDK, TAP, Leg
from benchmarks.results import Figure, at_most

Legs = Mapping[str, Sequence[Leg]]
"""What was measured with one number of people: the rounds of each program."""

HELD_FROM = 10_000
"""With fewer people the start of a program is most of it."""
GROWTH = 1.2
SMALL, LARGE = 1_000, 100_000
OURS_SAID = (
    "ours: one process that carries out download_subscriptions with a new database (Postgres, fsync on): both "
    "listings, an event for every change; first stores everybody, again compares. A single figure is the worse of both"
)
MEASURED_SAID = (
    "rounds (their medians are shown): {rounds}. Wall and processor time are the whole child's, its imports too; peak "
    "memory is the kernel's VmHWM, ours read at its end, the others' every 20 ms"
)
TAP_SAID = (
    "tap-asana {tap_asana}: its own command, the stream users into a file; also asks for photo and workspaces, reads "
    "no memberships. It has no setting for Asana's address: a small program sets it"
)
DLT_SAID = (
    "dlt {dlt_duckdb}: rest_api_source, both listings in parallel, merged by gid into DuckDB in its own process; from "
    "100,000 people on only once"
)
SDK_SAID = "asana SDK {asana_sdk}: both listings in two threads, counted and forgotten"
SHORT = {TAP: "tap", DLT_FIRST: "dlt", DLT_AGAIN: "again", SDK: "SDK"}
READS = {TAP: "prints users only", DLT_FIRST: "stores", DLT_AGAIN: "merges", SDK: "reads only"}


def figures(sizes: Mapping[int, Legs]) -> list[Figure]:
    """Give the lines for each number of people, then those on growth."""
    lines = [line for people, legs in sizes.items() for line in _of_size(people, legs)]
    return [*lines, *_growth(sizes)]


def _of_size(people: int, legs: Legs) -> list[Figure]:
    wall = [_wall(people, legs, name) for name in (TAP, DLT_FIRST, DLT_AGAIN, SDK) if name in legs]
    if not wall:
        wall = [Figure(f"{people:,}: wall, {name}", f"{_mid(legs, name, _wall_s):.2f} s", "") for name in OURS]
    return [*wall, _cpu(people, legs), _running(people, legs), *_cpu_with_database(people, legs), _peak(people, legs)]


def _wall(people: int, legs: Legs, name: str) -> Figure:
    """Ours beside one peer: first beside first, again beside again, else the slower of our two."""
    like = {DLT_FIRST: [FIRST], DLT_AGAIN: [AGAIN]}.get(name, list(OURS))
    ours, beside = max(_mid(legs, own, _wall_s) for own in like), _mid(legs, name, _wall_s)
    what, seconds = f"{people:,}: wall beside {name}", f"{beside:.2f} s ({READS[name]})"
    if (short := _short(people, legs, name)) is not None:
        seconds += f", read {short.users:,} users and {short.memberships:,} memberships only"
        return Figure(what, f"{ours:.2f} s", seconds)
    ratio, goal, holds = at_most(ours / beside, 1)
    return Figure(what, f"{ours:.2f} s", seconds, ratio, *_held(people, goal, holds=holds))


def _cpu(people: int, legs: Legs) -> Figure:
    ours = max(_mid(legs, own, _cpu_s) for own in OURS) / people * 1e6
    if TAP not in legs:
        return Figure(f"{people:,}: CPU", f"{ours:.0f} µs a person", "")
    beside = _mid(legs, TAP, lambda leg: leg.cpu_s / leg.users) * 1e6
    ratio, goal, holds = at_most(ours / beside, 1)
    figures = f"{ours:.0f} µs a person", f"{beside:.0f} µs a person"
    return Figure(f"{people:,}: CPU beside {TAP}", *figures, ratio, *_held(people, goal, holds=holds))


def _running(people: int, legs: Legs) -> Figure:
    """Ours without its start, as it is in a worker, which starts once: no goal, as the others are started each time."""
    wall, cpu = (max(_mid(legs, own, figure) for own in OURS) for figure in (_run_s, _run_cpu_s))
    return Figure(f"{people:,}: ours once it runs", f"{wall:.2f} s, {cpu / people * 1e6:.0f} µs", "")


def _cpu_with_database(people: int, legs: Legs) -> list[Figure]:
    """Ours and all of Postgres beside those who store, or who only read: no goal, but it belongs to the truth."""
    if any(leg.postgres_cpu_s is None for own in OURS for leg in legs[own]):
        return []
    first, again = (_mid(legs, own, lambda leg: leg.cpu_s + (leg.postgres_cpu_s or 0)) / people * 1e6 for own in OURS)
    others = [name for name in (DLT_FIRST, DLT_AGAIN, SDK) if name in legs]
    beside = ", ".join(f"{SHORT[name]} {_mid(legs, name, _cpu_s) / people * 1e6:.0f}" for name in others)
    return [
        Figure(
            f"{people:,}: with Postgres' own", f"{first:.0f}, again {again:.0f} µs", f"{beside} µs" if others else ""
        )
    ]


def _peak(people: int, legs: Legs) -> Figure:
    ours = max(_mid(legs, own, _peak_mib) for own in OURS)
    others = [f"{SHORT[name]} {_mid(legs, name, _peak_mib):.0f}" for name in (TAP, DLT_FIRST, SDK) if name in legs]
    return Figure(f"{people:,}: peak memory", f"{ours:.0f} MiB", f"{', '.join(others)} MiB" if others else "")


def _growth(sizes: Mapping[int, Legs]) -> list[Figure]:
    if not {SMALL, LARGE} <= sizes.keys():
        return []
    small, large = (max(_mid(sizes[people], own, _peak_mib) for own in OURS) for people in (SMALL, LARGE))
    lines = [
        Figure(
            "peak memory at 100k over that at 1k",
            f"{large:.0f} MiB",
            f"{small:.0f} MiB",
            *at_most(large / small, GROWTH),
        )
    ]
    for name in (TAP, DLT_FIRST, SDK):
        if name in sizes[SMALL] and name in sizes[LARGE]:
            small, large = (_mid(sizes[people], name, _peak_mib) for people in (SMALL, LARGE))
            lines.append(Figure(f"the same, {name}", "", f"{small:.0f} to {large:.0f} MiB", large / small))
    return lines


def notes(sizes: Mapping[int, Legs], versions: Mapping[str, str]) -> list[str]:
    """Say what each did, how it was measured, and what else it cost."""
    rounds = "; ".join(f"{people:,}: {len(legs[FIRST])}" for people, legs in sizes.items())
    said = [OURS_SAID, MEASURED_SAID.format(rounds=rounds)]
    if any(TAP in legs for legs in sizes.values()):
        said += [text.format(**versions) for text in (TAP_SAID, DLT_SAID, SDK_SAID)]
    return [*said, *(_beside_the_point(people, legs) for people, legs in sizes.items())]


def _beside_the_point(people: int, legs: Legs) -> str:
    rows = "; ".join(f"{name} {_mid(legs, name, _cpu_per_row) * 1e6:.0f}" for name in legs)
    served = "; ".join(f"{name} {_mid(legs, name, lambda leg: leg.look_alike_cpu_s):.2f}" for name in legs)
    wal = ", ".join(f"{_mid(legs, own, lambda leg: leg.wal_mib):.1f}" for own in OURS)
    return (
        f"{people:,}: processor for each row read, µs: {rows}. The look-alike's own, s: {served}. "
        f"Our write-ahead log, first and again, MiB: {wal}"
    )


def _held(people: int, goal: str, *, holds: bool) -> tuple[str, bool | None]:
    return (goal, holds) if people >= HELD_FROM else ("", None)


def _short(people: int, legs: Legs, name: str) -> Leg | None:
    """Give a round in which a peer did not read everybody."""
    ours = legs[FIRST][0]
    for leg in legs[name]:
        if leg.users != people or leg.memberships != (0 if name == TAP else ours.memberships):
            return leg
    return None


def _mid(legs: Legs, name: str, figure: Callable[[Leg], float]) -> float:
    return median(figure(leg) for leg in legs[name])


def _wall_s(leg: Leg) -> float:
    return leg.wall_s


def _cpu_s(leg: Leg) -> float:
    return leg.cpu_s


def _run_s(leg: Leg) -> float:
    return leg.run_s


def _run_cpu_s(leg: Leg) -> float:
    return leg.run_cpu_s


def _cpu_per_row(leg: Leg) -> float:
    return leg.cpu_s / (leg.memberships + leg.users)


def _peak_mib(leg: Leg) -> float:
    return leg.peak_mib
