"""A search that gives a hundred tasks at most is asked until nothing is missing, or nothing is known."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asana_api.answers import FoundTask
from asana_api.errors import BadAnswer
from sources.windows import WIDER, all_modified_since
from tests.sources.paper import NOW

SINCE = NOW - timedelta(days=60)
SECONDS = 60 * 86_400
FEW = settings(max_examples=30, deadline=None)

Window = tuple[datetime, datetime | None]


class Index:
    """Tasks by number with when each was modified last, in milliseconds after SINCE; and the windows asked for."""

    def __init__(self, modified: Sequence[int], meanwhile: Callable[["Index"], None] = lambda _: None) -> None:
        self.modified = dict(enumerate(modified))
        self.asked: list[Window] = []
        self._meanwhile = meanwhile

    async def search(self, after: datetime, before: datetime | None) -> list[FoundTask]:
        self.asked.append((after, before))
        found = [n for n in self.modified if after < self.at(n) and (before is None or self.at(n) < before)]
        Random(len(self.asked)).shuffle(found)
        answer = [self._task(n) for n in found[:100]]
        self._meanwhile(self)
        return answer

    def at(self, number: int) -> datetime:
        return SINCE + timedelta(milliseconds=self.modified[number])

    def _task(self, number: int) -> FoundTask:
        made = SINCE - timedelta(days=400)
        nobody = dict.fromkeys(("created_by", "completed_at", "completed_by", "assignee"))
        return FoundTask.model_construct(
            None, gid=str(number), created_at=made, modified_at=self.at(number), followers=[], **nobody
        )


def all_of(index: Index, most: int = 400) -> set[int]:
    found = asyncio.run(all_modified_since(index.search, SINCE, NOW, most=most))
    return {int(task.gid) for task in found}


milliseconds = st.integers(0, SECONDS * 1000)
crowds = st.lists(
    st.tuples(milliseconds, st.integers(1, 250), st.integers(0, 60_000)), max_size=6
)  # from when, how many, how far apart: some far too many for one answer, some all at once


@FEW
@given(crowds)
def test_every_task_is_found_or_nothing_is_known(some: list[tuple[int, int, int]]) -> None:
    index = Index([first + n * apart for first, count, apart in some for n in range(count)])
    try:
        assert all_of(index) == set(index.modified)
    except BadAnswer:
        crowded = sorted(index.modified.values())
        assert any(later - earlier <= 3000 for earlier, later in zip(crowded, crowded[99:], strict=False))


@FEW
@given(st.lists(milliseconds, min_size=101, max_size=260), st.randoms(use_true_random=False))
def test_what_is_worked_on_meanwhile_is_found_where_it_moves_to(times: list[int], random: Random) -> None:
    """A task that is modified between two searches goes to the newest window, which is asked last."""
    clock = [SECONDS * 1000]

    def work(index: Index) -> None:
        for _ in range(random.randint(0, 5)):
            clock[0] += 1500
            index.modified[random.randrange(len(times))] = clock[0]

    index = Index(times, work)
    try:
        assert all_of(index) == set(index.modified)
    except BadAnswer:
        crowded = sorted(index.modified.values())
        assert any(later - earlier <= 3000 for earlier, later in zip(crowded, crowded[99:], strict=False))


@FEW
@given(crowds)
def test_the_windows_that_were_not_full_leave_no_gap(some: list[tuple[int, int, int]]) -> None:
    index = Index([first + n * (apart + 40) for first, count, apart in some for n in range(count)])
    try:
        all_of(index)
    except BadAnswer:
        return
    reached = SINCE
    for after, before in sorted(index.asked, key=lambda window: window[0]):
        inside = sum(after < index.at(n) and (before is None or index.at(n) < before) for n in index.modified)
        if inside < 100:
            assert after + WIDER <= reached
            reached = max(reached, before - WIDER if before is not None else NOW)
    assert reached >= NOW


def test_older_halves_come_first() -> None:
    index = Index([n * 10_000_000 for n in range(300)])
    all_of(index)
    leaves = [after for after, before in index.asked if sum(after < index.at(n) for n in index.modified) < 300]
    assert index.asked[0] == (SINCE - WIDER, None)
    assert leaves == sorted(leaves)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_more_searches_than_allowed_are_no_answer(most: int) -> None:
    with pytest.raises(BadAnswer, match=f"more tasks than {most} searches"):
        all_of(Index([n * 1_000_000 for n in range(5000)]), most)


def test_a_crowd_in_one_second_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="one second"):
        all_of(Index([86_400_000] * 101))


def test_a_crowd_after_the_end_is_no_answer_either() -> None:
    with pytest.raises(BadAnswer, match="one second"):
        all_of(Index([SECONDS * 1000 + 5_000_000] * 100))


def test_ninety_nine_are_an_answer() -> None:
    index = Index([86_400_000] * 99)
    assert all_of(index) == set(range(99))
    assert len(index.asked) == 1
