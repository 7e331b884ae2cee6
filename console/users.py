"""Who may use the workbench: names, roles, provinces, passwords.

Belongs here: the file of the users, and checking passwords. Does not belong here: sessions and what
a request must show (``guard.py``).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from etl.domain.errors import ConfigError
from etl.normalise.places import province_codes
from etl.process.files import refused, unreadable, write_whole
from etl.stewards.desk.asking import Scope

SHORTEST_PASSWORD = 12
"""Characters; a long sentence is a better password than a complicated word."""


class Role(StrEnum):
    """What somebody may do.

    A steward sees and decides the cases of some provinces, a national steward all; a viewer sees
    counts only; an administrator sees the access log and the users, but no case.
    """

    STEWARD = "steward"
    NATIONAL = "national"
    VIEWER = "viewer"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class User:
    """Somebody who may use the workbench.

    Attributes:
        name: As in the access log and beside decisions.
        role: What may be done.
        provinces: Codes of 2025. A steward has some; for a viewer, none means all.
    """

    name: str
    role: Role
    provinces: frozenset[str] = frozenset()

    @property
    def decides(self) -> bool:
        """Whether cases may be seen and decided."""
        return self.role in (Role.STEWARD, Role.NATIONAL)

    @property
    def administers(self) -> bool:
        """Whether the access log and the users may be seen."""
        return self.role is Role.ADMINISTRATOR

    @property
    def scope(self) -> Scope:
        """The scope of the records, or counts, that may be seen."""
        everywhere = self.role is Role.NATIONAL or (self.role is Role.VIEWER and not self.provinces)
        return Scope(None if everywhere else self.provinces)


class _Stored(BaseModel):
    """A user as stored in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    provinces: tuple[str, ...] = ()
    password: str = ""

    @model_validator(mode="after")
    def _provinces_fit(self) -> _Stored:
        unknown = set(self.provinces) - set(province_codes())
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: no code of a province of 2025")
        if self.role is Role.STEWARD and not self.provinces:
            raise ValueError("a steward needs a province; who decides everywhere is 'national'")
        if self.provinces and self.role not in (Role.STEWARD, Role.VIEWER):
            raise ValueError(f"a role '{self.role}' has no provinces")
        return self


_HASHER = PasswordHasher()


class Users:
    """The users of a file, which is read again whenever it has changed."""

    def __init__(self, file: Path) -> None:
        """Names the file.

        Args:
            file: JSON, by name: role, provinces, the password's Argon2 hash.
        """
        self._file = file
        self._read_as: tuple[int, ...] | None = None
        self._stored: Mapping[str, _Stored] = {}

    def get(self, name: str | None) -> User | None:
        """Returns a user; None where there is none of that name, or no name.

        Raises:
            ConfigError: The file cannot be read, or is not valid.
        """
        every = self._all()
        stored = every.get(name) if name else None
        return User(name, stored.role, frozenset(stored.provinces)) if name and stored else None

    def names(self) -> list[str]:
        """Returns the names of all users."""
        return sorted(self._all())

    def all(self) -> list[User]:
        """Returns all users, by name."""
        return [user for name in self.names() if (user := self.get(name))]

    def check(self, name: str, password: str) -> User | None:
        """Returns the user whose name and password these are.

        An unknown name takes as long as a wrong password, so that names cannot be guessed.
        """
        stored = self._all().get(name)
        known = stored.password if stored and stored.password else _of_nobody()
        try:
            _HASHER.verify(known, password)
        except (Argon2Error, InvalidHashError):
            return None
        return self.get(name) if stored and stored.password else None

    def put(self, name: str, role: Role, provinces: tuple[str, ...], password: str | None) -> None:
        """Adds a user, or changes one.

        Args:
            name: The name.
            role: The role.
            provinces: Codes of 2025.
            password: The new password; None keeps the present one. A user without one can only come
                through the proxy.

        Raises:
            ConfigError: One of these is not valid.
        """
        if not name.strip() or name != name.strip() or len(name) > 64 or not name.isprintable():
            raise ConfigError(
                "A user's name has 1 to 64 letters, without blanks around it.",
                remedy="Give another name.",
            )
        if password is not None and len(password) < SHORTEST_PASSWORD:
            raise ConfigError(
                f"A password has at least {SHORTEST_PASSWORD} characters.",
                remedy="Take a longer one: a few words of one's own are easy to keep.",
            )
        hashed = _HASHER.hash(password) if password is not None else None
        with self._changing() as users:
            before = users.get(name)
            kept = before.password if before else ""
            try:
                users[name] = _Stored(
                    role=role, provinces=provinces, password=kept if hashed is None else hashed
                )
            except ValidationError as error:
                raise ConfigError(
                    f"User: {_said(error)}.",
                    remedy="doisoat console user add --help tells the roles.",
                ) from None

    def remove(self, name: str) -> None:
        """Removes a user.

        Raises:
            ConfigError: There is none of that name.
        """
        with self._changing() as users:
            if users.pop(name, None) is None:
                raise ConfigError(
                    "There is no user of that name.", remedy="doisoat console user list names them."
                )

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Stored]]:
        """Gives all users to be changed, and writes them at the end; two at once wait in line.

        The lock stands beside the file, whose folder may be another than the home, and is left as
        it is.

        Raises:
            ConfigError: The file cannot be read or written.
        """
        place = self._file.resolve()
        lock = place.with_name(f".{place.name}.lock")
        with ExitStack() as held:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                descriptor = os.open(lock, flags, 0o600)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise refused(self._file, error, "file of users could not be written") from None
            self._read_as = None
            users = dict(self._all())
            yield users
            plain = {name: users[name].model_dump(mode="json") for name in sorted(users)}
            write_whole(self._file, json.dumps(plain, ensure_ascii=False, indent=1) + "\n")
            self._read_as = None

    def _all(self) -> Mapping[str, _Stored]:
        try:
            found = self._file.stat()
            read_as = found.st_ino, found.st_mtime_ns, found.st_size
            if read_as != self._read_as:
                self._stored = _parsed(self._file.read_bytes(), self._file)
                self._read_as = read_as
        except FileNotFoundError:
            self._stored, self._read_as = {}, None
        except OSError as error:
            raise unreadable(self._file, error, "file of users") from None
        return self._stored


def try_users(file: Path) -> str:
    """Reads the file of the users, and says how many there are.

    Raises:
        ConfigError: It cannot be read, or is not valid.
    """
    users = Users(file).all()
    deciding = sum(user.decides for user in users)
    return f"{len(users)} may use it, {deciding} of them decide"


def _parsed(content: bytes, file: Path) -> dict[str, _Stored]:
    """Reads the users, in UTF-8 or, as an editor of Windows may save them, in UTF-16.

    Raises:
        ConfigError: They are not valid.
    """
    try:
        return {str(name): _Stored.model_validate(row) for name, row in _object(content).items()}
    except ValidationError as error:
        raise ConfigError(
            f"The file of users: {_said(error)}.",
            where=str(file),
            remedy="Put it right, or write the user anew: doisoat console user add",
        ) from None
    except ValueError:
        raise ConfigError(
            "The file of users is no JSON object.",
            where=str(file),
            remedy="Put it right, or move it away and add the users anew: doisoat console user add",
        ) from None


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError
    return found


def _said(error: ValidationError) -> str:
    (first, *_) = error.errors(include_input=False, include_url=False)
    place = ".".join(map(str, first["loc"]))
    said = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}" if place else said


@cache
def _of_nobody() -> str:
    return _HASHER.hash("nobody")
