"""The engine's limits, tried before a run needs them.

Belongs here: what the settings ask for, compared with the machine and tried in the engine. Does not
belong here: reading the settings (``etl/settings/sizes.py``).
"""

from __future__ import annotations

import os
import subprocess
import sys

import duckdb

from etl.domain.errors import ConfigError
from etl.process.machine import machine_memory
from etl.settings import Engine
from etl.settings.sizes import bytes_of

_TRY = """
import sys, duckdb
memory, threads = sys.argv[1:]
with duckdb.connect() as engine:
    if memory:
        engine.execute(f"set memory_limit = '{memory}'")
    if threads != "0":
        engine.execute(f"set threads = {threads}")
    engine.execute("select sum(range) from range(1000000)").fetchone()
"""


def keep_to(limits: Engine, connection: duckdb.DuckDBPyConnection) -> None:
    """Limits a connection to the memory and threads that the settings allow."""
    if limits.memory:
        connection.execute(f"set memory_limit = '{limits.memory}'")
    if limits.threads:
        connection.execute(f"set threads = {limits.threads}")


_ROOM_OF_TABLES = 10
"""The tables of a run take so many times the size of the registers' Parquet, if text is not packed
(``doisoat bench profile``)."""


def packs_text(registers: int, memory: int) -> bool:
    """Says whether text is packed: where the tables would take more than half of the memory.

    Packing takes a fifth of a run's processor time and saves two thirds of disk and memory;
    spilling would take more time than that.

    Args:
        registers: Bytes of the registers, as Parquet.
        memory: Bytes that the engine may use.
    """
    return registers * _ROOM_OF_TABLES > memory / 2


_ROOM_OF_A_WIDE_ROW = 800  # bytes
"""The memory that a pair of a record and a citizen takes, with all that is compared, in the hash
tables and lists of ``core.near_evidence`` (103 million of them were too many for 16 GB)."""


def slices(rows: int, memory: int) -> int:
    """Says in how many pieces to build a table whose statement holds wide rows.

    Args:
        rows: How many it would hold at once.
        memory: Bytes that the engine may use.
    """
    return max(1, -(-rows * _ROOM_OF_A_WIDE_ROW // memory))


def memory_of(engine: Engine) -> int:
    """Returns how many bytes the engine may use."""
    return bytes_of(engine.memory) or int(machine_memory() * 0.8)


def try_memory(engine: Engine) -> None:
    """Compares the limit with what there is.

    Raises:
        ConfigError: The machine, or the container, has less.
    """
    asked, there = bytes_of(engine.memory) or 0, machine_memory()
    if asked > there:
        raise ConfigError(
            f"[engine] memory is {engine.memory}, and this machine, or this container, has "
            f"{there / 1e9:.1f} GB: a run that took it all would be killed.",
            remedy="Lower it, or leave it out: the engine then takes four fifths of what there is.",
        )


def try_engine(engine: Engine) -> str:
    """Tries the engine's limits in a separate process, because they may kill it.

    Returns:
        What is well, in words.

    Raises:
        ConfigError: The engine does not run with them.
    """
    try_memory(engine)
    tried = subprocess.run(
        [sys.executable, "-c", _TRY, engine.memory, str(engine.threads)],
        capture_output=True,
        check=False,
        timeout=120,
    )
    if tried.returncode:
        raise ConfigError(
            f'The engine does not run with [engine] memory = "{engine.memory}" and threads = '
            f"{engine.threads}.",
            remedy="Leave both out, and the engine takes what suits this machine; or give it more "
            "memory and fewer threads.",
        )
    memory = engine.memory or f"four fifths of {machine_memory() / 1e9:.1f} GB"
    return f"runs with {memory} of memory and {engine.threads or os.cpu_count()} threads"
