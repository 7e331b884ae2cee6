"""Loading a register into the schema ``raw``, and proving that every row arrived.

Belongs here: the one way a register enters the warehouse. Does not belong here: cleaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.domain.contract import REGISTERS
from etl.domain.errors import ContractError, LedgerError
from etl.engine.builds import forget_build, note_build
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.extract.mapping import RegisterQuery
from etl.extract.origin import Origin
from etl.extract.streams import ROWS_PER_BATCH, Reading, reading_register
from etl.process.home import make_room
from etl.settings import Engine, Source

_FOUND_BY = {
    "insurance": {"record_id": {"ndv": ROWS_PER_BATCH, "fpp": 0.01}},
    "population": {"personal_id": {"ndv": ROWS_PER_BATCH, "fpp": 0.01}},
}
"""Bloom filters, by which readers find the group of rows that holds a key."""

_REPEATING = [
    "gender",
    "status",
    "employer_code",
    "province_code",
    "compulsory_si",
    "voluntary_si",
    "unemployment_insurance",
    "health_insurance",
    "run_id",
    "read_at",
]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a delta found in a register since it was last read; each counts keys.

    Attributes:
        inserted: Keys that are new.
        updated: Keys of which a row has changed.
        deleted: Keys that are gone.
        touched: Keys whose row has a new time of change, and nothing else that is new.
    """

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    touched: int = 0

    def __bool__(self) -> bool:
        """Says whether anything is new, be it a time of change."""
        return any(astuple(self))


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was read of one register.

    Attributes:
        register: ``insurance`` or ``population``.
        rows: Rows in the source's snapshot, all of which are in the warehouse.
        way: ``adbc``, ``files`` or ``rows``: how they were transferred.
        changes: What a delta found; None where the register was read whole.
        whole_because: Why a delta read it whole.
    """

    register: str
    rows: int
    way: str
    changes: Changes | None = None
    whole_because: str = ""


def extract_register(
    warehouse: Warehouse,
    register: str,
    source: Source,
    progress: Callable[[int, int], None] | None = None,
    limits: Engine | None = None,
) -> Extraction:
    """Reads a register whole into ``raw.<register>``.

    Args:
        warehouse: Where it goes.
        register: ``insurance`` or ``population``.
        source: Where it is, and its column mapping.
        progress: Called with rows read and rows expected, batch by batch.
        limits: Memory and threads.

    Raises:
        ContractError: The source does not offer a required column.
        ConnectionFailedError: The source cannot be reached or broke off.
        LedgerError: The rows received are not the rows counted.
    """
    with reading_register(register, source, limits) as (reading, query):
        return read_whole(warehouse, register, source, reading, query, progress)


def read_whole(
    warehouse: Warehouse,
    register: str,
    source: Source,
    reading: Reading,
    query: RegisterQuery,
    progress: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Reads a register that is open, as ``extract_register`` does."""
    with replacing(warehouse, TableName("raw", register)) as file:
        expected = reading.count(query.statement)
        origin = Origin.of(source, reading, query)
        batches = _watched(reading.batches(query.statement), expected, progress)
        received = store(register, new_rows(warehouse, register, batches), file, origin)
        if received != expected:
            raise LedgerError(
                f"The {register} register counts {expected} rows but {received} arrived.",
                where=source.shown,
                remedy="Run again; if it happens again, look for a connection that breaks off.",
            )
    return Extraction(register, received, reading.way)


@contextmanager
def replacing(warehouse: Warehouse, table: TableName) -> Iterator[Path]:
    """Lends a file to write, which replaces the table's if all goes well, and else is deleted."""
    file = warehouse.file(table)
    make_room(file.parent, folder=True)
    make_room(file, folder=False)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    try:
        yield unfinished
        forget_build(warehouse, table)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    warehouse.forget_amendments(table)
    warehouse.show(table)
    note_build(warehouse, table, ())


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


def raw_schema(register: str) -> pa.Schema:
    """Returns the columns of a raw table: the contract's, all text, and the run that read them."""
    return pa.schema(
        [(column.name, pa.string()) for column in REGISTERS[register]]
        + [("run_id", pa.string()), ("read_at", pa.timestamp("us"))]
    )


def new_rows(
    warehouse: Warehouse, register: str, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Makes raw rows of what was read: every column as text, with run and time beside each row."""
    schema = raw_schema(register)
    names = [column.name for column in REGISTERS[register]]
    run_id = pa.scalar(str(warehouse.value("select run_id from ops.parameters")))
    read_at = pa.scalar(datetime.now(UTC).replace(tzinfo=None), pa.timestamp("us"))
    for batch in batches:
        texts = [as_text(warehouse, batch.column(name), register, name) for name in names]
        beside = [pa.repeat(run_id, batch.num_rows), pa.repeat(read_at, batch.num_rows)]
        yield pa.record_batch([*texts, *beside], schema=schema)


def store(register: str, batches: Iterable[pa.RecordBatch], file: Path, origin: Origin) -> int:
    """Writes raw rows to a file whose metadata say what it was read from.

    Writing a register as Parquet takes half the work of a DuckDB table, and a third of the space.
    Codes that repeat are worth a dictionary, names and numbers are not.

    Returns:
        The number of rows written.
    """
    rows = 0
    with pq.ParquetWriter(
        file,
        raw_schema(register),
        compression="lz4",
        use_dictionary=_REPEATING,
        write_statistics=False,
        bloom_filter_options=_FOUND_BY[register],
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
        writer.add_key_value_metadata(origin.as_metadata())
    return rows


def as_text(warehouse: Warehouse, column: pa.Array, register: str, name: str) -> pa.Array:
    """Turns a column of a batch into text, as the engine writes its values.

    Raises:
        ContractError: It is of bytes, or of a type that the driver hands over as bytes.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if isinstance(kind, pa.BaseExtensionType) or not _is_plain(kind):
        raise ContractError(
            f"The {register} register gives '{name}' in a type that has no text ({kind}).",
            remedy=f"Map it under [{register}.columns] to an SQL expression that makes text of it.",
        )
    if kind == pa.timestamp("us"):
        # Arrow always writes six decimals; DuckDB writes as many as there are.
        return pc.utf8_rtrim(pc.utf8_rtrim(column.cast(pa.string()), "0"), ".")
    return warehouse.as_text(column)


def _is_plain(kind: pa.DataType) -> bool:
    return not (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )
