"""The errors that Asana's document describes, as exceptions that carry their own answer.

LookalikeError
├── BadRequest    400   a parameter is missing, malformed, or an offset has expired
├── Unauthorized  401   no token, or one that is not (or no longer) good
├── PaymentRequired 402 the organization's plan does not include this
├── Forbidden     403   the token is good, its owner may not do this
├── NotFound      404   there is no such thing, or no such route
└── Broken        500   the look-alike itself failed; carries a `phrase`
"""

import random

HELP = (
    "For more information on API status codes and how to handle them, "
    "read the docs on errors: https://developers.asana.com/docs/errors"
)

Json = dict[str, object]


def body(message: str, phrase: str | None = None) -> Json:
    """An error's body in Asana's shape."""
    error: Json = {"message": message, "help": HELP}
    if phrase:
        error["phrase"] = phrase
    return {"errors": [error]}


class LookalikeError(Exception):
    """The call ends with this status and an errors body that holds this message."""

    status = 500

    def body(self) -> Json:
        return body(str(self))


class BadRequest(LookalikeError):
    status = 400


class Unauthorized(LookalikeError):
    status = 401


class PaymentRequired(LookalikeError):
    status = 402


class Forbidden(LookalikeError):
    status = 403


class NotFound(LookalikeError):
    status = 404


class Broken(LookalikeError):
    status = 500

    def body(self) -> Json:
        return body(str(self), _phrase())


def unknown(what: str, gid: str) -> NotFound:
    """What is said of a gid that names nothing which the caller can see."""
    return NotFound(f"{what}: Unknown object: {gid}")


def _phrase() -> str:
    """A phrase like those that Asana's support looks an incident up by."""
    animal = random.choice(("squid", "otters", "herons", "badgers"))
    return f"{random.randint(2, 40)} {random.choice(('sad', 'brave', 'sleepy'))} {animal} snuggle softly"
