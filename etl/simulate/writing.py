"""Registers into Parquet files and databases.

Belongs here: the two ways out, what they refuse to overwrite, and the report. Does not belong
here: how rows get into one kind of database (databases.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.simulate import arrow, insurance, population
from etl.simulate.chunks import TRUTH_SCHEMA
from etl.simulate.databases import open_database
from etl.simulate.running import simulate_batches
from etl.simulate.spec import SimulationReport, SimulationSpec

Progress = Callable[[int], None]

SCHEMAS: Mapping[str, pa.Schema] = {
    "insurance": insurance.SCHEMA,
    "population": population.SCHEMA,
    "truth": TRUTH_SCHEMA,
}
KEYS = {"insurance": "record_id", "population": "personal_id", "truth": "record_id"}

_REPETITIVE = {
    *("gender", "status", "date_of_death", "province_code", "employer_code", "faults"),
    *("compulsory_si", "voluntary_si", "unemployment_insurance", "health_insurance"),
}
"""Columns worth a Parquet dictionary; the others are nearly all different."""


class Sink(Protocol):
    """Somewhere that takes the rows of one table."""

    def write(self, table: pa.Table) -> None:
        """Takes some rows."""


def write_parquet(
    spec: SimulationSpec,
    directory: str | Path,
    progress: Progress | None = None,
    *,
    replace: bool = False,
) -> SimulationReport:
    """Writes insurance.parquet, population.parquet and truth.parquet.

    Files appear under their names only when all three are complete.

    Args:
        spec: The request.
        directory: Made if it is not there.
        progress: Called with the number of citizens done so far.
        replace: Whether files of those names may be overwritten.

    Raises:
        FileExistsError: A file is there already and `replace` is false.
        ValueError: The request cannot be met.
    """
    paths = {name: Path(directory) / f"{name}.parquet" for name in SCHEMAS}
    with ExitStack() as stack:
        sinks: dict[str, Sink] = {
            name: stack.enter_context(_parquet_file(path, name, replace=replace))
            for name, path in paths.items()
        }
        return _write(spec, sinks, progress)


def write_database(
    spec: SimulationSpec,
    insurance_url: str,
    population_url: str,
    truth: str | Path | None = None,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> SimulationReport:
    """Writes tables `insurance` and `population`, each with a primary key.

    Args:
        spec: The request.
        insurance_url: SQLAlchemy URL of the insurance register.
        population_url: SQLAlchemy URL of the population register; may be the same.
        truth: Where the truth goes: a SQLAlchemy URL (table `truth`), a `.parquet` file, or a
            directory that gets `truth.parquet`. None leaves it out.
        replace: Whether tables and files of those names may be overwritten.
        progress: Called with the number of citizens done so far.

    Raises:
        FileExistsError: A table or file is there already and `replace` is false.
        ValueError: The request cannot be met.
    """
    with ExitStack() as stack:
        sinks: dict[str, Sink] = {}
        for name, url in (("insurance", insurance_url), ("population", population_url)):
            sinks[name] = stack.enter_context(_table(url, name, replace=replace))
        if truth is not None and "://" in str(truth):
            sinks["truth"] = stack.enter_context(_table(str(truth), "truth", replace=replace))
        elif truth is not None:
            path = Path(truth)
            path = path if path.suffix == ".parquet" else path / "truth.parquet"
            sinks["truth"] = stack.enter_context(_parquet_file(path, "truth", replace=replace))
        return _write(spec, sinks, progress)


def _write(
    spec: SimulationSpec, sinks: Mapping[str, Sink], progress: Progress | None
) -> SimulationReport:
    start = time.monotonic()
    rows: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for batch in simulate_batches(spec):
        for name, sink in sinks.items():
            sink.write(getattr(batch, name))
        rows["insurance"] += batch.insurance.num_rows
        rows["population"] += batch.population.num_rows
        rows["clean"] += pc.sum(pc.equal(batch.truth["faults"], arrow.scalar(""))).as_py()
        faults.update(batch.fault_counts)
        if progress is not None:
            progress(rows["population"])
    return SimulationReport(
        population_rows=rows["population"],
        insurance_rows=rows["insurance"],
        clean_rows=rows["clean"],
        seconds=time.monotonic() - start,
        fault_counts=dict(sorted(faults.items())),
    )


@contextmanager
def _table(url: str, name: str, *, replace: bool) -> Iterator[Sink]:
    with open_database(url, name, SCHEMAS[name], KEYS[name], replace=replace) as sink:
        yield sink


@contextmanager
def _parquet_file(path: Path, name: str, *, replace: bool) -> Iterator[Sink]:
    """Yields a sink whose file takes its name only when everything has gone well."""
    if path.exists() and not replace:
        raise FileExistsError(f"{path} is there already; ask to replace it, or name another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with pq.ParquetWriter(
            unfinished,
            SCHEMAS[name],
            compression="zstd",
            compression_level=1,
            use_dictionary=sorted(_REPETITIVE & set(SCHEMAS[name].names)),
        ) as writer:
            yield _ParquetSink(writer)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class _ParquetSink:
    """Writes each chunk as one row group."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        """Writes one row group."""
        self._writer.write_table(table, row_group_size=table.num_rows or None)
