"""Loading a register into the schema ``raw``, and proving that every row arrived.

Belongs here: the one way a register enters the warehouse. Does not belong here: cleaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from etl.contract import REGISTERS
from etl.errors import LedgerError
from etl.extract.connect import reading
from etl.extract.mapping import register_select
from etl.extract.streams import adbc_stream, row_stream
from etl.settings import Source
from etl.warehouse.engine import Warehouse
from etl.warehouse.statements import TableName


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was read of one register.

    Attributes:
        register: ``insurance`` or ``population``.
        rows: Rows in the source's snapshot, all of which are in the warehouse.
        way: ``adbc`` or ``rows``: how they travelled.
    """

    register: str
    rows: int
    way: str


def extract_register(
    warehouse: Warehouse,
    register: str,
    source: Source,
    progress: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Reads a register whole into ``raw.<register>``.

    Args:
        warehouse: Where it goes.
        register: ``insurance`` or ``population``.
        source: Where it is, and its column mapping.
        progress: Called with rows read and rows expected, batch by batch.

    Raises:
        ContractError: The source does not offer a required column.
        ConnectionFailedError: The source cannot be reached or broke off.
        LedgerError: The rows received are not the rows counted.
    """
    with reading(source, f"Connecting to the {register} register") as connection:
        statement = register_select(connection, register, source)
        if connection.dialect.name == "postgresql":
            way, (expected, batches) = "adbc", adbc_stream(statement, source, register)
        else:
            way, (expected, batches) = "rows", row_stream(connection, statement, source, register)
        received = _load(warehouse, register, _watched(batches, expected, progress))
    if received != expected:
        raise LedgerError(
            f"The {register} register counts {expected} rows but {received} arrived.",
            where=source.shown,
            remedy="Run again; if it happens again, look for a connection that breaks off.",
        )
    return Extraction(register, received, way)


def _watched(
    batches: Iterator[pa.RecordBatch],
    expected: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[pa.RecordBatch]:
    read = 0
    for batch in batches:
        yield batch
        read += batch.num_rows
        if progress:
            progress(read, expected)


class _Remembered:
    """Passes batches on and remembers what broke them off.

    DuckDB reports a broken stream in words of its own, so the real error is kept here.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self.batches = batches
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self.batches
        except BaseException as error:
            self.error = error
            raise


def _load(warehouse: Warehouse, register: str, batches: Iterator[pa.RecordBatch]) -> int:
    """Writes the batches, every column cast to text, with run and read time beside each row."""
    names = [column.name for column in REGISTERS[register]]
    first = next(batches, None)
    if first is None:
        schema, stream = pa.schema([(name, pa.string()) for name in names]), iter(())
    else:
        schema, stream = first.schema, _chain(first, batches)
    table = TableName("raw", register)
    columns = ", ".join(f"{name}::varchar as {name}" for name in names)
    remembered = _Remembered(stream)
    reader = pa.RecordBatchReader.from_batches(schema, iter(remembered))
    connection = warehouse.connection
    connection.register("incoming", reader)
    try:
        run_id = warehouse.value("select run_id from ops.parameters")
        with warehouse.one_pass_loading():
            connection.execute(
                f"create or replace table {table.sql} as "  # noqa: S608 - names of the contract
                f"select {columns}, $run_id::varchar as run_id, "
                "current_timestamp::timestamp as read_at from incoming",
                {"run_id": run_id},
            )
    except duckdb.Error:
        if remembered.error is not None:
            raise remembered.error from None
        raise
    finally:
        connection.unregister("incoming")
        reader.close()
    return warehouse.count(table)


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest
