"""Why a message is refused. A leaf module: everything may import it, it imports nothing of ours."""


class MessageError(ValueError):
    """This message cannot be accepted."""


class RequestError(MessageError):
    """The request was refused; the sentence says why and goes to the quarantine and into RequestRefused."""

    def __init__(self, reason: str, request_id: str | None = None, profile: str | None = None) -> None:
        """Keep the id and the profile that the sender gave, where they could be read, so that an answer finds them."""
        super().__init__(reason)
        self.reason = reason
        self.request_id = request_id
        self.profile = profile


class EnvelopeError(MessageError):
    """A message on one of our own queues is not a command as we write them; it is dead-lettered, never run."""
