"""Connections: encrypted unless local, and errors in plain words.

Belongs here: everything that differs by database product when connecting, for sources and for
the target. Does not belong here: what is read or written.
"""

from __future__ import annotations

import os
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from etl.errors import ConfigError, ConnectionFailedError, ServerAwayError
from etl.settings import Database

SUPPORTED = ("postgresql", "sqlite", "mysql", "mariadb", "mssql", "oracle")

_DRIVERS = {
    "postgresql": "psycopg",
    "mysql": "pymysql",
    "mariadb": "pymysql",
    "mssql": "pymssql",
    "oracle": "oracledb",
}
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "mssql": "sqlserver", "oracle": "oracle"}
_LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})
_CONNECT_SECONDS = 15


_PLACES: dict[str, tuple[str, ...]] = {
    "postgresql": ("host", "hostaddr"),
    "mysql": ("host", "unix_socket"),
    "mariadb": ("host", "unix_socket"),
    "mssql": ("host", "server"),
    "oracle": ("host",),
}
"""What of a URL's query names the machine, for each product; a driver may prefer it to the host."""

_INDIRECT = frozenset(
    {"service", "servicefile", "read_default_file", "read_default_group", "dsn", "odbc_connect"}
)
"""What of a URL's query names a file or a setting elsewhere, in which any machine may stand."""


def is_local(url: URL) -> bool:
    """Says whether a server is this machine: a loopback address or a Unix socket.

    Whatever names the machine counts, and what names it indirectly is not this machine.
    """
    if not _INDIRECT.isdisjoint(url.query):
        return False
    backend = url.get_backend_name()
    named = [url.host or "", *(v for k in _PLACES.get(backend, ()) for v in _values(url, k))]
    if backend == "postgresql" and not any(named):  # then libpq asks the environment
        if os.environ.get("PGSERVICE"):
            return False
        named = [os.environ.get(name, "") for name in ("PGHOST", "PGHOSTADDR")]
    hosts = [host.strip() for several in named for host in several.split(",")]
    return all(host in _LOCAL_HOSTS or host.startswith("/") for host in hosts)


def _values(url: URL, name: str) -> tuple[str, ...]:
    """Returns what a URL's query says of a parameter, each time that it does."""
    found = url.query.get(name, ())
    return (found,) if isinstance(found, str) else found


def with_driver(url: URL) -> URL:
    """Names the driver that doisoat ships for a product, unless the URL names one."""
    if "+" in url.drivername or url.get_backend_name() not in _DRIVERS:
        return url
    return url.set(drivername=f"{url.get_backend_name()}+{_DRIVERS[url.get_backend_name()]}")


def secured(url: URL) -> tuple[URL, dict[str, Any]]:
    """Demands TLS of a server on another machine.

    Returns:
        The URL and the driver's connect arguments.

    Raises:
        ConfigError: The URL switches encryption off for a server on another machine.
    """
    backend = url.get_backend_name()
    if backend == "sqlite" or is_local(url):
        return url, {}
    if backend == "postgresql":
        modes = _values(url, "sslmode") or ("require",)
        if unsafe := [mode for mode in modes if mode not in _ENCRYPTED_MODES]:
            raise _unencrypted(
                f"sslmode={unsafe[0]}",
                "Use sslmode=require, or better verify-full with sslrootcert=...",
            )
        return url.update_query_dict({"sslmode": modes[-1]}), {}
    if backend in ("mysql", "mariadb"):
        for name in ("ssl_disabled", "read_default_file", "read_default_group"):
            if _values(url, name):
                raise _unencrypted(name, f"Leave {name} out of the URL.")
        return url, {"ssl": ssl.create_default_context()}
    if backend == "mssql":
        return url, {"encryption": "require"}
    if backend == "oracle" and not _asks_for_tcps(url):
        return url, {"protocol": "tcps"}
    return url, {}


_ENCRYPTED_MODES = frozenset({"require", "verify-ca", "verify-full"})


def _unencrypted(setting: str, remedy: str) -> ConfigError:
    return ConfigError(
        f"The URL says {setting} of a server on another machine: personal data could travel "
        "unencrypted.",
        remedy=remedy,
    )


