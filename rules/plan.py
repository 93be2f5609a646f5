"""A plan's hash: an approval is bound to exactly this content, so another content is another plan."""

import hashlib
import json
from collections.abc import Mapping


def hash_of(content: Mapping[str, object]) -> str:
    """Return the SHA-256, in hex, of the content's canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
