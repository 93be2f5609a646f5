"""Keeping what was found about a group of people: acts are added, windows claimed, and troubles noted and said."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rules.evidence import Source
from sources.contract import Findings
from store import activity
from store.activity import Claimed, Lost
from store.asking import Person
from store.connect import Connection


async def keep_findings(
    connection: Connection,
    profile_id: int,
    people: Iterable[Person],
    findings: Sequence[Findings],
    *,
    asked_at: datetime,
    now: datetime,
) -> list[Lost]:
    """Keep, source by source, what concerns these people, and nobody else; return those of whom nothing is known.

    `asked_at` is the moment of the try: at least the pull's start, also where this machine's clock is behind.
    """
    ids = {one.user_gid: one.subscription_id for one in people}
    lost: list[Lost] = []
    for source in dict.fromkeys(one.source for one in findings):
        found = [one for one in findings if one.source == source]
        troubles = {ids[gid]: why for one in found for gid, why in one.troubles.items() if gid in ids}
        await activity.add_acts(connection, profile_id, _acts(found, ids), now, source=source)
        await activity.claim(connection, profile_id, source, _claims(found, ids), asked_at)
        await activity.note_trouble(connection, profile_id, source, troubles, asked_at)
        lost += _lost(source, troubles, ids)
    return lost


def _acts(found: Iterable[Findings], ids: Mapping[str, int]) -> list[activity.Row]:
    return [(ids[act.user_gid], act.act, act.at, act.proof) for one in found for act in one.acts if act.user_gid in ids]


def _claims(found: Iterable[Findings], ids: Mapping[str, int]) -> list[Claimed]:
    return [
        Claimed(ids[gid], begin, end)
        for one in found
        for gid, (begin, end) in one.covered.items()
        if gid in ids and gid not in one.troubles
    ]


def _lost(source: Source, troubles: Mapping[int, str], ids: Mapping[str, int]) -> list[Lost]:
    return [Lost(number, gid, source, troubles[number]) for gid, number in ids.items() if number in troubles]
