"""The warehouse of a run on Spark: the large tables are Parquet files that Spark writes.

Whatever is small, and whatever is not one of the project's statements, is done by the driver's
DuckDB, which sees every table that Spark built as a view of its files.

Belongs here: building a table on Spark, and showing Spark the tables that it reads. Does not belong
here: translating a statement (``translate.py``).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.domain.errors import ConfigError
from etl.engine.duckdb.scalars import Scalar
from etl.engine.duckdb.typed import columns_of
from etl.engine.duckdb.warehouse import DuckDBWarehouse
from etl.engine.duckdb.warehouse import connect as connect_duckdb
from etl.engine.spark.dialect import type_of
from etl.engine.spark.names import view_of
from etl.engine.spark.session import end, session
from etl.engine.spark.spreading import WRITTEN, Spread
from etl.engine.spark.translate import translate
from etl.engine.statements import UNSEEN, TableName, statements, tables_read
from etl.process.privacy import RecordKey
from etl.settings import Engine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ROW_NUMBER = "_metadata.row_index as row_number"


class SparkWarehouse(DuckDBWarehouse):
    """DuckDB on the driver, and Spark for the statements of the project."""

    ENGINE = "spark"
    NO_PARTS = (
        "on Spark a table is a set of files that is written whole, and to find the rows that a "
        "change may touch would shuffle the registers as often as to build all of them"
    )

    spread_from = 1_000_000
    """The rows of both registers from which strings are understood on the workers."""

    def __init__(self, driver: DuckDBWarehouse, key: RecordKey, engine: Engine) -> None:
        super().__init__(driver.connection, driver.files)
        self._key = key
        self._engine = engine
        self._session: SparkSession | None = None
        self._registered: set[str] = set()
        self._computed: list[tuple[str, DataFrame]] = []
        self._shown: dict[TableName, tuple[object, ...]] = {}

    def close(self) -> None:
        """Ends Spark's session, and lets go of the driver's file."""
        ended, self._session = self._session, None
        try:
            if ended is not None:
                end(ended)
        finally:
            super().close()

    # --- building -----------------------------------------------------------------------------

    def build(self, table: TableName, query: str, *, rows_at_work: int = 0) -> int:
        """Replaces a table by the result of a query: on Spark, if it is one of the project's.

        Spark builds no pieces: what does not fit into memory goes to the disks of the workers.
        """
        if table not in statements():
            return super().build(table, query, rows_at_work=rows_at_work)
        try:
            self._write(table, self.frame(query))
        except BaseException:
            with suppress(Exception):  # Spark may be gone: the first error says so
                self._forget_views()
            raise
        self._forget_views()
        return self.count(table)

    def frame(self, query: str) -> DataFrame:
        """Returns the result of a query in DuckDB's dialect, as Spark will compute it."""
        reads = {*tables_read(query), *map(TableName.parse, UNSEEN)}
        schema: dict[str, dict[str, dict[str, str]]] = {}
        for read in reads:
            schema.setdefault(read.schema, {})[read.table] = dict(self.columns(read))
        translated = translate(
            query, schema, lambda text: columns_of(self.connection, text), self._key
        )
        for name, scalar, kind in translated.functions:
            self._register(name, scalar, kind)
        for read in reads:
            self._show_to_spark(read)
        from pyspark import StorageLevel
        from pyspark.sql import functions

        *before, (_, statement) = translated.queries
        for name, asked in before:
            view = self.spark.sql(asked).persist(StorageLevel.DISK_ONLY)
            view.createOrReplaceTempView(name)
            self._computed.append((name, view))
        found = self.spark.sql(statement)

        return found.select(
            *(
                functions.col(f"`{place}`").cast(kind).alias(name)
                for place, (name, kind) in zip(found.columns, translated.columns, strict=True)
            )
        )

    def _forget_views(self) -> None:
        while self._computed:
            name, view = self._computed.pop()
            view.unpersist()
            self.spark.catalog.dropTempView(name)

    @property
    def spark(self) -> SparkSession:
        """Spark's session, begun when it is first needed."""
        if self._session is None:
            self._session = session(self._engine, self.files.parent)
        return self._session

    def _register(self, name: str, scalar: Scalar, kind: str) -> None:
        if name not in self._registered:
            self.spark.udf.register(name, arrow_function(scalar, kind))
            self._registered.add(name)

    def _write(self, table: TableName, frame: DataFrame) -> None:
        """Writes a table beside its place and puts it there when all of it is written."""
        folder = self.file(table)
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.files.mkdir(mode=0o700, parents=True, exist_ok=True)
        frame.write.parquet(unfinished.resolve().as_uri())
        if not any(unfinished.glob("*.parquet")):
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ConfigError(
                "What Spark's workers have written is not to be seen on this machine.",
                where=str(self.files),
                remedy="Name a folder that this machine and all workers have under the same path "
                "as [engine] lake.",
            )
        for beside in (*unfinished.glob(".*.crc"), *unfinished.glob("_*"), *unfinished.glob("._*")):
            beside.unlink(missing_ok=True)
        self.discard(table)
        unfinished.rename(folder)
        self._shown.pop(table, None)
        self.show(table)

    def spread(
        self, table: TableName, query: str, make: Callable[[pa.Array], pa.Table]
    ) -> int | None:
        """Has Spark's workers apply a function to strings, and adds its rows to a table of parts.

        For small registers nothing is done: the driver finishes before Spark would have begun.
        """
        if sum(pq.read_metadata(file).num_rows for file in self._registers()) < self.spread_from:
            return None
        folder = self.file(table).with_suffix(".unfinished")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        answers = self.frame(query).mapInArrow(Spread(str(folder.resolve()), make), WRITTEN)
        told: dict[str, list[Any]] = answers.toArrow().to_pydict()
        for part in told["part"]:
            (folder / part).rename(self.file(table) / part)
        shutil.rmtree(folder)
        self.show(table)
        return int(sum(told["strings"]))

    def _registers(self) -> list[Path]:
        return [file for file in self.files.glob("raw.*.parquet") if file.is_file()]

    # --- what Spark reads -----------------------------------------------------------------------

    def _show_to_spark(self, table: TableName) -> None:
        """Shows a table under the name of its view, if it has changed since it was last shown."""
        if not self.kept(table):
            self._lend_to_spark(table)
            return
        now = _state(self.file(table))
        if self._shown.get(table) == now:
            return
        frame = self.spark.read.parquet(self.file(table).resolve().as_uri())
        if not self.file(table).is_dir():
            frame = frame.selectExpr("*", _ROW_NUMBER)
        frame.createOrReplaceTempView(view_of(table))
        self._shown[table] = now

    def _lend_to_spark(self, table: TableName) -> None:
        """Hands a small table of the driver over: its content may change at any time."""
        columns = columns_of(self.connection, f"from {table.sql}")
        carried = ", ".join(f'"{one.name}"::{one.carried} as "{one.name}"' for one in columns)
        data = self.arrow(f"select {carried} from {table.sql}")  # noqa: S608 - our own names
        if data.num_rows:
            frame = self.spark.createDataFrame(data)
        else:  # (Spark Connect needs the types of empty data)
            kinds = ", ".join(f"`{one.name}` {type_of(one.tree)}" for one in columns)
            frame = self.spark.createDataFrame([], kinds)
        frame.createOrReplaceTempView(view_of(table))

    # --- what is not there ----------------------------------------------------------------------

    def make_places(
        self,
        places: TableName,
        keys: Mapping[TableName, str],
        amended: Mapping[TableName, int],  # noqa: ARG002 - no delta is built by Spark
    ) -> int:
        """Makes an empty table of places: the rows of a Parquet file are found by reading it."""
        named = pa.table(
            {
                "table_number": list(range(len(keys))),
                "table_name": [table.sql for table in sorted(keys)],
                "engine": [self.ENGINE] * len(keys),
            }
        )
        self.load(TableName(places.schema, f"{places.table}_tables"), named)
        return self.build(
            places,
            "select 0::ubigint as place, 0::usmallint as table_number, 0::bigint as row_number "
            "where false",
        )


