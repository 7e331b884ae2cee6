"""How much memory and how many threads a person may ask for.

Belongs here: the bounds of these settings, and reading a size. Does not belong here: trying them
on this machine (``etl/engine/duckdb/limits.py``).
"""

from __future__ import annotations

import re

_UNITS = {
    "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4,
    "KI": 1024, "MI": 1024**2, "GI": 1024**3, "TI": 1024**4,
}  # fmt: skip
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]I?)B", re.IGNORECASE)

LEAST_MEMORY = 128 * 1000**2
"""With less memory the engine completes no run, however small."""

MOST_THREADS = 1024
"""Far more than any machine uses; with a hundred thousand the engine crashes."""


def bytes_of(memory: str) -> int | None:
    """Returns a setting of memory in bytes, or None if it is not a size."""
    found = _MEMORY.fullmatch(memory.strip())
    return int(float(found[1]) * _UNITS[found[2].upper()]) if found else None
