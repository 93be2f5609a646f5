"""How a command ends when it cannot do what it was asked: one line that says what to do, and an exit code by kind.

The codes from 64 on are those of sysexits.h.
"""

import psycopg

from asana_api.errors import (
    AsanaError,
    BadAnswer,
    Forbidden,
    NotAuthorized,
    NotThere,
    PlanTooLow,
    RefusedHere,
    TryLater,
)
from connections.sealing import KeysUnfit, SealBroken
from connections.tokens import ConnectionIsLost, NotConnected
from settings import SettingsUnfit
from store.connect import DatabaseUnfit
from store.dead_letters import ReplayRefused
from store.deletions import DeletionRefused
from store.plans import PlanRefused

FAILED, USAGE, NOT_FOUND, REFUSED, UNAVAILABLE, NO_PERMISSION, SETTINGS = 1, 2, 3, 4, 69, 77, 78

EXIT_CODES = """\b
Exit codes:
  0   done
  1   the thing itself failed, as a run that ended without its result
  2   the command line is wrong
  3   there is no such profile, person, run, plan ...
  4   refused by a rule, as a plan that expired
  69  the database or Asana does not answer
  77  Asana or the database does not permit it
  78  a setting is missing or wrong"""


class CommandFailed(Exception):
    """The thing itself failed."""

    exit_code = FAILED


class BadUse(CommandFailed):
    """The command line is wrong in a way that the options' types cannot say."""

    exit_code = USAGE


class NotFound(CommandFailed):
    """What was named does not exist; the sentence says how to see what does."""

    exit_code = NOT_FOUND


class Refused(CommandFailed):
    """A rule forbids it; the sentence says which."""

    exit_code = REFUSED


class NotPermitted(CommandFailed):
    """Asana does not permit it as it was asked."""

    exit_code = NO_PERMISSION


class Unanswered(CommandFailed):
    """Nobody answers where something was asked."""

    exit_code = UNAVAILABLE


_CODES: tuple[tuple[type[Exception], int], ...] = (
    (SettingsUnfit, SETTINGS),
    (KeysUnfit, SETTINGS),
    (SealBroken, SETTINGS),
    (DatabaseUnfit, UNAVAILABLE),
    (ConnectionIsLost, NO_PERMISSION),
    (NotConnected, NOT_FOUND),
    (TryLater, UNAVAILABLE),
    (BadAnswer, UNAVAILABLE),
    (NotAuthorized, NO_PERMISSION),
    (Forbidden, NO_PERMISSION),
    (PlanTooLow, NO_PERMISSION),
    (NotThere, NOT_FOUND),
    (RefusedHere, REFUSED),
    (AsanaError, FAILED),
    (PlanRefused, REFUSED),
    (DeletionRefused, REFUSED),
    (ReplayRefused, REFUSED),
    (psycopg.errors.InsufficientPrivilege, NO_PERMISSION),
    (psycopg.errors.InvalidPassword, NO_PERMISSION),
    (psycopg.OperationalError, UNAVAILABLE),
    (psycopg.IntegrityError, FAILED),
    (psycopg.DataError, FAILED),
)
"""The first that fits decides."""


def explained(error: Exception) -> tuple[str, int] | None:
    """Return the line and the exit code for an error that an operator can do something about; None for a defect."""
    if isinstance(error, CommandFailed):
        return _line(error), error.exit_code
    for kind, code in _CODES:
        if isinstance(error, kind):
            return _line(error), code
    detailed = _with_detail(error)
    return None if detailed is None else (f"{type(error).__name__}: {_line(detailed)}", FAILED)


def _line(error: Exception) -> str:
    """Return one line. The database's details repeat whole rows, sealed secrets among them: they are left out."""
    said = str(error)
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        said = f"the database says: {error.diag.message_primary}"
    return " ".join(said.split())


def _with_detail(error: BaseException | None) -> psycopg.Error | None:
    """Find an error of the database whose details a traceback would show, in whatever came of it."""
    if error is None or (isinstance(error, psycopg.Error) and (error.diag.message_detail or error.diag.context)):
        return error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    found = (_with_detail(one) for one in (*inner, error.__cause__, error.__context__))
    return next((one for one in found if one is not None), None)
