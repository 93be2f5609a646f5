"""The order of a day: every combination of ended steps leads on, and none leads to a step on an incomplete one."""

import itertools

import pytest

from messages.kinds import STEP_KINDS, StepKind
from rules.cycle import AFTER, ENDED, Next, next_steps

STATES = ("queued", "running", *sorted(ENDED))


def test_a_cycle_begins_with_its_download() -> None:
    assert next_steps({}) == Next(("download",), (), over=False)


def test_nothing_follows_what_has_not_ended() -> None:
    assert next_steps({"download": "queued"}) == next_steps({"download": "running"}) == Next((), (), over=False)


def test_a_good_day() -> None:
    day: dict[StepKind, str] = {}
    order: list[StepKind] = []
    while not (following := next_steps(day)).over:
        assert not following.not_run
        order += following.start
        day |= dict.fromkeys(following.start, "finished")
    assert order == ["download", "activity", "reconcile", "candidates", "reclaim"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("failed", "not run: download incomplete"),
        ("coalesced", "not run: download was already under way outside of this cycle"),
        ("not_run", "not run: download was not run"),
    ],
)
def test_nothing_follows_a_download_that_did_not_finish(state: str, reason: str) -> None:
    following = next_steps({"download": state})
    assert following == Next((), (("activity", reason), ("reconcile", reason)), over=False)


def test_followers_of_a_failed_step_end_one_after_another() -> None:
    day: dict[StepKind, str] = {"download": "finished", "activity": "failed", "reconcile": "finished"}
    assert next_steps(day).not_run == (("candidates", "not run: activity incomplete"),)
    day["candidates"] = "not_run"
    assert next_steps(day).not_run == (("reclaim", "not run: candidates was not run"),)
    day["reclaim"] = "not_run"
    assert next_steps(day) == Next((), (), over=True)


def test_in_whatever_state_a_step_starts_only_after_the_one_that_it_needs_has_finished() -> None:
    for states in itertools.product((None, *STATES), repeat=len(STEP_KINDS)):
        day = {step: state for step, state in zip(STEP_KINDS, states, strict=True) if state is not None}
        following = next_steps(day)
        for step in following.start:
            assert step not in day
            assert step == "download" or day[AFTER[step]] == "finished"
        for step, _ in following.not_run:
            assert step not in day
            assert day[AFTER[step]] in ENDED - {"finished"}
        assert following.over == (set(day) == set(STEP_KINDS) and set(day.values()) <= ENDED)


def test_every_day_comes_to_its_end_however_its_steps_end() -> None:
    """Let each step that starts end in each way, and follow every branch."""
    ends = ("finished", "failed", "coalesced")
    for outcome in itertools.product(ends, repeat=len(STEP_KINDS)):
        ending = dict(zip(STEP_KINDS, outcome, strict=True))
        day: dict[StepKind, str] = {}
        for _ in range(len(STEP_KINDS) + 1):
            following = next_steps(day)
            day |= {step: ending[step] for step in following.start} | {step: "not_run" for step, _ in following.not_run}
        assert following.over
