"""Pseudonyms: the names of records where their data may not appear.

Belongs here: the record key, its secret, how to keep values out of messages, and other users out
of files. Does not belong here: who may see what (``etl/cli/app.py`` asks) and encryption of the
warehouse file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.domain.errors import ConfigError, DoisoatError

KEY_VARIABLE = "DOISOAT_KEY"
"""The environment variable that holds the secret of the record keys, 64 hex digits."""

BLOCK = 64  # HMAC's block size for SHA-256, RFC 2104
SHOWN = 16  # hex digits of a record key: 64 bits, no chance collision among 100 million
FINGERPRINT = 32  # hex digits of a fingerprint: no chance collision among any number of rows

WITHHELD = "its words are withheld, because they may quote personal data"
"""What replaces an error's own words in a message."""


@dataclass(frozen=True)
class RecordKey:
    """Makes record keys: HMAC-SHA-256 of the record id, first 16 hex digits.

    A keyed hash of a number is still personal data (DOMAIN, "The programme"): it may be logged,
    not published.
    """

    secret: bytes

    def __repr__(self) -> str:
        """Keeps the secret out of tracebacks."""
        return "RecordKey(...)"

    def of(self, record_id: str) -> str:
        """Returns the key of one record."""
        return hmac.new(self.secret, record_id.encode(), hashlib.sha256).hexdigest()[:SHOWN]


def load_record_key(home: Path) -> RecordKey:
    """Returns the key from the environment, or from a file made once, readable by its owner.

    Raises:
        ConfigError: The environment's key is not 64 hex digits, or the file is readable by others.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        return RecordKey(_parse(given, KEY_VARIABLE))
    file = home / "record_key"
    try:
        if not file.exists():
            _make_key(file)
        if not file.is_file():
            raise ConfigError(
                "The secret of the record keys is no file.",
                where=str(file),
                remedy="Move away what is there and put the file back. Without it a new secret is "
                "made, with which keys in old logs name nobody.",
            )
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise ConfigError(
                "The secret of the record keys can be read by others.",
                where=str(file),
                remedy=f"Run: chmod 600 {file}",
            )
        text = file.read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        raise ConfigError(
            f"The secret of the record keys cannot be read or made ({type(error).__name__}).",
            where=str(file),
            remedy="It must be a file that this user may read, in a folder that it may write to.",
        ) from None
    if not _KEY_FORM.fullmatch(text):
        # Never replaced automatically: nobody would notice that all former keys are lost.
        raise ConfigError(
            "The secret of the record keys is damaged: the file holds no 64 hexadecimal digits.",
            where=str(file),
            remedy="Put it back from a backup. Without one, delete the file and run again: every "
            "record then gets another key, so that failing rows lose their age, and keys in older "
            "messages, lists and the access log lead to no record any more.",
        )
    return RecordKey(bytes.fromhex(text))


_KEY_FORM = re.compile(r"[0-9a-fA-F]{64}")


def _make_key(file: Path) -> None:
    """Makes the secret; if two processes do so at once, both use the one that was made first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(32))
            out.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, file)  # unlike a rename it replaces nothing
        except FileExistsError:
            pass
        except OSError:  # a disk without links
            draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def _parse(text: str, where: str) -> bytes:
    if not _KEY_FORM.fullmatch(text):
        raise ConfigError(
            "The secret of the record keys is not 64 hexadecimal digits.",
            where=where,
            remedy="Give the secret that was used before: the keys of all records are computed "
            "with it. A first one is made with: openssl rand -hex 32",
        )
    return bytes.fromhex(text)


# --- files --------------------------------------------------------------------------------------


@contextmanager
def owner_only() -> Iterator[None]:
    """Makes files that this process writes meanwhile readable by its own user only.

    Engines make files when they need them (a log, what does not fit in memory), so they cannot be
    protected one by one. A process has one umask for all of its threads: the first block that
    begins sets it, and the last that ends restores the former one.
    """
    with _Umask.lock:
        if not _Umask.asked:
            _Umask.before = os.umask(0o077)
        _Umask.asked += 1
    try:
        yield
    finally:
        with _Umask.lock:
            _Umask.asked -= 1
            if not _Umask.asked:
                os.umask(_Umask.before)


class _Umask:
    """How many blocks of ``owner_only`` are open, and the umask before the first of them."""

    lock = threading.Lock()
    asked = 0
    before = 0


_umask_of_the_user: int | None = None


def own_what_is_written() -> None:
    """Makes all files of this process and its children readable by its user only, from now on."""
    global _umask_of_the_user  # noqa: PLW0603 - a process has one
    before = os.umask(0o077)
    if _umask_of_the_user is None:
        _umask_of_the_user = before


def mode_for_others() -> int:
    """Returns the mode of a file that others may read, too, as far as the user's umask allows."""
    if _umask_of_the_user is not None:
        return 0o666 & ~_umask_of_the_user
    before = os.umask(0o077)
    os.umask(before)
    return 0o666 & ~before


def shut(path: Path) -> None:
    """Denies other users a file or folder that an earlier version left open to them."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        path.chmod(mode & 0o700)


# --- messages -----------------------------------------------------------------------------------


def places(error: BaseException) -> str:
    """Returns where an error came from, innermost last, without any value."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " > ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)


def stack_trace(error: BaseException) -> str:
    """Returns an error's stack and those of its causes, as Python prints them, without the words.

    The words of ``DoisoatError`` are our own and kept; those of any other error may be a database's
    and may quote values.
    """
    told: list[str] = []
    chain: BaseException | None = error
    while chain is not None:
        words = str(chain) if isinstance(chain, DoisoatError) else WITHHELD
        stack = "".join(traceback.format_tb(chain.__traceback__))
        told.append(f"{stack}{type(chain).__module__}.{type(chain).__qualname__}: {words}")
        chain = chain.__cause__ or chain.__context__
    return "\n\nwhich led to:\n\n".join(reversed(told))


def mute_uncaught_errors() -> None:
    """Prints only kind and place of errors that nobody catches, in a thread or while cleaning up.

    Python would print their words to the terminal, and so into the log of a nightly job.
    """

    def say(error: BaseException | None) -> None:
        if error is not None and not isinstance(error, SystemExit):
            sys.stderr.write(f"{type(error).__name__} at {places(error)}; {WITHHELD}.\n")

    sys.excepthook = lambda _kind, error, _stack: say(error)
    threading.excepthook = lambda uncaught: say(uncaught.exc_value)
    sys.unraisablehook = lambda uncaught: say(uncaught.exc_value)
