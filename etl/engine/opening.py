"""Which engines there are: the one place that names them.

Belongs here: opening the warehouse of the engine that runs, and what its errors and limits mean.
Does not belong here: what is special to one engine (its folder).
"""

from __future__ import annotations

from pathlib import Path

from etl.domain.errors import DoisoatError
from etl.engine.duckdb import damage as duckdb_damage
from etl.engine.duckdb import limits as duckdb_limits
from etl.engine.duckdb import warehouse as duckdb_warehouse
from etl.engine.duckdb.damage import unreadable_file
from etl.engine.duckdb.lake import LakeRegister, open_lake
from etl.engine.duckdb.limits import memory_of, packs_text, try_memory
from etl.engine.duckdb.snapshot import open_snapshot
from etl.engine.duckdb.warehouse import open_warehouse
from etl.engine.lake import settle, try_lake
from etl.engine.port import Warehouse
from etl.engine.spark import damage as spark_damage
from etl.engine.spark import session as spark_session
from etl.engine.spark import warehouse as spark_warehouse
from etl.process.privacy import RecordKey
from etl.settings import Engine

__all__ = [
    "LakeRegister",
    "connect",
    "memory_of",
    "open_lake",
    "open_snapshot",
    "open_warehouse",
    "packs_text",
    "trouble",
    "try_engine",
    "try_memory",
    "unreadable_file",
]


def connect(
    path: Path, *, key: RecordKey, limits: Engine | None = None, patience: float = 0
) -> Warehouse:
    """Opens the warehouse of the engine that the settings name, for writing.

    Args:
        path: The file of the warehouse.
        key: Makes the record keys.
        limits: The settings of the engine.
        patience: Seconds to wait for another process that has the file open.

    Raises:
        DoisoatError: As the engine's own ``connect`` does, or its files cannot lie where the
            settings say.
    """
    settle(path, limits or Engine())
    if limits and limits.name == "spark":
        return spark_warehouse.connect(path, key=key, limits=limits, patience=patience)
    return duckdb_warehouse.connect(path, key=key, limits=limits, patience=patience)


def trouble(error: BaseException, path: Path) -> DoisoatError | None:
    """Tells what an error of an engine, or of a file, means for whoever runs doisoat.

    Args:
        error: What was raised.
        path: The warehouse's file.

    Returns:
        The error to raise in its place; None where its kind is not known here.
    """
    return spark_damage.trouble(error) or duckdb_damage.trouble(error, path)


def try_engine(engine: Engine, path: Path) -> str:
    """Tries the engine before a run needs it.

    Args:
        engine: The settings.
        path: The file of the warehouse.

    Returns:
        What is well, in words.

    Raises:
        DoisoatError: It does not run, or not with its limits, or its files cannot lie where the
            settings say.
    """
    found, lake = duckdb_limits.try_engine(engine), try_lake(path, engine)
    if engine.name == "spark":
        found = f"{spark_session.try_spark(engine)}; beside it DuckDB {found}"
    return f"{found}; {lake}" if lake else found
