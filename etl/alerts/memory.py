"""The memory of what was told, so that the sensor and the command line tell nobody twice.

Belongs here: the file of the memory, and its lock, which one process at a time has. It is a
separate file because other processes cannot open the warehouse while a run is at work. Does not
belong here: what is news (``incidents.py``).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from etl.domain.errors import AlertError, DoisoatError
from etl.process.files import write_whole


class OpenCheck(BaseModel):
    """A check that fails, as it was told.

    Attributes:
        since: Since when.
        failed: Rows that failed when it was told, or the fewest since.
        error: Whether it is an error; else a warning.
    """

    since: datetime
    failed: int
    error: bool


class OpenRun(BaseModel):
    """A job whose last run failed, as it was told."""

    cause: str
    since: datetime


class Letter(BaseModel):
    """A message that has not reached everybody.

    Attributes:
        title: Its subject.
        body: Its text.
        kind: ``failure``, ``warning``, ``success`` or ``info``.
        written: When.
        to: The receivers that it has not reached yet, by their number in ``urls``, from 1.
    """

    title: str
    body: str
    kind: str
    written: datetime
    to: list[int] = Field(default_factory=list)


class Memory(BaseModel):
    """What was told.

    Attributes:
        began: The end of the first run that was looked at; runs that ended before are not told.
        seen: Runs that were looked at recently, and when they ended.
        told_at: The end of the last run of which anything was told.
        checks: Rules that fail.
        runs: Jobs that fail.
        letters: Messages that have not reached everybody.
    """

    began: datetime | None = None
    seen: dict[str, datetime] = Field(default_factory=dict)
    told_at: datetime | None = None
    checks: dict[str, OpenCheck] = Field(default_factory=dict)
    runs: dict[str, OpenRun] = Field(default_factory=dict)
    letters: list[Letter] = Field(default_factory=list)
    _file: Path = PrivateAttr(default=Path())
    _damaged: bool = PrivateAttr(default=False)
    _set_aside: Path | None = PrivateAttr(default=None)

    @property
    def damaged(self) -> bool:
        """Whether what was told is lost, because the file cannot be understood."""
        return self._damaged

    @property
    def set_aside(self) -> Path | None:
        """The new path of a damaged file that was just renamed; else None."""
        return self._set_aside

    @property
    def unwritten(self) -> bool:
        """Whether only this process remembers it, because it could not be written."""
        return _UNWRITTEN.get(self._file, (None, None))[1] is self

    def save(self) -> None:
        """Writes the file whole: a process that dies leaves either the old content or the new.

        Where it cannot be written, this process remembers it until it can be, or until another
        process has written it.

        Raises:
            ConfigError: It cannot be written.
        """
        try:
            write_whole(self._file, self.model_dump_json(indent=2))
        except DoisoatError:
            _UNWRITTEN[self._file] = (_state(self._file), self)
            raise
        _UNWRITTEN.pop(self._file, None)


_UNWRITTEN: dict[Path, tuple[object, Memory]] = {}
"""What this process could not write, by file, with the state of the file at that time."""


def _state(file: Path) -> object:
    """Returns what differs as soon as another process has written the file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def memory_file(home: Path) -> Path:
    """The file of what was told."""
    return home / "alerts.json"


def recall(home: Path) -> Memory:
    """Returns what was told; an empty memory where there is no file, or a damaged one.

    Raises:
        AlertError: The file cannot be read.
    """
    file = memory_file(home)
    state, unwritten = _UNWRITTEN.get(file, (None, None))
    if unwritten is not None and state == _state(file):
        return unwritten
    memory = Memory()
    try:
        if file.exists():
            memory = Memory.model_validate_json(file.read_bytes())
    except ValidationError:
        memory._damaged = True
    except OSError as error:
        raise AlertError(
            f"The record of earlier alerts cannot be read ({type(error).__name__}).",
            where=str(file),
            remedy="It must be a file that this user may read and write.",
        ) from None
    memory._file = file
    return memory


@contextmanager
def remembering(home: Path) -> Iterator[Memory | None]:
    """Gives the memory to one process at a time; None where another has it.

    A damaged file, such as a power cut may leave, must not silence the alerts: it is set aside and
    the memory begins empty.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _lock_file(home / "alerts.lock") as handle:
        try:
            if handle is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        memory = recall(home)
        if memory.damaged:
            with suppress(OSError):  # a disk that can only be read, say: the alerts go on
                memory._set_aside = _moved(memory_file(home))
            memory._damaged = False
        yield memory
        memory._set_aside = None  # it is told once, also where this process must remember it


def _lock_file(file: Path) -> AbstractContextManager[IO[str] | None]:
    """Opens the lock's file; None where that is impossible, because the disk is full, say.

    Then two processes may tell the same, which is better than that nobody is told of the disk.
    """
    try:
        return file.open("a", encoding="utf-8")
    except OSError:
        return nullcontext()


def _moved(file: Path) -> Path:
    """Renames a damaged file, so that somebody can still look at it."""
    aside = file.with_name(f"{file.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    file.replace(aside)
    aside.chmod(0o600)
    return aside
