"""Warehouses for measurements, which take their registers from Parquet files.

Belongs here: opening such a warehouse, and landing registers as its raw tables. Does not belong
here: building the tables (``etl/pipeline/runner.py``) and judging the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import SecretStr

from etl.domain.contract import REGISTERS
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.settings import Engine, Reconcile, Settings, Source, Target


def settings_of(
    home: Path, engine: Engine | None = None, reconcile: Reconcile | None = None
) -> Settings:
    """Returns the settings of a warehouse that gets its registers by ``land``."""
    nowhere = {"url": SecretStr("sqlite://")}
    return Settings(
        home=home,
        insurance=Source(**nowhere, table="none"),
        population=Source(**nowhere, table="none"),
        target=Target(url=SecretStr(f"sqlite:///{home / 'target.db'}")),
        engine=engine or Engine(),
        reconcile=reconcile or Reconcile(),
    )


@contextmanager
def fresh_warehouse(
    home: Path, engine: Engine | None = None, reconcile: Reconcile | None = None
) -> Iterator[Warehouse]:
    """Opens an empty warehouse with the project's default settings.

    Args:
        home: Its folder; a warehouse that is there is deleted.
        engine: Limits of memory and threads, where they are not the default.
        reconcile: How much evidence a link needs, where it is not the default.
    """
    clear(home)
    with warehouse_of(home, engine, reconcile) as warehouse:
        yield warehouse


def clear(home: Path) -> None:
    """Deletes the warehouse of a folder."""
    for leftover in ("warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.run", "target.db"):
        (home / leftover).unlink(missing_ok=True)
    for folder in ("warehouse.files", "snapshots"):
        shutil.rmtree(home / folder, ignore_errors=True)


@contextmanager
def warehouse_of(
    home: Path, engine: Engine | None = None, reconcile: Reconcile | None = None
) -> Iterator[Warehouse]:
    """Opens the warehouse that the last measurement left in a folder, or a new one."""
    settings = settings_of(home, engine, reconcile)
    try:
        with warehouse_for(settings, Run("benchmark")) as warehouse:
            yield warehouse
    finally:
        release_lock(settings)


def land(warehouse: Warehouse, registers: Mapping[str, Path]) -> None:
    """Puts both registers where extraction would put them, with every contract column as text.

    Args:
        warehouse: A fresh one.
        registers: The Parquet file of each register; a contract column that is not in it is null.
    """
    warehouse.files.mkdir(exist_ok=True)
    for register, columns in REGISTERS.items():
        there = pq.read_schema(registers[register]).names
        texts = ", ".join(
            f"{column.name if column.name in there else 'null'}::varchar as {column.name}"
            for column in columns
        )
        table = TableName("raw", register)
        source, landed = (str(path).replace("'", "''") for path in (
            registers[register], warehouse.file(table)
        ))  # fmt: skip
        warehouse.execute(
            f"copy (select {texts}, parameters.run_id, now()::timestamp as read_at "  # noqa: S608
            f"from read_parquet('{source}'), ops.parameters) "
            f"to '{landed}' (format parquet, compression lz4)"
        )
        warehouse.show(table)


def place(warehouse: Warehouse, landed: Path) -> None:
    """Puts another warehouse's raw files into this one, as they are after an extraction."""
    shutil.copytree(landed, warehouse.files, dirs_exist_ok=True, copy_function=_linked)
    warehouse.show_files()


def _linked(source: str, destination: str) -> None:
    """Links a file instead of copying it: files are replaced and never changed in place."""
    Path(destination).unlink(missing_ok=True)
    Path(destination).hardlink_to(source)
