"""Puts a whole organization together from a seed."""

from datetime import datetime
from random import Random

from sandbox.asana.model import Agent, Membership, Task, Workspace
from sandbox.asana.names import AGENTS
from sandbox.asana.people import PeopleMaker, days_ago
from sandbox.asana.state import State
from sandbox.asana.work import WorkMaker


def generate(people: int, seed: int, now: datetime) -> State:
    """An organization of so many members (and some former ones), as seen at `now` (aware, UTC).

    The same arguments give the same organization, to the last gid and millisecond.
    """
    if people < 2:
        raise ValueError(f"an organization needs at least 2 people (an admin and another), not {people}")
    rng, state = Random(f"{seed}/{people}"), State()
    state.company = state.add_workspace(
        Workspace(state.new_gid(), "Nordwind", is_organization=True, email_domains=["nordwind.example"])
    )
    state.company.agents = [Agent(state.new_gid(), name) for name in AGENTS]
    maker = PeopleMaker(state, rng, now)
    maker.make(people)
    WorkMaker(state, rng, now, maker.timelines).make()
    _personal_workspace(state, now)
    return state


def _personal_workspace(state: State, now: datetime) -> None:
    """The first admin's own workspace, which is no organization, with a few tasks of its own."""
    admin = state.admins()[0]
    state.personal = state.add_workspace(Workspace(state.new_gid(), "Personal Projects", is_organization=False))
    state.join(
        Membership(
            state.new_gid(), admin, state.personal, days_ago(now, 399), is_admin=True, task_list_gid=state.new_gid()
        )
    )
    for number in range(3):
        at = days_ago(now, number + 0.001)
        task = Task(state.new_gid(), "Water the plants", state.personal, admin, at, at, followers={admin.gid: admin})
        state.add_task(task, admin)
