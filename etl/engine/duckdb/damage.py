"""What the engine's errors mean: who holds the file, a full disk, or a file that is damaged.

Belongs here: telling these apart, by the words that the engine has for each. Does not belong here:
what is done about it (``run.py``).
"""

from __future__ import annotations

import errno
import re
from contextlib import closing, suppress
from glob import escape
from pathlib import Path

import duckdb

from etl.domain.errors import (
    ConfigError,
    DamagedError,
    DiskFullError,
    DoisoatError,
    WarehouseHeldError,
)
from etl.process.machine import trouble_in_words

_HELD = re.compile(
    r"Could not set lock on file .*?: Conflicting lock is held in (.*?)\(PID (\d+)\)"
)
_LOCKED = "Could not set lock on file"
_NEWER = "Trying to read a database file with version number"
_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|Out of disk space|failed to offload",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"Permission denied|Read-only file system|Operation not permitted")
_NOT_OPENED = re.compile(r"Cannot open file|No such file|No files found|Too many open files")
_DATABASE = re.compile(
    r"not a valid DuckDB database file|Corrupt database file|Could not read enough bytes from file"
    r"|Could not read from file|Failure while replaying WAL|Corrupt WAL"
)
_PARQUET = re.compile(
    r"""["'](?P<file>[^"']+\.parquet)["']|file (?P<bare>[^\s"']+\.parquet)""", re.IGNORECASE
)
_UNREADABLE = re.compile(
    r"too small to be a Parquet file|No magic bytes|Failed to read file|decompression failure"
    r"|TProtocolException|Parquet file .*(corrupt|invalid)|Invalid (thrift|page)",
    re.IGNORECASE,
)
_OF_A_FILE = (
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.InvalidInputException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.NotImplementedException,
)
"""What garbage in a file can raise; all other errors are about the statement or its values."""


def trouble(error: BaseException, path: Path) -> DoisoatError | None:
    """Tells what an error of the engine, or of a file, means for whoever runs doisoat.

    Args:
        error: What was raised.
        path: The warehouse's file; its Parquet files stand beside it.

    Returns:
        The error to raise in its place; None where its kind is not known here.
    """
    words = str(error)
    of_engine = isinstance(error, duckdb.Error)
    if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or (
        of_engine and _FULL.search(words)
    ):
        place = getattr(error, "filename", None) or path.parent
        return DiskFullError(
            "The disk is full.", where=str(place), remedy="Free some space there and run again."
        )
    return _of_engine(error, words, path) if of_engine else None


def _of_engine(error: BaseException, words: str, path: Path) -> DoisoatError | None:
    if _LOCKED in words:
        return _busy(words, path)
    if isinstance(error, duckdb.OutOfMemoryException):
        return ConfigError(
            "The engine ran out of the memory that it may take.",
            where="[engine] memory",
            remedy="Allow more, or fewer [engine] threads, each of which takes its share; left "
            "out, it may take four fifths of what there is.",
        )
    if _REFUSED.search(words):
        return ConfigError(
            "The warehouse cannot be read or written: this user may not, or its disk can only be "
            "read.",
            where=str(path),
            remedy="Give the home with all that is in it to the user that runs doisoat; 'doisoat "
            "check' tries it.",
        )
    # (Before damage: a log that could not be replayed for such a reason is whole.)
    if known := trouble_in_words(words, str(path)):
        return known
    if _NEWER in words:
        return ConfigError(
            "The warehouse was written by a newer version of doisoat.",
            where=str(path),
            remedy="Use that version; or move the file away, and the next run builds it anew.",
        )
    return _damage(error, words, path)


def _damage(error: BaseException, words: str, path: Path) -> DamagedError | None:
    if file := _damaged_file(words, path):
        return DamagedError(file)
    # (The engine reports garbage in a file in many ways, some of them in the words of other
    # libraries; and it shortens a long statement, so that the name of the file may be missing.)
    of_a_file = type(error) is duckdb.Error or isinstance(error, _OF_A_FILE)
    return unreadable_file(error, path) if of_a_file or _UNREADABLE.search(words) else None


def _busy(words: str, path: Path) -> WarehouseHeldError:
    held = _HELD.search(words)
    program = Path(held[1].strip()).name if held else ""
    by = f" ({program}, process {held[2]})" if held else ""
    return WarehouseHeldError(
        f"Another process has the warehouse open{by}.",
        where=str(path),
        remedy="Wait for it to end ('doisoat runs' lists runs), or stop it.",
    )


def _damaged_file(words: str, path: Path) -> Path | None:
    """Returns the file that cannot be read: the database, or one of its Parquet files."""
    of_database = _DATABASE.search(words)
    found = _PARQUET.search(words)
    if found and (of_database or _UNREADABLE.search(words)):
        file = Path(found["file"] or found["bare"]).resolve()
        return file if file.is_relative_to(path.with_suffix(".files").resolve()) else None
    return path if of_database else None


def unreadable_file(error: BaseException, path: Path) -> DamagedError | None:
    """Looks for the damaged Parquet file where the engine fails without naming it.

    Args:
        error: What was raised; files are examined only if the engine raised it.
        path: The warehouse's file.

    Returns:
        The error to raise in its place; None where every file can be read to its end.
    """
    if not isinstance(error, duckdb.Error):
        return None
    with suppress(OSError):
        for file in sorted(path.with_suffix(".files").rglob("*.parquet")):
            if file.is_file() and _is_damaged(file):
                return DamagedError(file)
    return None


def _is_damaged(file: Path) -> bool:
    """Says whether a file cannot be read, which an engine of its own tries.

    A file that may not be opened, or is gone meanwhile, does not count as damaged.
    """
    try:
        with closing(duckdb.connect()) as engine:
            engine.execute(
                "select max(columns(*)) from "  # noqa: S608 - our own folder
                f"(select hash(columns(*)) from read_parquet('{_quoted(file)}'))"
            ).fetchone()
    except duckdb.OutOfMemoryException:
        return False
    except duckdb.Error as error:
        return not (_REFUSED.search(str(error)) or _NOT_OPENED.search(str(error)))
    return False


def _quoted(file: Path) -> str:
    return escape(str(file)).replace("'", "''")
