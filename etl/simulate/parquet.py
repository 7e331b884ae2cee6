"""Writing registers to Parquet files.

Belongs here: the files, their encoding, and refusing to overwrite files. Does not belong
here: what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.process.files import folder_for, refused, whole_file
from etl.simulate.spec import SimulationReport, SimulationSpec
from etl.simulate.writing import SCHEMAS, Progress, Sink, write_batches

_REPETITIVE = {
    *("gender", "status", "date_of_death", "province_code", "employer_code", "faults"),
    *("commune", "office"),
    *("compulsory_si", "voluntary_si", "unemployment_insurance", "health_insurance"),
}
"""Columns that get a Parquet dictionary; values of the others are nearly all different."""


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
        directory: Created if it does not exist.
        progress: Called with the number of citizens done so far.
        replace: Whether files of those names may be overwritten.

    Raises:
        FileExistsError: A file exists already and `replace` is false.
        ValueError: The request cannot be met.
        ConfigError: A file cannot be written.
    """
    paths = {name: Path(directory) / f"{name}.parquet" for name in SCHEMAS}
    if not replace:
        refuse_existing_files(paths.values())
    with ExitStack() as stack:
        sinks: dict[str, Sink] = {
            name: stack.enter_context(parquet_file(path, name)) for name, path in paths.items()
        }
        return write_batches(spec, sinks, progress)


def refuse_existing_files(paths: Iterable[Path]) -> None:
    """Refuses, before anything is written, if one of the files exists already.

    Raises:
        FileExistsError: One does.
    """
    for path in paths:
        if path.is_file():
            raise FileExistsError(
                f"{path} is there already; ask to replace it, or name another place"
            )


@contextmanager
def parquet_file(path: Path, name: str) -> Iterator[Sink]:
    """Yields a sink whose file gets its name only when everything has gone well.

    Raises:
        ConfigError: The file cannot be written.
    """
    folder_for(path.parent)
    with (
        whole_file(path, private=False) as draft,
        pq.ParquetWriter(
            draft,
            SCHEMAS[name],
            use_dictionary=sorted(_REPETITIVE & set(SCHEMAS[name].names)),
        ) as writer,
    ):
        yield _ParquetSink(path, writer)


class _ParquetSink:
    """Writes each chunk as one row group.

    It tells its own errors, because they pass through the other files that are open.
    """

    def __init__(self, path: Path, writer: pq.ParquetWriter) -> None:
        self._path = path
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        """Writes one row group."""
        try:
            self._writer.write_table(table, row_group_size=table.num_rows or None)
        except OSError as error:
            raise refused(self._path, error) from None
