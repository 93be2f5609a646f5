"""What a cell left behind, and what of it is wrong: held against the look-alike's truth and against the same second day
without a bad answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import cached_property

from benchmarks.proofs.answers_phases import Phase
from benchmarks.proofs.answers_scene import Endings, Scene
from rules.evidence import SEARCH
from sandbox.asana.truth import PersonTruth, acts_of

Window = tuple[datetime, datetime]


@dataclass
class Picture:
    """Everything that is believed after a cell, by gid, and whom it called for removal."""

    acts: set[tuple[str, datetime]] = field(default_factory=set)
    windows: dict[tuple[str, str], list[Window]] = field(default_factory=dict)
    seats: dict[str, tuple[object, ...]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    candidates: dict[str, str] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)

    def known(self, gid: str) -> datetime | None:
        """Return the latest act that is known of a person."""
        return max((at for one, at in self.acts if one == gid), default=None)


@dataclass
class Truth:
    """What the look-alike knows; it is the same in every cell."""

    at: Scene
    _seen: dict[datetime, dict[str, PersonTruth]] = field(default_factory=dict)

    @cached_property
    def acts(self) -> set[tuple[str, datetime]]:
        """Every act of everybody, of work and in the log."""
        look = self.at.asana.look
        work = {(actor.gid, act.at) for task in look.state.tasks.values() for actor, act in acts_of(task)}
        logged = look.log.since(datetime.min.replace(tzinfo=UTC))
        return work | {(event.actor.gid, event.at) for event in logged if event.is_use and event.actor}

    def last_seen(self, gid: str, source: str, begin: datetime) -> datetime | None:
        """Return the person's last act since `begin` that a perfect client of the source would see."""
        if begin not in self._seen:
            reader = self.at.asana.look.credentials.of(f"Bearer {self.at.asana.service_account_token}")
            self._seen[begin] = self.at.asana.truth(begin, reader)
        one = self._seen[begin].get(gid)
        if one is None:
            return None
        seen = {"tasks": one.seen_by_tasks, "search": one.seen_by_search, "audit_log": one.seen_by_audit_log}
        if source in seen:
            act = seen[source]
            return act.at if act else None
        return datetime.combine(one.seen_by_export, time(), UTC) if one.seen_by_export else None


async def picture(at: Scene) -> Picture:
    """Read what is believed now."""
    new, rows = Picture(), at.stage.rows
    for row in await rows("SELECT * FROM subscription"):
        gid = str(row["user_gid"])
        new.seats[gid] = (row["software_model"], row["is_admin"], row["joined_at"], row["membership_gid"])
        new.gone |= {gid} if row["state"] == "gone" else set()
    who = "JOIN subscription s ON s.id = x.subscription_id"
    for row in await rows(f"SELECT s.user_gid, acted_at FROM observation x {who}"):  # noqa: S608 - a constant
        new.acts.add((str(row["user_gid"]), _moment(row["acted_at"])))
    windows = f"""SELECT s.user_gid, x.source, lower(w) AS lower, upper(w) AS upper
                    FROM coverage x {who}, unnest(x.covered) AS w
                   UNION ALL
                  SELECT s.user_gid, a.source, lower(w), upper(w)
                    FROM activity_stream a JOIN subscription s USING (profile_id), unnest(a.covered) AS w"""  # noqa: S608 - constants
    for row in await rows(windows):
        window = _moment(row["lower"]), _moment(row["upper"])
        new.windows.setdefault((str(row["user_gid"]), str(row["source"])), []).append(window)
    for row in await rows(f"SELECT s.user_gid, x.state FROM candidate x {who} WHERE closed_at IS NULL"):  # noqa: S608 - a constant
        new.candidates[str(row["user_gid"])] = str(row["state"])
    for row in await rows("SELECT user_gid, outcome FROM plan_item"):
        new.outcomes[str(row["user_gid"])] = str(row["outcome"])
    new.called = [str(call.asked) for call in at.asana.removals.calls]
    return new


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


@dataclass(frozen=True)
class Beside:
    """What a cell is held against: the morning, and the evening of the same day without a fault."""

    truth: Truth
    morning: Picture
    evening: Picture


def wrong(at: Scene, phase: Phase, beside: Beside, after: Picture, ended: Endings) -> list[str]:
    """Return everything that is wrong, a sentence each."""
    found = [f"crashed: {crash}" for crash in ended.crashes]
    found += [f"{ended.open} runs never ended"] if ended.open else []
    found += [f"{len(at.elsewhere.seen)} connections to another host"] if at.elsewhere.seen else []
    found += [f"an act that never was: {gid} at {act}" for gid, act in sorted(after.acts - beside.truth.acts)]
    found += _wrong_windows(phase, beside, after)
    found += _wrong_seats(beside, after)
    found += _wrong_candidates(beside, after)
    return found + _wrong_calls(at, beside, after)


def _wrong_windows(phase: Phase, beside: Beside, after: Picture) -> list[str]:
    found = []
    for (gid, source), windows in after.windows.items():
        if source != "audit_log" and gid not in beside.evening.seats:
            found.append(f"{source} claims to have seen {gid}, who is not there")
        known = after.known(gid)
        for begin, end in windows:
            seen = beside.truth.last_seen(gid, source, begin)
            if seen is not None and seen <= end and (known is None or known < seen):
                found.append(f"{source} claims {begin} to {end} of {gid}, who acted at {seen}")
        if source == phase.source:
            allowed = beside.evening.windows.get((gid, source), []) + beside.morning.windows.get((gid, source), [])
            found += [f"{source} claims {w[0]} to {w[1]} of {gid}" for w in windows if not _within(w, allowed)]
    return found


def _within(window: Window, allowed: Sequence[Window]) -> bool:
    return any(lower <= window[0] and window[1] <= upper for lower, upper in allowed)


def _wrong_seats(beside: Beside, after: Picture) -> list[str]:
    found = [f"{gid} counts as gone" for gid in sorted(after.gone - beside.evening.gone)]
    strangers = after.seats.keys() - beside.evening.seats.keys()
    found += [f"{gid}, who is nobody here, counts as a seat" for gid in sorted(strangers)]
    for gid, seat in after.seats.items():
        if gid in beside.evening.seats and seat not in (beside.morning.seats.get(gid), beside.evening.seats.get(gid)):
            found.append(f"the seat of {gid} is believed to be {seat}")
    return found


def _wrong_candidates(beside: Beside, after: Picture) -> list[str]:
    """Whoever was a candidate in the morning may still be one: that was before the fault."""
    return [
        f"{gid} is a candidate: {state}"
        for gid, state in after.candidates.items()
        if state not in (beside.morning.candidates.get(gid), beside.evening.candidates.get(gid))
        and not (state == "attention_required" and gid in beside.evening.candidates | beside.morning.candidates)
    ]


def _wrong_calls(at: Scene, beside: Beside, after: Picture) -> list[str]:
    """Nobody is called who would not have been, nobody twice, and only who was looked at whole up to now."""
    now = at.asana.clock.now()
    found = [f"{gid} was called" for gid in after.called if gid not in beside.evening.called]
    found += [f"{gid} was called twice" for gid in set(after.called) if after.called.count(gid) > 1]
    for source, until in {"tasks": now, "search": now - SEARCH.lag}.items():
        for gid in after.called:
            if not any(end >= until for _, end in after.windows.get((gid, source), [])):
                found.append(f"{gid} was called, not seen by {source} up to {until}")
    return found
