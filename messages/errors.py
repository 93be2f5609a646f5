"""Why a message is refused. A leaf module: everything may import it, it imports nothing of ours."""


class MessageError(ValueError):
    """This message cannot be accepted."""


class RequestError(MessageError):
    """The request was refused; the sentence says why and goes to the quarantine and into RequestRefused."""

    def __init__(self, reason: str, request_id: str | None = None) -> None:
        """Keep the id that the sender gave, where one could be read, so that the refusal can be answered."""
        super().__init__(reason)
        self.reason = reason
        self.request_id = request_id


class EnvelopeError(MessageError):
    """A message on one of our own queues is not a command as we write them; it is dead-lettered, never run."""
