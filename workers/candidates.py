"""The actor `find_reclamation_candidates`: judge every subscription, and keep the candidates true.

No call to Asana: the verdict stands on what the download and the pull of this cycle brought, and on nothing else.
"""

from collections.abc import Iterator, Sequence

from messages.commands import FindReclamationCandidates
from rules.candidate import Open, next_state
from rules.verdict import Verdict, judge
from store import candidates, endings, seats, slices
from store.candidates import Change
from store.connect import Connection
from store.seats import Judged
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Station

JUDGED_AT_ONCE = 500


async def find_reclamation_candidates(station: Station, command: FindReclamationCandidates) -> None:
    """Judge everybody; a slice's worth at a time."""
    await in_slice(station, command, _find)


async def _find(piece: Slice) -> None:
    counts = {"judged": 0, "kept": 0, "found": 0, "changed": 0, "closed": 0} | piece.run.counts
    after = piece.run.cursor.get("after", 0)
    assert isinstance(after, int)
    while judged := await _judge_some(piece, after, counts):
        after = judged
        if piece.is_over():
            break
    else:
        await _finish(piece, counts)
        return
    async with piece.station.transaction() as connection:
        await slices.hand_on(connection, piece.run, piece.next_command(), piece.now())


async def _judge_some(piece: Slice, after: int, counts: dict[str, int]) -> int | None:
    """Judge the next subscriptions in one transaction; return the last one's id, or None if there was none left."""
    run, now = piece.run, piece.now()
    async with piece.station.transaction() as connection:
        rule = await seats.rule_of(connection, run.profile_id)
        pulled = await seats.last_pull(connection, run.profile_id, run.cycle_id)
        if rule is None or pulled is None:
            raise RunRefused(
                "no reclamation rule" if rule is None else "no activity was pulled yet: run activity first"
            )
        some = await seats.to_judge(connection, run.profile_id, now=now, after=after, limit=JUDGED_AT_ONCE)
        await _apply(
            connection, piece, [(one, judge(one.seat, rule, pull_started_at=pulled, now=now)) for one in some], counts
        )
        if not some:
            return None
        last = some[-1].subscription_id
        await piece.checkpoint(connection, {"after": last}, counts)
    return last


async def _apply(
    connection: Connection, piece: Slice, verdicts: Sequence[tuple[Judged, Verdict]], counts: dict[str, int]
) -> None:
    """Open the candidates that are new, and take those that are open their step, each with one statement for all."""
    counts["judged"] += len(verdicts)
    counts["kept"] += sum(verdict.outcome == "keep" for _, verdict in verdicts)
    new = [(one, verdict) for one, verdict in verdicts if one.candidate_id is None and verdict.outcome != "keep"]
    counts["found"] += len(await candidates.open_candidates(connection, piece.run, new, piece.now()))
    steps = dict(_steps(piece, verdicts))
    for made in await candidates.change_all(connection, piece.run.profile_id, steps, piece.now()):
        counts["closed" if steps[made].state_to.startswith("closed") else "changed"] += 1


def _steps(piece: Slice, verdicts: Sequence[tuple[Judged, Verdict]]) -> Iterator[tuple[int, Change]]:
    """Yield the open candidates whose verdict brings them to another state, with that step."""
    for judged, verdict in verdicts:
        if judged.candidate_id is None:
            continue
        assert judged.candidate_state is not None
        state = next_state(Open(judged.candidate_state, judged.candidate_reason or ""), verdict)
        if state is not None:
            yield (
                judged.candidate_id,
                Change(
                    state_from=judged.candidate_state,
                    state_to=state,
                    by=candidates.OURSELVES,
                    why=verdict.why,
                    evidence=candidates.evidence_of(judged, verdict),
                    correlation_id=piece.run.correlation_id,
                ),
            )


async def _finish(piece: Slice, counts: dict[str, int]) -> None:
    now = piece.now()
    async with piece.station.transaction() as connection:
        counts["closed"] += await candidates.close_for_the_gone(connection, piece.run, now)
        await endings.finish(connection, piece.run, counts=counts, now=now)
