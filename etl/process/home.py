"""The home of a configuration: a folder that no other user may enter.

Belongs here: making it, shutting it, and setting aside what is damaged in it. Does not belong here:
what lies in it (each package knows its own files).
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from etl.domain.errors import ConfigError
from etl.process.files import refused

_OTHERS = 0o077

_UNNAMED = 2.0
"""Seconds after which the holder of a lock has certainly written its words into the file."""


def prepare_home(home: Path) -> None:
    """Makes the home, or shuts one that is open to others, with all that lies in it.

    Raises:
        ConfigError: It cannot be made, or belongs to another user.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        shut_all(home)
    except PermissionError:
        raise ConfigError(
            f"The home is open to other users, and this user may not shut it{_owner(home)}."
            if os.path.isdir(home)  # noqa: PTH112 - which says no where it may not look
            else "The home cannot be made or entered: this user may not.",
            where=str(home),
            remedy="Name a folder inside it as home, which doisoat then makes itself; or make the "
            "folder this user's own.",
        ) from None
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(
            "The home is no folder.", where=str(home), remedy="Name another place as home."
        ) from None
    except OSError as error:
        raise refused(home, error, "home could not be made or entered") from None


def is_open(folder: Path) -> bool:
    """Says whether other users may do anything with a folder."""
    return bool(stat.S_IMODE(folder.stat().st_mode) & _OTHERS)


def shut_all(folder: Path) -> None:
    """Shuts a folder that is open to others, with all that lies in it.

    Raises:
        PermissionError: It belongs to another user.
    """
    if is_open(folder):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) & 0o700)
        _shut_below(folder)


def refuse_lost_link(path: Path) -> None:
    """Refuses a part of a home that is a link to a place that is not there.

    Raises:
        ConfigError: It is one.
    """
    if path.is_symlink() and not path.exists():
        raise ConfigError(
            f"A part of the home is a link, and {path.readlink()}, to which it leads, is not "
            "there.",
            where=str(path),
            remedy="Mount the disk that has it. If it is gone for good, delete the link and run "
            "'doisoat sync', which reads and builds everything.",
        )


def _owner(home: Path) -> str:
    with suppress(KeyError, OSError, NotImplementedError):
        return f": it belongs to {home.owner()}"
    return ""


def _shut_below(home: Path) -> None:
    """Denies other users what lies in a home: the home was open, so its files may be, too.

    Files of locks are replaced: another user who could open one may hold it locked for ever. The
    engine's own lock still keeps two runs apart.
    """
    for folder, _, names in os.walk(home):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            with suppress(FileNotFoundError):
                found = path.lstat()
                mode = stat.S_IMODE(found.st_mode)
                if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode):
                    continue
                if path.suffix == ".lock" and mode & _OTHERS:
                    path.unlink()
                else:
                    path.chmod(mode & 0o700)


@contextmanager
def locked(file: Path, refusal: Callable[[str], Exception] | None = None) -> Iterator[None]:
    """Holds a lock among the processes of this home, as ``take`` does, until the block ends.

    Args:
        file: The lock's file.
        refusal: Makes the error that is raised where another process has it; None waits.
    """
    handle = take(file, wait=refusal is None)
    if isinstance(handle, str):
        raise refusal(handle) if refusal else AssertionError("a wait that did not wait")
    with handle:
        yield


def take(file: Path, *, wait: bool = False, words: str = "") -> IO[str] | str:
    """Takes a lock that the operating system frees when this process dies, however it dies.

    Only its owner may open the file: whoever may open a file may lock it.

    Args:
        file: The lock's file; made where it is missing.
        wait: Whether to wait for it.
        words: Left in the file for those who find it locked.

    Returns:
        The open file, which holds the lock until it is closed; or, where another process has it,
        what that process left in it.
    """
    prepare_home(file.parent)
    make_room(file, folder=False)
    until = time.monotonic() + _UNNAMED
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        handle = os.fdopen(descriptor, "r+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            with handle:
                found = handle.read().strip()
            if found or time.monotonic() > until:
                return found
            time.sleep(0.05)  # its holder only tests it, or is about to write its words
            continue
        if _still(file, handle):
            try:
                handle.truncate(0)
                handle.write(words)
                handle.flush()
            except OSError:  # a full disk, say: then the lock is given back
                with suppress(OSError):
                    handle.close()
                raise
            return handle
        handle.close()  # it was replaced meanwhile


def is_locked(file: Path) -> bool:
    """Says whether any process, this one included, holds a lock; makes no file."""
    try:
        handle = file.open("rb")
    except OSError:
        return False
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _still(file: Path, handle: IO[str]) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False


def set_aside(path: Path) -> Path:
    """Moves a damaged file or folder aside, so that it can still be examined, and says so.

    Returns:
        Where it is now: beside where it was.
    """
    now = datetime.now(UTC)
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S%f}")
    path.rename(aside)
    notice(f"{path} is damaged; it was set aside as {aside.name}.")
    return aside


def make_room(path: Path, *, folder: bool) -> None:
    """Sets aside a folder that stands where a file of ours belongs, or a file in a folder's place.

    Args:
        path: Where it belongs.
        folder: Whether a folder belongs there, or a file.
    """
    if os.path.lexists(path) and not (path.is_dir() if folder else path.is_file()):
        set_aside(path)


def notice(text: str) -> None:
    """Reports on the error stream, and so in a nightly job's log, what was repaired unasked."""
    logging.getLogger("doisoat").warning(text)
