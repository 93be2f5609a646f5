"""Events of integration profiles and their connections."""

from messages.events.base import Event


class ProfilePublished(Event):
    """The profile's schedule is on and its commands are accepted."""

    profile: str
    organization_gid: str


class ProfileUnpublished(Event):
    """The profile's commands are refused from now on."""

    profile: str


class ProfileDeleted(Event):
    """Nothing is asked of Asana for the profile any more, and nobody is removed; what is known of it stays.

    `profile_id` tells it from a later profile of the same name.
    """

    profile: str
    profile_id: int
    by: str


class ConnectionLost(Event):
    """Asana does not accept the connection's credential any more; an operator has to connect again."""

    connection: str
    reason: str


class ConnectionRestored(Event):
    """The connection has a working credential again."""

    connection: str


class ReclaimStopped(Event):
    """No removal starts for this profile until an operator resumes."""

    profile: str
    by: str
    why: str


class ReclaimResumed(Event):
    """Removals may start again."""

    profile: str
    by: str
