"""The whole reconciliation as a library: registers in Parquet in, warehouse out.

Belongs here: landing registers as the raw tables of a fresh warehouse, and building every table in
the order of its dependencies. This is the one place of the benchmarks that knows how tables are
built. Does not belong here: judging what comes out.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
from pydantic import SecretStr

from etl.domain.contract import REGISTERS
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.runner import Built
from etl.settings import Engine, Reconcile, Settings, Source, Target

SCHEMAS = ("clean", "core")
"""What is built: everything but what leaves."""


def settings_of(
    home: Path, engine: Engine | None = None, reconcile: Reconcile | None = None
) -> Settings:
    """Returns the settings of a warehouse whose registers are landed by ``land``."""
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
        reconcile: How much evidence a link needs, the same.
    """
    for leftover in ("warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.run", "target.db"):
        (home / leftover).unlink(missing_ok=True)
    for folder in ("warehouse.files", "snapshots"):
        shutil.rmtree(home / folder, ignore_errors=True)
    settings = settings_of(home, engine, reconcile)
    try:
        with warehouse_for(settings, Run("benchmark")) as warehouse:
            yield warehouse
    finally:
        release_lock(settings)


def land(warehouse: Warehouse, registers: Mapping[str, Path]) -> None:
    """Puts both registers where extraction would: every contract column as text.

    Args:
        warehouse: A fresh one.
        registers: The Parquet file of each register; a contract column that it has not is null.
    """
    warehouse.files.mkdir(exist_ok=True)
    for register, columns in REGISTERS.items():
        source = str(registers[register])
        there = {
            row[0] for row in duckdb.execute("describe from read_parquet(?)", [source]).fetchall()
        }
        texts = ", ".join(
            f"{column.name if column.name in there else 'null'}::varchar as {column.name}"
            for column in columns
        )
        table = TableName("raw", register)
        warehouse.connection.execute(
            f"copy (select {texts}, parameters.run_id, now()::timestamp as read_at "
            f"from read_parquet('{source}'), ops.parameters) "
            f"to '{warehouse.file(table)}' (format parquet, compression lz4)"
        )
        warehouse.show(table)


def place(warehouse: Warehouse, landed: Path) -> None:
    """Takes the raw files of another warehouse, as they are after an extraction."""
    shutil.copytree(landed, warehouse.files, dirs_exist_ok=True)
    warehouse.show_files()


def build_all(warehouse: Warehouse, schemas: Collection[str] = SCHEMAS) -> list[Built]:
    """Builds every table of the schemas, as a sync does."""
    return runner.build_all(warehouse, pipeline().of(*schemas))


def rebuild(warehouse: Warehouse, table: str) -> None:
    """Builds one table of ``core`` again."""
    runner.build(warehouse, TableName("core", table))
