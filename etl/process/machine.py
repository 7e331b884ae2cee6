"""What the machine refuses: a place to write, room on a disk, memory, threads, letters.

Belongs here: trying these before a run needs them, and explaining what an error of the system
means. Does not belong here: what the engine's and the databases' errors mean (``etl/engine``,
``etl/databases``).
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from etl.domain.errors import ConfigError, DiskFullError, DoisoatError
from etl.process.home import prepare_home, refuse_lost_link

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = {
    errno.EROFS: "that disk can only be read",
    errno.EACCES: "this user may not",
    errno.EPERM: "this user may not",
    errno.EMFILE: "this process may not open so many files",
    errno.ENFILE: "this machine has too many files open",
    errno.EFBIG: "it would be larger than a file may be there (ulimit -f)",
}
_LET_THIS_USER = (
    "Let this user write there, or name another place as home; 'doisoat check' tries it."
)
_MORE_FILES = "Allow more open files (ulimit -n 4096) and run again."

_OURS = (
    "dagster", "warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.files", "snapshots",
    "data_docs", "charts", "run.lock", "dagster.lock", "ui.lock",
)  # fmt: skip
"""What lies in a home and must be writable."""

_LITTLE_ROOM = 64 * 1024 * 1024
"""With less free space than that nothing can be done."""


def trouble_of_the_machine(error: BaseException, where: str = "") -> DoisoatError | None:
    """Tells what an error of the system means for whoever runs doisoat.

    Args:
        error: What was raised, with the errors that led to it.
        where: Where it happened, if the error itself does not say.

    Returns:
        The error to raise in its place; None where its kind is not known here.
    """
    for cause in _chain(error):
        if isinstance(cause, OSError):
            place = str(cause.filename) if cause.filename else where
            if cause.errno in _FULL:
                return _disk_full(place)
            if cause.errno in _REFUSED and place:
                return _refused(cause.errno, place)
        elif isinstance(cause, sqlite3.Error):
            words = str(cause)
            if "disk is full" in words:
                return _disk_full(where)
            if "disk I/O error" in words:  # mostly SQLite's words for a full disk
                return DiskFullError(
                    "The disk is full, or reports an error.",
                    where=where or "the home",
                    remedy="Free some space there and run again; if there is room, look in the "
                    "system's log for what the disk reports.",
                )
            if "readonly database" in words or "unable to open" in words:
                return _refused(errno.EACCES, where or "Dagster's history in the home")
    return None


def trouble_in_words(words: str, where: str) -> DoisoatError | None:
    """Does the same for a library's error that has only the system's words for its number.

    Args:
        words: Of the error.
        where: Where it happened.
    """
    number = next((one for one in (*_FULL, *_REFUSED) if os.strerror(one) in words), None)
    return trouble_of_the_machine(OSError(number, "", where)) if number is not None else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, the outermost first."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__context__, found.__cause__, getattr(found, "orig", None)]


def _disk_full(where: str) -> DiskFullError:
    return DiskFullError(
        "The disk is full.", where=where, remedy="Free some space there and run again."
    )


def _refused(number: int, where: str) -> ConfigError:
    files = number in (errno.EMFILE, errno.ENFILE)
    return ConfigError(
        f"A file cannot be opened: {_REFUSED[number]}."
        if files
        else f"It cannot be read or written: {_REFUSED[number]}.",
        where=where,
        remedy=_MORE_FILES if files else _LET_THIS_USER,
    )


# --- the home -----------------------------------------------------------------------------------


def try_home(home: Path) -> int:
    """Makes the home where it is missing, and writes to it as a run will.

    Returns:
        The bytes that are free there.

    Raises:
        ConfigError: It cannot be made or written to, or a part of it cannot.
        DiskFullError: There is no room.
    """
    prepare_home(home)
    free = try_writing(home)
    for path in filter(os.path.lexists, map(home.joinpath, _OURS)):
        refuse_lost_link(path)
        if not os.access(path, os.R_OK | os.W_OK):
            raise ConfigError(
                f"A part of the home cannot be written: this user may not{_owner(path)}.",
                where=str(path),
                remedy="Give the home with all that is in it to the user that runs doisoat "
                "(chown -R); a run by root leaves root's files.",
            )
    return free


def try_writing(folder: Path, called: str = "home") -> int:
    """Writes a file to a folder of the home, and deletes it.

    Args:
        folder: The folder.
        called: The setting that names it.

    Returns:
        The bytes that are free there.

    Raises:
        ConfigError: It cannot be written to.
        DiskFullError: There is no room.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as tried:
            tried.write(bytes(1024 * 1024))
            tried.flush()
            os.fsync(tried.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _of_the_home(error, folder, called) from None
    if free < _LITTLE_ROOM:
        raise _disk_full(f"{folder}, {free // 1_000_000} MB free")
    return free


def _of_the_home(error: OSError, home: Path, called: str) -> DoisoatError:
    if error.errno in _FULL:
        return _disk_full(str(home))
    reason = _REFUSED.get(error.errno or 0, f"the system reported {type(error).__name__}")
    return ConfigError(
        f"The {called} cannot be written: {reason}.",
        where=str(home),
        remedy=f"Name as {called} a folder that this user may write to, on a disk that is not "
        "read-only.",
    )


def _owner(path: Path) -> str:
    with suppress(KeyError, OSError, NotImplementedError):
        return f"; it belongs to {path.owner()}"
    return ""


# --- memory --------------------------------------------------------------------------------------

_CGROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine_memory() -> int:
    """Returns the bytes that this process may have: the machine's, or its container's."""
    memory = int(psutil.virtual_memory().total)
    for file in _CGROUP:
        with suppress(OSError, ValueError):
            return min(memory, int(file.read_text("ascii")))
    return memory


# --- the terminal -------------------------------------------------------------------------------


def foreign_encoding() -> str | None:
    """Returns the encoding of the standard output if it is not UTF-8, and so may lack letters."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "utf-8")
    return None if encoding.lower().replace("-", "").replace("_", "") == "utf8" else encoding


def speak_with_any_terminal() -> None:
    """Makes letters that the terminal's encoding lacks be written as their codes from now on.

    Without that, printing the result of a run would fail after the run was published.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def told_of_letters() -> str | None:
    """Says what the terminal cannot show; None where it can show everything."""
    encoding = foreign_encoding()
    return encoding and (
        f"its encoding is {encoding}: letters that it lacks are written as codes, such as "
        "\\u1ed1. For Vietnamese run: export PYTHONIOENCODING=utf-8 (or choose a locale such as "
        "C.UTF-8)"
    )