def _asks_for_tcps(url: URL) -> bool:
    descriptor = (url.host or "").lower().replace(" ", "")
    return (
        "tcps" in _values(url, "protocol")
        or descriptor.startswith("tcps://")
        or ("(protocol=tcps)" in descriptor and "(protocol=tcp)" not in descriptor)
    )


def _timeout(backend: str) -> dict[str, Any]:
    if backend in ("postgresql", "mysql", "mariadb"):
        return {"connect_timeout": _CONNECT_SECONDS}
    if backend == "mssql":
        return {"login_timeout": _CONNECT_SECONDS}
    if backend == "oracle":
        return {"tcp_connect_timeout": _CONNECT_SECONDS}
    return {}


def _sqlite_text(value: bytes) -> str:
    """Reads SQLite text that is not UTF-8 as Windows' Latin letters.

    Old Vietnamese applications stored TCVN3 and VNI bytes as they were; read as Latin letters
    they keep their shape, and normalisation can decode them.
    """
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def _sqlite_engine(url: URL, read_only: bool) -> Engine:
    file = Path(url.database or "").resolve()
    if read_only and not file.is_file():
        raise ConnectionFailedError(
            "The SQLite file does not exist.",
            where=str(file),
            remedy="Check the path; relative paths start at the configuration file's folder.",
        )
    if not read_only and not file.exists():
        # A target is full of personal data. Where no file can be made, SQLite says why.
        with suppress(OSError):
            file.touch(mode=0o600)
    mode = "ro" if read_only else "rwc"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode={mode}", uri=True, check_same_thread=False
        )
        connection.text_factory = _sqlite_text
        # SQLAlchemy, not the driver, begins transactions: so that a read is one snapshot.
        connection.isolation_level = None
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=sqlalchemy.NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def engine_for(database: Database, *, read_only: bool) -> Engine:
    """Makes an engine for a source or the target.

    Raises:
        ConfigError: The product is not supported or its driver is not installed.
        ConnectionFailedError: A SQLite source is not there.
    """
    url = with_driver(database.parsed)
    backend = url.get_backend_name()
    if backend not in SUPPORTED:
        raise ConfigError(
            f"Databases of kind '{backend}' are not supported.",
            where=database.shown,
            remedy=f"Use one of: {', '.join(SUPPORTED)}.",
        )
    if backend == "sqlite":
        return _sqlite_engine(url, read_only)
    secure, arguments = secured(url)
    try:
        return create_engine(
            secure,
            connect_args={**_timeout(backend), **arguments},
            poolclass=sqlalchemy.NullPool,
            hide_parameters=True,
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        usual, named = _DRIVERS[backend], secure.get_driver_name()
        extra = f" --extra {_EXTRAS[backend]}" if backend in _EXTRAS else ""
        other = f"Leave '+{named}' out of the URL: doisoat uses {usual}. " if named != usual else ""
        raise ConfigError(
            f"The driver '{named}' for '{backend}' is not installed.",
            where=database.shown,
            remedy=f"{other}Run: uv sync{extra}",
        ) from None


def begin_snapshot(connection: Connection) -> None:
    """Begins a read-only transaction that sees one state of the database."""
    backend = connection.dialect.name
    if backend == "postgresql":
        connection.execute(text("set transaction isolation level repeatable read, read only"))
    elif backend in ("mysql", "mariadb"):
        connection.execute(text("set session transaction isolation level repeatable read"))
        connection.execute(text("set session transaction read only"))
        connection.rollback()
    elif backend == "mssql":
        # A database that does not allow snapshots says so when the first row is read.
        connection.execute(text("set transaction isolation level snapshot"))
        connection.rollback()
    elif backend == "oracle":
        connection.execute(text("set transaction read only"))


@contextmanager
def reading(database: Database, what: str) -> Iterator[Connection]:
    """Opens a read-only snapshot of a source.

    Raises:
        ConnectionFailedError: The server cannot be reached, refuses, or breaks off.
    """
    engine = engine_for(database, read_only=True)
    try:
        with plain_errors(database, what), engine.connect() as connection:
            begin_snapshot(connection)
            yield connection
    finally:
        engine.dispose()


@contextmanager
def plain_errors(database: Database, what: str) -> Iterator[None]:
    """Turns a database's errors into what happened, where, and what to do.

    The server's own words are dropped but for their class: database errors love to quote values.
    """
    try:
        yield
    except DBAPIError as error:
        raise explained(database, what, error.orig or error) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise explained(database, what, error) from None


# The first kind that fits is told: by SQLSTATE where the driver gives one, else by signs in the
# server's words. A right that is missing comes before a user that is refused, because MySQL says
# "access denied" to both.
_REMEDIES = (
    (("42501", "42000:1044", "42000:1142", "25006"),
     ("permission denied", "command denied", "' to database '", "insufficient privilege",
      "must be owner", "read-only", "readonly", "ora-01031", "create table permission"),
     "The user lacks a right.",
     "Sources need SELECT; the target needs CREATE in its schema."),
    (("28",),
     ("password", "authentication", "access denied", "login failed", "ora-01017"),
     "The server refused the user or the password.",
     "Check the user and the password (or the environment variable that holds it)."),
    (("42703", "42P01", "42S02", "42S22"),
     ("no such column", "no such table", "has no column", "ora-00904", "ora-00942"),
     "The database has no such table or column.",
     "Check the table and the columns (for a register, those of its mapping); 'doisoat check' "
     "lists what there is."),
    (("42601", "42883", "42804", "42846", "22P02"),
     ("syntax error", "invalid input syntax", "near \"", "no such function",
      "error in your sql syntax", "ora-00936"),
     "The database does not understand an SQL expression of the mapping.",
     "Try each expression under [insurance.columns] or [population.columns], and 'query', by "
     "hand in the database."),
    (("3D000", "3F000"),
     ("does not exist", "unknown database", "cannot open database", "ora-12514"),
     "The server has no such database, schema or user.",
     "Check the name after the last '/' of the URL."),
    (("08", "57P"),
     ("refused", "timeout", "timed out", "can't connect", "could not connect", "unreachable",
      "resolve", "name or service", "server closed", "terminat", "lost connection",
      "adaptive server is unavailable", "ora-12541"),
     "The server cannot be reached or broke off.",
     "Check that it runs, the host and the port, and the firewall; then run again."),
    ((),
     ("ssl", "tls", "certificate"),
     "No encrypted connection could be made.",
     "Servers on other machines must offer TLS; ask their administrator."),
    (("55P03",),
     ("locked",),
     "The database is locked by another program.",
     "Close the other program and run again."),
    (("53",),
     ("no space", "disk full", "disk i/o"),
     "The server has no room left.",
     "Free some space and run again."),
    ((),
     ("not a database", "malformed"),
     "The file is no SQLite database.",
     "Check the path of the URL."),
    ((),
     ("unable to open database file",),
     "The SQLite file cannot be opened.",
     "Check that its folder is there and that this user may write in it."),
)  # fmt: skip

# A wrong password is not tried again: three times locks the account.
_PASSING = frozenset({"08", "57P", "55P03", "53"})


def explained(database: Database, what: str, error: BaseException) -> ConnectionFailedError:
    """Words a driver's error for a person, by the signs of its kind, quoting nothing."""
    words, state = str(error).lower(), sqlstate(error)
    coded = f"{state}:{error.args[0]}" if state and error.args else state
    by_state = (kind for kind in _REMEDIES if kind[0] and coded.startswith(kind[0]))
    by_words = (kind for kind in _REMEDIES if any(sign in words for sign in kind[1]))
    for states, _, happened, remedy in chain(by_state, by_words):
        kind = ConnectionFailedError if _PASSING.isdisjoint(states) else ServerAwayError
        return kind(f"{what}: {happened}", where=database.shown, remedy=remedy)
    shown = f" (SQLSTATE {state})" if state else ""
    return ServerAwayError(
        f"{what}: the database reported {type(error).__name__}"
        f"{shown}; its words are withheld because they may quote personal data.",
        where=database.shown,
        remedy="Look in the database server's own log.",
    )


def sqlstate(error: BaseException) -> str:
    """Returns the standard code of a database's error, or nothing where the driver gives none."""
    return str(getattr(error, "sqlstate", None) or "")
