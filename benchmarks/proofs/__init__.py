"""Claims about safety that a command shows: `scripts/prove NAME`. Each keeps its result with its seed and commit."""

NAMES = ("truth", "economy", "answers", "refresh")
