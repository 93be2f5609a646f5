"""Counts what comes in: by route, by credential, and how much at once."""

from collections import Counter


class Traffic:
    """Calls since the last reset. Routes are written like `GET /users/{user_gid}`."""

    def __init__(self) -> None:
        self.by_route: Counter[str] = Counter()
        self.by_credential: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def total(self) -> int:
        return self.by_route.total()

    def enter(self, route: str) -> None:
        self.by_route[route] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def leave(self, status: int) -> None:
        """A call is over; status 0 stands for a connection that was closed without an answer."""
        self.by_status[status] += 1
        self.in_flight -= 1

    def as_json(self) -> dict[str, object]:
        return {
            "total": self.total,
            "by_route": dict(self.by_route),
            "by_credential": dict(self.by_credential),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }

    def reset(self) -> None:
        """Begin to count anew; what is in flight stays counted."""
        self.by_route.clear()
        self.by_credential.clear()
        self.by_status.clear()
        self.most_in_flight = self.in_flight
