"""Which source sees what, and which sources together are enough for a verdict.

*Not seen* is not *inactive*: a source that cannot see an act never clears anybody of it. So each source declares what
it sees and what it cannot, how late an act may show in it, and a rule names the evidence that it wants:
`work`     acts of work, as the task sources of the plan see them
`any_use`  use of any kind: the member export, or logins and events beside the task sources
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Source = Literal["tasks", "search", "audit_log", "member_export"]
Evidence = Literal["work", "any_use"]
AsanaPlan = Literal["free", "starter", "advanced", "enterprise", "enterprise+"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one source sees. `lag`: how long before the moment of asking its claims may end (late acts show later)."""

    source: Source
    sees: str
    private_work: str
    unseen: tuple[str, ...]
    sees_any_use: bool
    lag: timedelta


# What a source cannot see is said in shared words, so that a source that does see it clears it from another's list.
READING = "reading, logging in and likes"
READING_IN_A_SESSION = "reading and likes within a session that began earlier"
WORK_FOR_OTHERS = "comments on tasks that are assigned to others"
UNFOLLOWED = "comments on tasks of others that the person stopped following"
MADE_FOR_OTHERS = "tasks made for others, or handed to others since"
PRIVATE = "tasks that are private to other people"
_PART_OF = {READING_IN_A_SESSION: READING, UNFOLLOWED: WORK_FOR_OTHERS}
"""A line that is a part of another one: whoever is blind to the whole is blind to the part."""

TASKS = Declaration(
    "tasks",
    "tasks created and completed, and every story by the person, on tasks that are assigned to them",
    "private tasks that the asking account may read",
    (READING, WORK_FOR_OTHERS, MADE_FOR_OTHERS, PRIVATE),
    sees_any_use=False,
    lag=timedelta(minutes=2),  # the watch over a group reads the same tasks in the index of the search
)
SEARCH = Declaration(
    "search",
    "tasks created, and every story by the person on tasks that they follow: whoever comments follows",
    "private tasks that the asking account may read",
    (READING, UNFOLLOWED, PRIVATE),
    sees_any_use=False,
    lag=timedelta(minutes=2),  # Asana's page on search: the index is 10 to 60 seconds behind
)
AUDIT_LOG = Declaration(
    "audit_log",
    "logins, and what people change in the organization, of the last 90 days",
    "all of it",
    (
        READING_IN_A_SESSION,
        WORK_FOR_OTHERS,
        MADE_FOR_OTHERS,
        PRIVATE,
        "use by a personal access token or an app alone",
    ),
    sees_any_use=True,
    lag=timedelta(minutes=5),
)
MEMBER_EXPORT = Declaration(
    "member_export",
    "the day of each member's last activity, of any kind, as Asana's admin console knows it",
    "all of it",
    ("what Asana itself does not count as activity", "use since the file was exported"),
    sees_any_use=True,
    lag=timedelta(hours=24),
)
DECLARATIONS: dict[Source, Declaration] = {one.source: one for one in (TASKS, SEARCH, AUDIT_LOG, MEMBER_EXPORT)}

PAID_PLANS: frozenset[AsanaPlan] = frozenset({"starter", "advanced", "enterprise", "enterprise+"})
PLANS_WITH_AUDIT_LOG: frozenset[AsanaPlan] = frozenset({"enterprise", "enterprise+"})


def task_sources(plan: AsanaPlan) -> tuple[Source, ...]:
    """Return the sources of acts of work that an organization of this plan has (search answers 402 on free)."""
    return ("tasks", "search") if plan in PAID_PLANS else ("tasks",)


def sources_of(plan: AsanaPlan, *, with_service_account: bool) -> tuple[Source, ...]:
    """Return the sources that a pull asks; the member export comes by hand, on every plan."""
    log: tuple[Source, ...] = ("audit_log",) if with_service_account and plan in PLANS_WITH_AUDIT_LOG else ()
    return (*task_sources(plan), *log)


def enough(plan: AsanaPlan, evidence: Evidence) -> tuple[tuple[Source, ...], ...]:
    """Return the sets of sources of which one must have seen everything before anybody is called idle.

    A session can last for weeks, so logins alone never clear anybody: the audit log counts beside the task sources.
    """
    if evidence == "work":
        return (task_sources(plan),)
    with_log: tuple[tuple[Source, ...], ...] = (
        (("audit_log", *task_sources(plan)),) if plan in PLANS_WITH_AUDIT_LOG else ()
    )
    return (("member_export",), *with_log)


def unseen_by(sources: Collection[Source]) -> tuple[str, ...]:
    """Return what none of these sources, all having looked, could have seen: each line once, in the sources' order."""
    looked = [DECLARATIONS[one] for one in DECLARATIONS if one in sources]
    lines = dict.fromkeys(line for one in looked for line in one.unseen)
    missed = [line for line in lines if all(_is_blind(one, line) for one in looked)]
    return tuple(line for line in missed if _PART_OF.get(line) not in missed)


def _is_blind(source: Declaration, line: str) -> bool:
    return line in source.unseen or _PART_OF.get(line) in source.unseen
