"""The switches of a profile's processes: what is off does not run, and nothing that stands on it does.

The download is always on. Without activity nobody is judged, so no candidate is found, and none that is open is acted
on. Without reclaim there are candidates, and no removal. The same sentence answers a request, ends a step of a cycle,
and stops a removal at the last moment.
"""

from collections.abc import Mapping

from messages.kinds import STEP_KINDS, RunKind, StepKind

ACTIVITY_OFF = "activity is switched off for this profile"
RECLAIM_OFF = "reclaim is switched off for this profile"
_STAND_ON_ACTIVITY = frozenset({"activity", "candidates", "reclaim"})


def why_off(kind: RunKind, *, activity_enabled: bool, reclaim_enabled: bool) -> str | None:
    """Return why a run of this kind is not made, in a sentence for a person; None if it may be."""
    if not activity_enabled and kind in _STAND_ON_ACTIVITY:
        return ACTIVITY_OFF
    if not reclaim_enabled and kind == "reclaim":
        return RECLAIM_OFF
    return None


def switched_off(*, activity_enabled: bool, reclaim_enabled: bool) -> Mapping[StepKind, str]:
    """Return the steps of a cycle that are not run, each with why."""
    reasons = {
        kind: why_off(kind, activity_enabled=activity_enabled, reclaim_enabled=reclaim_enabled) for kind in STEP_KINDS
    }
    return {kind: why for kind, why in reasons.items() if why is not None}
