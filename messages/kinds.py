"""The kinds of run, and the names that a kind has as a command, an actor and a queue: greppable both ways."""

from typing import Literal, get_args

RunKind = Literal["cycle", "download", "activity", "candidates", "reclaim", "reconcile"]
StepKind = Literal["download", "activity", "candidates", "reclaim", "reconcile"]

RUN_KINDS: tuple[RunKind, ...] = get_args(RunKind)
STEP_KINDS: tuple[StepKind, ...] = get_args(StepKind)
