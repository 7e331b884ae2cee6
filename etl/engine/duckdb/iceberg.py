"""An Iceberg table as one of its metadata files has it: its rows, as Arrow.

Belongs here: which metadata file counts, and reading the files that it names. Does not belong here:
asking the rows (``lake.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from etl.domain.errors import ConfigError, ConnectionFailedError, DoisoatError

_END = ".metadata.json"


def open_iceberg(path: str, what: str) -> Callable[[], pa.RecordBatchReader]:
    """Opens a table as it is at this moment.

    Args:
        path: The table's folder, which holds ``metadata``; or one of its metadata files.
        what: What is done with it, for messages.

    Returns:
        What begins to read its rows, a data file at a time; it may be called several times.

    Raises:
        ConfigError: The package is not installed, nobody but a catalog knows which metadata file
            counts, or the table has files or deletions that are not read here.
        ConnectionFailedError: There is no such table, or it cannot be read.
    """
    try:
        from pyiceberg.catalog.noop import NoopCatalog
        from pyiceberg.io.pyarrow import ArrowScan, PyArrowFileIO, schema_to_pyarrow
        from pyiceberg.serializers import FromInputFile
        from pyiceberg.table import StaticTable
    except ModuleNotFoundError:
        raise ConfigError(
            "The package that reads Iceberg tables is not installed.",
            where=path,
            remedy="pip install 'doisoat[lake]'",
        ) from None
    try:
        file = _metadata_file(Path(path), what)
        files = PyArrowFileIO()  # (a table's own properties could name another)
        metadata = FromInputFile.table_metadata(files.new_input(str(file)))
        table = StaticTable(("register",), metadata, str(file), files, NoopCatalog("register"))
        if snapshot := table.current_snapshot():
            _refuse_elsewhere([snapshot.manifest_list], what, path)
            manifests = snapshot.manifests(files)
            _refuse_elsewhere((one.manifest_path for one in manifests), what, path)
        scan = table.scan()
        columns = scan.projection()
        schema = schema_to_pyarrow(columns)
        tasks = list(scan.plan_files())
        _refuse_elsewhere((task.file.file_path for task in tasks), what, path)
        for task in tasks:
            _refuse_elsewhere((one.file_path for one in task.delete_files), what, path)
    except DoisoatError:
        raise
    except Exception as error:  # (those of the package are of no common kind)
        raise _unreadable(error, what, path) from None

    def batches() -> Iterator[pa.RecordBatch]:
        # (One file after another: given all of them, the package reads ahead as fast as it can.)
        for task in tasks:
            scanned = ArrowScan(metadata, files, columns, scan.row_filter)
            for batch in scanned.to_record_batches([task]):
                yield batch.cast(schema)

    return lambda: pa.RecordBatchReader.from_batches(schema, batches())


def _metadata_file(path: Path, what: str) -> Path:
    """Returns the metadata file that counts: the one named, hinted at, or the only one."""
    if path.name.endswith(_END):
        return path
    folder = path / "metadata"
    hint = folder / "version-hint.text"
    if hint.is_file():
        version = hint.read_text("utf-8").strip()
        names = (version, f"v{version}{_END}", f"v{version}.gz{_END}")
        for name in names:
            if name.endswith(_END) and (folder / name).is_file():
                return folder / name
    found = sorted(folder.glob(f"*{_END}"))
    if not found:
        raise ConnectionFailedError(
            f"{what}: no Iceberg table is there.",
            where=str(path),
            remedy="Name the folder that holds 'metadata', or a metadata file of it; relative "
            "paths start at the configuration file's folder.",
        )
    if len(found) > 1:
        raise ConfigError(
            f"{what}: the Iceberg table has {len(found)} metadata files and no version-hint.text, "
            "and only its catalog knows which of them counts.",
            where=str(folder),
            remedy=f"Name the file (iceberg:///…/metadata/…{_END}, ${{VARIABLE}} for a name that "
            "changes), or have whoever writes the table keep metadata/version-hint.text.",
        )
    return found[0]


def _refuse_elsewhere(locations: Iterable[str], what: str, path: str) -> None:
    """Refuses files that are not on this machine: the table was written for another place."""
    for location in locations:
        scheme = urlsplit(location).scheme
        if scheme not in ("", "file"):
            raise ConfigError(
                f"{what}: the Iceberg table names files under {scheme}:, and only files of this "
                "machine are read.",
                where=path,
                remedy="Have the register written out as Parquet or Delta, or name a database "
                "that reads the table.",
            )


def _unreadable(error: BaseException, what: str, path: str) -> ConnectionFailedError | ConfigError:
    if "equality deletes" in str(error):
        return ConfigError(
            f"{what}: the Iceberg table has equality deletes, which the package 'pyiceberg' does "
            "not read: rows that were deleted would be there.",
            where=path,
            remedy="Have the table compacted (rewrite_data_files), or written with merge-on-read "
            "by position or copy-on-write.",
        )
    return ConnectionFailedError(
        f"{what}: the Iceberg table cannot be read ({type(error).__name__}).",
        where=path,
        remedy="All files that its metadata names must be there under the very path that it "
        "names, and this user must be able to read them; the table may need more than this version "
        "of the package 'pyiceberg' knows.",
    )
