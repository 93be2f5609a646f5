"""Reading JSON that a stranger may have written: one object in UTF-8, or one sentence on why not.

Refused are what `json` would let pass: a body that is too large, a key given twice, NaN and Infinity, nesting without
end, and integers of thousands of digits.
"""

import json
from collections.abc import Iterable

from messages.errors import MessageError


def read_object(body: bytes, *, largest: int) -> dict[str, object]:
    """Return the object in `body`, of at most `largest` bytes; raise MessageError with the reason."""
    if len(body) > largest:
        raise MessageError(f"the body has {len(body)} bytes; at most {largest} are read")
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except MessageError:
        raise
    except RecursionError:
        raise MessageError("the body is nested too deeply") from None
    except ValueError:  # not UTF-8, not JSON, or an integer of thousands of digits
        raise MessageError("the body is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise MessageError("the body is not a JSON object")
    return value


def _no_duplicates(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if key in fields:
            raise MessageError(f"the key {key[:60]!r} is given twice")
        fields[key] = value
    return fields


def _no_constant(name: str) -> object:
    raise MessageError(f"{name} is not JSON")
