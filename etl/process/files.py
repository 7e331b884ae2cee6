"""Files that doisoat writes: whole or not at all, and what to say where one cannot be written.

Belongs here: writing beside the place and putting in place, the words for what the system
refuses, and reading what a person's editor wrote. Does not belong here: what the files hold, and
the warehouse's own (``etl/engine``).
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import os
import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from etl.domain.errors import ConfigError
from etl.process.privacy import mode_for_others
from etl.process.stopping import on_stop

_ANOTHER = "Name a file in a folder that is there and that you may write to."

_REFUSALS: dict[int, tuple[str, str]] = {
    errno.ENOENT: ("its folder is not there", "Make the folder, or name another."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", _ANOTHER),
    errno.EEXIST: ("a part of its path is a file, not a folder", _ANOTHER),
    errno.EISDIR: ("it is a folder", "Name a file in it."),
    errno.EACCES: ("this user may not write there", _ANOTHER),
    errno.EPERM: ("this user may not write there", _ANOTHER),
    errno.EROFS: ("that disk can only be read", _ANOTHER),
    errno.ENOSPC: ("the disk is full", "Free some space, or name a place on another disk."),
    errno.EDQUOT: ("this user's share of the disk is full",
                   "Free some space, or name a place on another disk."),
    errno.EFBIG: ("it would be larger than a file may be there", _ANOTHER),
    errno.ENAMETOOLONG: ("its name is too long", "Name it otherwise."),
    errno.ELOOP: ("its links lead round in a circle", _ANOTHER),
}  # fmt: skip


def refused(file: Path, error: OSError, what: str = "file could not be written") -> ConfigError:
    """Says why a file could not be written; the file's former content is still there."""
    reason, remedy = _REFUSALS.get(
        error.errno or 0, (f"the system reported {type(error).__name__}", _ANOTHER)
    )
    return ConfigError(f"The {what}: {reason}.", where=str(file), remedy=remedy)


_UNREADABLE: dict[int, tuple[str, str]] = {
    errno.ENOENT: ("it is not there", "Check the path."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Check the path."),
    errno.EISDIR: ("it is a folder", "Name a file."),
    errno.EACCES: ("this user may not read it", "Let this user read it."),
    errno.EPERM: ("this user may not read it", "Let this user read it."),
    errno.ENAMETOOLONG: ("its name is too long", "Name it otherwise."),
    errno.ELOOP: ("its links lead round in a circle", "Check the path."),
    errno.EIO: ("its disk reports an error", "Look in the system's log, and take another copy."),
}


def unreadable(file: Path, error: OSError, what: str = "file") -> ConfigError:
    """Says why a file could not be read."""
    reason, remedy = _UNREADABLE.get(
        error.errno or 0,
        (f"the system reported {type(error).__name__}", "Check that this user can read it."),
    )
    return ConfigError(f"The {what} could not be read: {reason}.", where=str(file), remedy=remedy)


_NOT_OPENED = frozenset(
    {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}
)


def could_not_open(error: Exception) -> bool:
    """Says whether a file could not be opened, so that nothing is known of its content.

    (pyarrow raises an ``OSError`` without a number for content that it does not understand.)
    """
    return isinstance(error, OSError) and error.errno in _NOT_OPENED


def hard_copy(file: Path, copy: Path) -> None:
    """Gives a file that never changes again a second name; copies it where that is impossible."""
    try:
        os.link(file, copy)
    except OSError:
        shutil.copyfile(file, copy)


_FICLONE = 0x40049409
"""Linux's request to let a file share the blocks of another (``linux/fs.h``)."""


def copy_large(file: Path, copy: Path) -> None:
    """Copies a file that may be large.

    Where the file system can (XFS, Btrfs), the copy shares the file's blocks until one of the two
    changes: that takes no time and no room, whatever the size.
    """
    with file.open("rb") as read, copy.open("wb") as written:
        try:
            fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError:  # another file system, or not Linux
            shutil.copyfile(file, copy)


@contextmanager
def whole_file(file: Path, *, private: bool = True) -> Iterator[Path]:
    """Gives a place to write to, and moves what was written to the file's place when it is whole.

    After a crash, a power cut or a full disk there is either the former file or the new one. A
    device or a pipe, such as ``/dev/stdout``, is written to as it is.

    Args:
        file: The file; links are followed.
        private: Whether its owner alone may read it.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        place = file.resolve()
        if place.exists() and not (place.is_file() or place.is_dir()):
            yield place
            return
        draft = _begun(place, private)
        try:
            with on_stop(partial(draft.unlink, missing_ok=True)):
                yield draft
            to_disk(draft)
            draft.replace(place)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        to_disk(place.parent)
    except OSError as error:
        of_another = error.filename is not None and not _is_at(place, error.filename)
        if of_another or error.errno is None:  # of what the block reads, such as a server
            raise
        raise refused(file, error) from None


def _is_at(place: Path, named: str | bytes | int) -> bool:
    """Says whether an error's file is a place, its draft, or a folder on the way to it."""
    if isinstance(named, int):
        return True
    found = Path(os.fsdecode(named))
    is_draft = found.parent == place.parent and found.suffix == _DRAFT
    return is_draft or found in (place, *place.parents)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Makes a folder for unfinished files, which its owner alone may read, within another.

    It is deleted at the end of the block, and when a signal stops the process within it.
    """
    folder = Path(tempfile.mkdtemp(prefix=".", suffix=_DRAFT, dir=parent))
    delete = partial(shutil.rmtree, folder, ignore_errors=True)
    try:
        with on_stop(delete):
            yield folder
    finally:
        delete()


def write_whole(file: Path, text: str, *, private: bool = True) -> None:
    """Writes a text file by ``whole_file``; characters that UTF-8 does not have are replaced.

    Raises:
        ConfigError: It cannot be written.
    """
    with whole_file(file, private=private) as draft:
        draft.write_text(text, encoding="utf-8", errors="replace")


def folder_for(folder: Path) -> None:
    """Makes a folder where it is missing.

    Raises:
        ConfigError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(folder, error, "folder could not be made") from None


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_toml(file: Path) -> dict[str, Any]:
    """Reads a TOML file, in UTF-8 or as Windows' editors and shells mark what they write.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is no text.
        tomllib.TOMLDecodeError: It is no TOML.
    """
    content = file.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    return tomllib.loads(content.decode(encoding))


_DRAFT = ".unfinished"


def _begun(place: Path, private: bool) -> Path:
    """Makes an empty file beside the place, so that no work is done that cannot be written."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    draft = place.with_name(f".{place.name[:100]}.{secrets.token_hex(4)}{_DRAFT}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if not private:
        draft.chmod(mode_for_others())
    return draft


def to_disk(path: Path) -> None:
    """Waits until a file's content, or a folder's list of files, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
