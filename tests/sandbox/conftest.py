"""A small look-alike for each test, and a client of it whose answers are all validated."""

from collections.abc import Iterator

import pytest

from sandbox.asana import Running, running
from tests.sandbox.asking import Asking


@pytest.fixture
def asana() -> Iterator[Running]:
    with running(people=50, seed=1) as look_alike:
        yield look_alike


@pytest.fixture
def api(asana: Running) -> Iterator[Asking]:
    """The first admin, with a personal access token."""
    with Asking(asana) as asking:
        yield asking
