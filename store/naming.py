"""How a profile is named from outside: a living one by its name, a deleted one by its name and number (`acme@7`).

A deleted profile leaves its name to a new one and keeps its history; the number, which is never given twice, tells the
two apart. Names themselves have no `@`.
"""

from typing import Final, LiteralString

NAMED: Final[LiteralString] = "CASE WHEN p.deleted_at IS NULL THEN p.name ELSE p.name || '@' || p.id END"
"""The name of profile `p` in a statement."""
