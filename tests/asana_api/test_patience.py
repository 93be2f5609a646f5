"""A few quick tries: how many, how long between them, and for what."""

import pytest

from asana_api.errors import AsanaError, BadAnswer, NotThere, RateLimited, ServerTrouble, Unreachable
from asana_api.patience import patiently

pytestmark = pytest.mark.anyio


class Script:
    """Raises each of the errors in turn, then answers; remembers how long it was slept between."""

    def __init__(self, *errors: AsanaError) -> None:
        self.errors = list(errors)
        self.asked = 0
        self.slept: list[float] = []

    async def ask(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_good_answer_is_asked_for_once() -> None:
    script = Script()
    assert await patiently(script.ask, sleep=script.sleep) == "answer"
    assert (script.asked, script.slept) == (1, [])


async def test_trouble_that_passes_is_waited_out() -> None:
    script = Script(ServerTrouble(), Unreachable())
    assert await patiently(script.ask, sleep=script.sleep) == "answer"
    assert script.asked == 3
    first, second = script.slept
    assert 0.2 <= first <= 0.3
    assert 0.4 <= second <= 0.6


async def test_trouble_that_stays_is_told_as_it_is() -> None:
    script, last = Script(ServerTrouble(), ServerTrouble(), Unreachable("the third"), Unreachable()), "the third"
    with pytest.raises(Unreachable, match=last):
        await patiently(script.ask, sleep=script.sleep)
    assert (script.asked, len(script.slept)) == (3, 2)


@pytest.mark.parametrize("tries", [1, 2, 5])
async def test_so_many_tries_and_no_more(tries: int) -> None:
    script = Script(*(ServerTrouble() for _ in range(9)))
    with pytest.raises(ServerTrouble):
        await patiently(script.ask, tries=tries, sleep=script.sleep)
    assert (script.asked, len(script.slept)) == (tries, tries - 1)


async def test_a_429_is_waited_for_as_long_as_asana_says() -> None:
    script = Script(RateLimited(retry_after=3), ServerTrouble(), RateLimited(retry_after=2))
    assert await patiently(script.ask, tries=4, sleep=script.sleep) == "answer"
    assert (script.slept[0], script.slept[2]) == (3, 2)


async def test_a_long_429_gives_the_slice_back_at_once() -> None:
    for errors in ((RateLimited(retry_after=6),), (ServerTrouble(), RateLimited(retry_after=6))):
        script = Script(*errors)
        with pytest.raises(RateLimited):
            await patiently(script.ask, sleep=script.sleep, longest_wait=5)
        assert script.asked == len(errors)


@pytest.mark.parametrize("error", [NotThere(), BadAnswer()])
async def test_what_waiting_does_not_mend_is_not_tried_again(error: AsanaError) -> None:
    for errors in ((error,), (ServerTrouble(), error)):
        script = Script(*errors)
        with pytest.raises(type(error)):
            await patiently(script.ask, sleep=script.sleep)
        assert script.asked == len(errors)
