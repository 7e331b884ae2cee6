"""Which engine there is: the one place that names it.

Belongs here: opening the warehouse of the engine that runs, and what its errors and limits mean.
Does not belong here: any engine's own words (its folder).
"""

from etl.engine.duckdb.damage import trouble, unreadable_file
from etl.engine.duckdb.limits import memory_of, packs_text, try_engine, try_memory
from etl.engine.duckdb.snapshot import open_snapshot
from etl.engine.duckdb.warehouse import connect, open_warehouse

__all__ = [
    "connect",
    "memory_of",
    "open_snapshot",
    "open_warehouse",
    "packs_text",
    "trouble",
    "try_engine",
    "try_memory",
    "unreadable_file",
]
