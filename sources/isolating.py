"""Whose trouble it is, when Asana fails: everybody's, or that of one person whose answers never come whole.

A failure says nothing about a person as long as Asana fails for others, too: then it is TryLater, and the pull is put
off. But a listing that is cut at the same place each time would put it off for ever. So where some tries have failed
for one person, something tiny about nobody is asked; if that is answered, the person is asked about once more; and if
that fails again while the tiny thing is still answered, it is the person's trouble and no one else's.
"""

import asyncio
from collections.abc import Awaitable, Callable

from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, NotAuthorized, ServerTrouble, TryLater, Unreachable
from asana_api.patience import patiently
from rules.evidence import Source
from sources.contract import Asked, Findings


async def look_alone(
    client: AsanaClient,
    source: Source,
    asked: Asked,
    look: Callable[[], Awaitable[Findings]],
    *,
    tries: int = 3,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Findings:
    """Return what `look` finds about one person, or a trouble where Asana fails for that person alone.

    Takes the place of `patiently` around a look. Raises TryLater (rate limits at once) and NotAuthorized.
    """
    try:
        return await patiently(look, tries=tries, sleep=sleep)
    except (Unreachable, ServerTrouble) as error:
        await _answers_others(client, error)
    try:
        return await look()
    except (Unreachable, ServerTrouble) as error:
        await _answers_others(client, error)
        why = f"Asana fails each time that it is asked about this person, and answers other questions: {error}"
        return Findings(source, troubles={asked.user_gid: why})


async def _answers_others(client: AsanaClient, failure: TryLater) -> None:
    """Return if Asana answers at all; else raise `failure`, or what says more."""
    try:
        await client.me()
    except (TryLater, NotAuthorized):
        raise
    except AsanaError:
        raise failure from None