def arrow_function(scalar: Scalar, kind: str) -> Any:
    """Makes a function of Spark that computes an expression of DuckDB, a batch at a time."""
    from pyspark.sql import functions

    def compute(*arrays: pa.Array) -> pa.Array:
        return scalar(*arrays)

    made: Callable[..., Any] = getattr(functions, "arrow_udf")  # noqa: B009 - its stubs lack it
    return made(compute, kind)


def _state(file: Path) -> tuple[object, ...]:
    """Returns what differs between a table's files and those that took their place."""
    parts = sorted(file.glob("*.parquet")) if file.is_dir() else [file]
    return tuple((part.name, part.stat().st_ino, part.stat().st_mtime_ns) for part in parts)


def connect(
    path: Path, *, key: RecordKey, limits: Engine | None = None, patience: float = 0
) -> SparkWarehouse:
    """Opens the warehouse of a run on Spark; Spark itself begins with the first table.

    Args:
        path: The DuckDB file of the driver.
        key: Makes the record keys.
        limits: The settings of the engine.
        patience: Seconds to wait for another process that has the file open.

    Raises:
        DoisoatError: As DuckDB's ``connect`` does.
    """
    engine = limits or Engine(name="spark")
    return SparkWarehouse(
        connect_duckdb(path, key=key, limits=engine, patience=patience), key, engine
    )
