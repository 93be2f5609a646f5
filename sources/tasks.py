"""The source `tasks`: a person's last act, from the tasks that are assigned to them and those tasks' stories.

`GET /tasks?assignee=` is offered on every plan and answers from Asana's database, not from an index (its page on the
search says to use it where consistency matters). It shows what is assigned to the person now and visible to this
account. So it cannot see comments on other people's tasks, tasks made for others, private tasks, or reading.
"""

from collections.abc import Iterable
from datetime import datetime

from asana_api.answers import Task
from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, BadAnswer, NotAuthorized, TryLater
from asana_api.paging import whole_listing
from sources.acts import Latest, look_through
from sources.contract import Asked, Findings


async def look(client: AsanaClient, organization_gid: str, asked: Asked, *, until: datetime) -> Findings:
    """Return the person's latest act if it is after the best known, and the window from `asked.since` to `until`.

    `until` (aware) must have passed when this is called. The act can be older than `since`: somebody else may have
    modified a task that the person made long ago. Raises TryLater and NotAuthorized; any other refusal, and whatever
    is odd, is a trouble, and an act that was seen before it stands.
    """
    found, latest = Findings("tasks"), Latest(asked, until)
    try:
        tasks = await whole_listing(
            lambda offset: client.task_page(asked.user_gid, organization_gid, asked.since, offset)
        )
        _only_of(asked.user_gid, tasks)
        await look_through(client, tasks, latest)
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        found.troubles[asked.user_gid] = str(error)
    else:
        found.covered[asked.user_gid] = (asked.since, until)
    found.acts += latest.acts
    return found


def _only_of(user_gid: str, tasks: Iterable[Task]) -> None:
    """BadAnswer for a task that is not the person's: what was asked of them was answered of somebody else."""
    for task in tasks:
        if task.assignee_gid != user_gid:
            raise BadAnswer(f"task/{task.gid} is not assigned to whom it was asked for")
