"""The rows of an Iceberg table, as one of its metadata files lists them, read as Arrow.

Belongs here: which metadata file counts, and reading the files that it names. Does not belong here:
asking the rows (``lake.py``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from etl.domain.errors import ConfigError, ConnectionFailedError, DoisoatError, installing

_END = ".metadata.json"
_NUMBERED = re.compile(r"v(\d+)(\.gz\.metadata\.json|\.metadata\.json(\.gz)?)")


class IcebergTable:
    """The rows of a table at one moment."""

    def __init__(self, path: str, what: str) -> None:
        """Reads which files hold the rows.

        Args:
            path: The table's folder, which holds ``metadata``; or one of its metadata files.
            what: What is done with it, for messages.

        Raises:
            ConfigError: The package is not installed, nobody but a catalog knows which metadata
                file counts, or the table has files or deletions that are not read here.
            ConnectionFailedError: There is no such table, or it cannot be read.
        """
        self._path, self._what = path, what
        self._failure: Exception | None = None
        try:
            from pyiceberg.catalog.noop import NoopCatalog
            from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
            from pyiceberg.serializers import FromInputFile
            from pyiceberg.table import StaticTable
        except ModuleNotFoundError:
            raise ConfigError(
                "The package that reads Iceberg tables is not installed.",
                where=path,
                remedy=installing("lake"),
            ) from None
        try:
            file = self._metadata_file(Path(path))
            self._files = PyArrowFileIO()  # (a table's own properties could name another)
            self._metadata = FromInputFile.table_metadata(self._files.new_input(str(file)))
            table = StaticTable(
                ("register",), self._metadata, str(file), self._files, NoopCatalog("register")
            )
            self._refuse_elsewhere([self._metadata.location, str(file)])
            if snapshot := table.current_snapshot():
                self._refuse_elsewhere([snapshot.manifest_list])
                manifests = snapshot.manifests(self._files)
                self._refuse_elsewhere(one.manifest_path for one in manifests)
            self._scan = table.scan()
            self._schema = schema_to_pyarrow(self._scan.projection())
            self._tasks = list(self._scan.plan_files())
            for task in self._tasks:
                self._refuse_elsewhere([task.file.file_path])
                self._refuse_elsewhere(one.file_path for one in task.delete_files)
        except DoisoatError:
            raise
        except Exception as error:  # (the package's errors have no common base)
            raise self._unreadable(error) from None

    def rows(self) -> pa.RecordBatchReader:
        """Begins to read the rows, a batch at a time; it may be called several times."""
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def failure(self) -> DoisoatError | None:
        """Returns why reading the rows has failed; None where it was that a file cannot be read."""
        return self._unreadable(self._failure) if self._failure else None

    def _batches(self) -> Iterator[pa.RecordBatch]:
        from pyiceberg.io.pyarrow import ArrowScan, _read_all_delete_files

        try:
            deleted = _read_all_delete_files(self._files, self._tasks)
            scanned = ArrowScan(
                self._metadata, self._files, self._scan.projection(), self._scan.row_filter
            )
            # (The package's public function would hold the rows of all files in memory at once.)
            for batch in scanned._record_batches_from_scan_tasks_and_deletes(self._tasks, deleted):
                yield batch.cast(self._schema)
        except OSError:
            raise
        except Exception as error:
            self._failure = error
            raise

    def _metadata_file(self, path: Path) -> Path:
        """Returns the metadata file that counts: the one named, hinted at, or the only one."""
        if path.name.endswith(_END):
            return path
        folder = path / "metadata"
        found = sorted(file for file in folder.glob("*.metadata.json*") if file.is_file())
        if not found:
            raise ConnectionFailedError(
                f"{self._what}: no Iceberg table is there.",
                where=str(path),
                remedy="Name the folder that holds 'metadata', or a metadata file of it; relative "
                "paths start at the configuration file's folder.",
            )
        hint = folder / "version-hint.text"
        if hint.is_file():
            return self._hinted(folder, hint.read_text("utf-8").strip(), found)
        if len(found) > 1:
            raise self._ambiguous(folder, "no version-hint.text")
        return found[0]

    def _hinted(self, folder: Path, hint: str, found: list[Path]) -> Path:
        """Returns the file that a hint names, or the last of the numbers that follow the hint's.

        The hint is written after the metadata and not together with it, so there may be a newer
        file.
        """
        if not hint.isdecimal():
            if folder / hint in found:
                return folder / hint
            raise self._nothing_hinted(folder)
        numbers = {file: _NUMBERED.fullmatch(file.name) for file in found}
        if not all(numbers.values()):
            raise self._ambiguous(folder, "those of a catalog beside a numbered version-hint.text")
        by_number = {int(number[1]): file for file, number in numbers.items() if number}
        if len(by_number) < len(found):
            raise self._ambiguous(folder, "several of one number")
        version = int(hint)
        if version not in by_number:
            raise self._nothing_hinted(folder)
        while version + 1 in by_number:
            version += 1
        return by_number[version]

    def _ambiguous(self, folder: Path, why: str) -> ConfigError:
        return ConfigError(
            f"{self._what}: the Iceberg table has several metadata files and {why}, and only its "
            "catalog knows which of them counts.",
            where=str(folder),
            remedy=f"Name the file (iceberg:///…/metadata/…{_END}, ${{VARIABLE}} for a name that "
            "changes), or have whoever writes the table keep its name in "
            "metadata/version-hint.text.",
        )

    def _nothing_hinted(self, folder: Path) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"{self._what}: the version-hint.text of the Iceberg table names a metadata file that "
            "is not there.",
            where=str(folder),
            remedy="Restore the file, or write the right one into version-hint.text.",
        )

    def _refuse_elsewhere(self, locations: Iterable[str]) -> None:
        """Refuses files outside of the table's folder: it was written for, or at, another place."""
        named = self._metadata.properties.get("write.data.path", "")
        roots = [_path(root) for root in (self._metadata.location, named) if root]
        for location in locations:
            scheme = urlsplit(location).scheme
            if scheme not in ("", "file"):
                raise ConfigError(
                    f"{self._what}: the Iceberg table names files under {scheme}:, and only files "
                    "of this machine are read.",
                    where=self._path,
                    remedy="Have the register written out as Parquet or Delta, or name a database "
                    "that reads the table.",
                )
            if not any(_path(location).is_relative_to(root) for root in roots):
                raise ConfigError(
                    f"{self._what}: the Iceberg table names files outside of its folder, as where "
                    "it was copied or moved.",
                    where=self._path,
                    remedy="Name the table where it was written, or have it written out here.",
                )

    def _unreadable(self, error: BaseException) -> DoisoatError:
        if "equality deletes" in str(error):
            return ConfigError(
                f"{self._what}: the Iceberg table has equality deletes, which the package "
                "'pyiceberg' does not read: rows that were deleted would be there.",
                where=self._path,
                remedy="Have the table compacted (rewrite_data_files), or written with "
                "merge-on-read by position or copy-on-write.",
            )
        return ConnectionFailedError(
            f"{self._what}: the Iceberg table cannot be read ({type(error).__name__}).",
            where=self._path,
            remedy="All files that its metadata names must be there under the very path that it "
            "names, and this user must be able to read them; the table may need more than this "
            "version of the package 'pyiceberg' knows.",
        )


def _path(location: str) -> Path:
    return Path(os.path.realpath(location.removeprefix("file://").removeprefix("file:")))
