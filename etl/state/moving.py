"""The state in one file: for a backup, and to move it to another database.

Belongs here: writing all tables of the state to a file, and reading them back. Does not belong
here: the tables (``tables.py``) and their versions (``schema.py``).

The file is a zip archive: ``state.json`` says what it is, and each table is a Parquet file. It
names persons, as the state does, so only its owner may read it.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.domain.errors import ConfigError
from etl.process.files import scratch_folder, unreadable, whole_file
from etl.settings import Settings
from etl.state.schema import HEAD
from etl.state.store import State, now, open_state

_ABOUT = "state.json"


def export_state(settings: Settings, file: Path) -> dict[str, int]:
    """Writes the state to a file, as it is at one moment.

    Args:
        settings: Whose state.
        file: The archive; one that is there is replaced when the new one is whole.

    Returns:
        Rows by table.

    Raises:
        ConnectionFailedError: The state cannot be reached.
        ConfigError: The file cannot be written.
    """
    rows = {}
    with whole_file(file) as draft, zipfile.ZipFile(draft, "w") as archive:
        with open_state(settings) as state, scratch_folder(file.resolve().parent) as folder:
            state.writer.hold_still()
            if state.state_id is None:
                raise ConfigError("There is no state yet.", remedy="Run: doisoat sync")
            for name, table in state.tables.items():
                part = folder / f"{name}.parquet"
                columns = [column.name for column in table.columns]
                rows[name] = _write(state.read(name, columns), part)
                archive.write(part, part.name)
                part.unlink()
        about = {
            "what": "state of doisoat", "schema": HEAD, "doisoat": version("doisoat"),
            "written_at": now().isoformat(timespec="seconds"), "rows": rows,
        }  # fmt: skip
        archive.writestr(_ABOUT, json.dumps(about, indent=1))
    return rows


def import_state(settings: Settings, file: Path, *, replace: bool = False) -> dict[str, int]:
    """Reads a state back from a file, in one transaction.

    Args:
        settings: Whose state.
        file: What ``export_state`` wrote, with this version or an earlier one.
        replace: Replace a state that is there.

    Returns:
        Rows by table.

    Raises:
        ConfigError: The file is no exported state, or of a newer version; or there is a state
            already.
        ConnectionFailedError: The state cannot be reached; it is as it was.
    """
    with _opened(file) as (archive, about), open_state(settings) as state:
        if state.state_id is not None and not replace:
            raise ConfigError(
                "There is a state already; nothing was read.",
                where=settings.state_database.shown,
                remedy="Name an empty place under [state], or put this one in its place: --replace",
            )
        rows = {}
        for name, table in state.tables.items():
            state.writer.delete_where(table)
            if about["rows"].get(name):
                rows[name] = _read(archive, name, state)
        state.name_anew()
    return rows


def _write(rows: pa.RecordBatchReader, part: Path) -> int:
    with pq.ParquetWriter(part, rows.schema) as writer:
        count = 0
        for batch in rows:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _read(archive: zipfile.ZipFile, name: str, state: State) -> int:
    """Adds the rows of a table; columns that an earlier version had not stay empty."""
    with _stored(archive, name) as stored:
        known = [c.name for c in state.tables[name].columns if c.name in stored.schema_arrow.names]
        schema = pa.schema([stored.schema_arrow.field(column) for column in known])
        batches = stored.iter_batches(columns=known)
        state.writer.insert(
            state.tables[name],
            pa.RecordBatchReader.from_batches(schema, (b.select(known) for b in batches)),
        )
        return int(stored.metadata.num_rows)


_NOT_WHOLE = (
    zipfile.BadZipFile, zlib.error, AttributeError, EOFError, KeyError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What damaged bytes of an archive can raise."""


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """Opens an exported state, after all of it was read once: what is read later is whole."""
    with ExitStack() as opened:
        try:
            archive = opened.enter_context(zipfile.ZipFile(file))
            about = json.loads(archive.read(_ABOUT))
            is_ours = about.get("what") == "state of doisoat"
            is_newer = is_ours and about["schema"] > HEAD
            is_whole = is_ours and (is_newer or _is_whole(archive, about["rows"]))
        except OSError as error:
            if error.errno is not None:
                raise unreadable(file, error) from None
            is_whole = is_newer = False
        except _NOT_WHOLE:
            is_whole = is_newer = False
        if is_newer:
            raise ConfigError(
                "A newer version of doisoat wrote this state.",
                where=str(file),
                remedy=f"Use doisoat {about['doisoat']} or newer.",
            )
        if not is_whole:
            raise ConfigError(
                "The file is no state of doisoat, or not whole.",
                where=str(file),
                remedy="Name a file that 'doisoat state export' wrote.",
            )
        yield archive, about


def _is_whole(archive: zipfile.ZipFile, rows: Mapping[str, int]) -> bool:
    """Compares each file of the archive with its check sum, and its rows with their number."""
    return archive.testzip() is None and all(
        _stored(archive, name).metadata.num_rows == count for name, count in rows.items() if count
    )


def _stored(archive: zipfile.ZipFile, name: str) -> pq.ParquetFile:
    return pq.ParquetFile(pa.PythonFile(archive.open(f"{name}.parquet"), mode="r"))
