"""The look-alike's own clock, so that a test can expire an offset or a token without waiting for it."""

from datetime import UTC, datetime, timedelta


def to_milliseconds(moment: datetime) -> datetime:
    """The same moment in UTC, cut to the milliseconds that Asana writes in its timestamps."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def written(moment: datetime) -> str:
    """A moment as Asana writes it, e.g. `2026-06-11T08:30:00.000Z`; the moment is aware and in UTC."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


class Clock:
    """Real UTC time, unless it was moved or frozen. Every reading is aware and cut to milliseconds."""

    def __init__(self, start: datetime | None = None) -> None:
        """Begin frozen at `start` (aware), or at real time."""
        self._offset = timedelta()
        self._frozen = to_milliseconds(start) if start else None

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    @property
    def offset(self) -> timedelta:
        """How far a running clock is ahead of real time."""
        return self._offset

    def now(self) -> datetime:
        """The moment that this clock shows."""
        return self._frozen or to_milliseconds(datetime.now(UTC) + self._offset)

    def freeze(self, at: datetime | None = None) -> None:
        """Stand still at `at` (aware), or at the present reading."""
        self._frozen = to_milliseconds(at) if at else self.now()

    def set(self, at: datetime) -> None:
        """Run on from `at` (aware); a frozen clock stays frozen there."""
        if self._frozen:
            self._frozen = to_milliseconds(at)
        else:
            self._offset = at - datetime.now(UTC)

    def move(self, by: timedelta) -> None:
        """Jump ahead (or back, when negative)."""
        if self._frozen:
            self._frozen += by
        else:
            self._offset += by

    def run(self) -> None:
        """Let a frozen clock run on from where it stands."""
        if self._frozen:
            self._offset, self._frozen = self._frozen - datetime.now(UTC), None

    def reset(self) -> None:
        """Back to real time."""
        self._offset, self._frozen = timedelta(), None
