"""Connections: encrypted unless local, in UTF-8, and from one reading of the URL for all drivers.

Belongs here: everything that differs by database product when connecting, for sources and for
the target. Does not belong here: what is read or written, and what errors mean
(``refusals.py``).
"""

from __future__ import annotations

import os
import re
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.dialects.postgresql import psycopg as postgresql
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from etl.databases.refusals import is_full, plain_errors
from etl.domain.errors import ConfigError, ConnectionFailedError, installing
from etl.settings import Database

_T = TypeVar("_T")

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
"""The parameters of a URL's query that name the machine, by product; a driver may prefer them to
the host."""

_INDIRECT = frozenset(
    {"service", "servicefile", "read_default_file", "read_default_group", "dsn", "odbc_connect"}
)
"""The parameters of a URL's query that name a file or setting elsewhere, which may name any
machine."""


def is_local(url: URL) -> bool:
    """Says whether a server is this machine: a loopback address or a Unix socket.

    Every parameter that names the machine counts; one that names it indirectly counts as another
    machine.
    """
    if not _INDIRECT.isdisjoint(url.query):
        return False
    backend = url.get_backend_name()
    named = [url.host or "", *(v for k in _PLACES.get(backend, ()) for v in _values(url, k))]
    if backend == "postgresql" and not any(named):  # then libpq asks the environment
        if os.environ.get("PGSERVICE"):
            return False
        named = [os.environ.get(name, "") for name in ("PGHOST", "PGHOSTADDR")]
    hosts = [_without_port(host.strip()) for several in named for host in several.split(",")]
    return all(host in _LOCAL_HOSTS or host.startswith("/") for host in hosts)


def _without_port(host: str) -> str:
    """A host of a list without its port: ``localhost:5433`` is ``localhost``."""
    return host.partition(":")[0] if re.fullmatch(r"[^:/]*:\d*", host) else host


def _values(url: URL, name: str) -> tuple[str, ...]:
    """Returns the values of a parameter in a URL's query, which may have several."""
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


def _always(backend: str) -> dict[str, Any]:
    """What every connection sets, whatever the URL says: UTF-8, and no prepared statements.

    Behind a pooler, a prepared statement may belong to another session in the next transaction.
    """
    if backend == "postgresql":
        return {"client_encoding": "UTF8", "prepare_threshold": None}
    if backend in ("mysql", "mariadb"):
        return {"charset": "utf8mb4"}
    return {}


def postgresql_address(database: Database) -> str:
    """Returns libpq's connection string of a PostgreSQL; it holds the password, so never show it.

    It is made from SQLAlchemy's reading of the URL, because libpq would read the URL differently: a
    ``+``, a space, several hosts.

    Raises:
        ConfigError: The URL has a parameter that PostgreSQL does not know, or asks for no
            encryption.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    url, _ = secured(with_driver(database.parsed))
    try:
        options = dict(postgresql.dialect().create_connect_args(url)[1])  # type: ignore[no-untyped-call]
        options.pop("context", None)
        return make_conninfo("", **{**_timeout("postgresql"), **options, "client_encoding": "UTF8"})
    except psycopg.Error:
        raise ConfigError(
            "The URL has a parameter after '?' that PostgreSQL does not know.",
            where=database.shown,
            remedy="Use those of libpq: postgresql.org/docs/current/libpq-connect.html.",
        ) from None
    except (ArgumentError, TypeError, ValueError):
        raise ConfigError(
            "The URL names hosts and ports that do not fit together, or a parameter twice.",
            where=database.shown,
            remedy="Write several as postgresql://host1:5432,host2:5432/database.",
        ) from None


def patiently(connect: Callable[[], _T]) -> _T:
    """Connects; if all connections are taken, waits a moment and tries again.

    A server still counts a connection just after it was closed, and a user may have only one.
    """
    for pause in _PAUSES:
        try:
            return connect()
        except Exception as error:
            if not is_full(error):
                raise
        time.sleep(pause)
    return connect()


_PAUSES = (0.1, 0.2, 0.4, 0.8)


def _connects_patiently(database: Database) -> Callable[..., Any]:
    """Makes what SQLAlchemy connects by."""

    def connect(dialect: Any, _: Any, arguments: Any, named: Any) -> Any:
        try:
            return patiently(lambda: dialect.connect(*arguments, **named))
        except dialect.loaded_dbapi.Error:
            raise
        except Exception as error:
            # Not of the server: the driver could do nothing with what it was given, unless it
            # misses a package (PyMySQL raises a RuntimeError then).
            if not database.parsed.query or isinstance(error, (ImportError, RuntimeError)):
                raise
            raise _unknown_parameter(database, dialect.driver) from None

    return connect


def _unknown_parameter(database: Database, driver: str) -> ConfigError:
    return ConfigError(
        f"The driver '{driver}' does not know a parameter after '?' of the URL, or cannot use its "
        "value.",
        where=database.shown,
        remedy="Leave it out, or write it as that driver's documentation says. Encryption needs "
        "none: of servers on other machines it is demanded anyway.",
    )


def text_of_bytes(value: bytes) -> str:
    """Reads bytes that are not UTF-8, text of SQLite or a BLOB, as Windows' Latin letters.

    Old Vietnamese applications stored TCVN3 and VNI bytes as they were; read as Latin letters
    they keep their shape, and normalisation can decode them.
    """
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


_WRITE_AHEAD = b"\x02\x02"


def _sqlite_journal(file: Path) -> str:
    """Says how to open a file with changes beside it (WAL), where no file can be made.

    Raises:
        ConnectionFailedError: It cannot be read without a file that this user cannot make.
    """
    try:
        with file.open("rb") as opened:
            journal = opened.read(20)[18:20]
    except OSError:
        return ""  # SQLite says why
    if journal != _WRITE_AHEAD or os.access(file.parent, os.W_OK, effective_ids=True):
        return ""
    changes, shared = (file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))
    if shared.exists() and changes.exists():
        return ""
    whole = not changes.exists() or changes.stat().st_size == 0
    if whole and os.statvfs(file.parent).f_flag & os.ST_RDONLY:
        return "&immutable=1"  # nobody can be writing there
    raise ConnectionFailedError(
        "The SQLite file keeps its changes in a second file (WAL), and this user may not make "
        "one in its folder.",
        where=str(file),
        remedy='Let this user write in the folder, or read a copy: sqlite3 file.db ".backup '
        'copy.db"; or switch WAL off: pragma journal_mode = delete.',
    )


def _sqlite_engine(url: URL, read_only: bool, *, waits: bool) -> Engine:
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

    def connect() -> sqlite3.Connection:
        mode = f"ro{_sqlite_journal(file)}" if read_only else "rwc"
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode={mode}", uri=True, check_same_thread=False
        )
        connection.text_factory = text_of_bytes
        # SQLAlchemy begins transactions, not the driver, so that a read is one snapshot.
        connection.isolation_level = None
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=sqlalchemy.NullPool)
    # Of two transactions that read before they write, the second would be refused; so it waits at
    # its start.
    begin = "BEGIN IMMEDIATE" if waits else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def engine_for(
    database: Database, *, read_only: bool, kept: int = 0, waits: bool = False
) -> Engine:
    """Makes an engine for a source or the target.

    Args:
        database: Where.
        read_only: Whether it is only read.
        kept: How many connections are kept open for later requests, by a server; 0: each is closed
            when its work is done.
        waits: Whether a transaction on a SQLite file waits at its start until it may write; with
            ``kept`` it always does.

    Raises:
        ConfigError: The product is not supported, its driver is not installed, or the URL has a
            parameter that the driver does not know.
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
        return _sqlite_engine(url, read_only, waits=waits or bool(kept))
    secure, arguments = secured(url)
    if backend == "postgresql" and secure.get_driver_name() == "psycopg":
        postgresql_address(database)  # a URL must suit every driver
    usual = secure.get_driver_name() == _DRIVERS[backend]
    try:
        engine = create_engine(
            secure,
            connect_args={**_timeout(backend), **arguments, **(_always(backend) if usual else {})},
            hide_parameters=True,
            **_pool(kept),
        )
    except (ImportError, NoSuchModuleError):
        named = secure.get_driver_name()
        ours = f"Leave '+{named}' out of the URL: doisoat uses {_DRIVERS[backend]}. "
        missing = installing(_EXTRAS[backend]) if backend in _EXTRAS else "Run `make install`."
        raise ConfigError(
            f"The driver '{named}' for '{backend}' is not installed.",
            where=database.shown,
            remedy=missing if usual else ours + missing,
        ) from None
    except Exception:
        if not url.query:
            raise
        raise _unknown_parameter(database, secure.get_driver_name()) from None
    event.listen(engine, "do_connect", _connects_patiently(database))
    return engine


def _pool(kept: int) -> dict[str, Any]:
    if not kept:
        return {"poolclass": sqlalchemy.NullPool}
    # A connection that the server or a firewall has ended meanwhile is replaced.
    return {"pool_size": kept, "max_overflow": kept, "pool_pre_ping": True, "pool_recycle": 600}


POSTGRESQL_SNAPSHOT = (
    "set transaction isolation level repeatable read, read only",
    # Rows that a policy hides would seem to be missing; this makes them an error.
    "set local row_security = off",
    # For values that the server turns into text: ISO dates, all digits of a float.
    "set local datestyle = 'ISO, YMD'",
    "set local extra_float_digits = 3",
)
"""What PostgreSQL executes at the beginning of a transaction that reads."""


def begin_snapshot(connection: Connection) -> None:
    """Begins a read-only transaction that sees one state of the database."""
    backend = connection.dialect.name
    if backend == "postgresql":
        for statement in POSTGRESQL_SNAPSHOT:
            connection.execute(text(statement))
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


def encoding(connection: Connection) -> str:
    """Returns in which encoding a database of PostgreSQL keeps its text."""
    return str(connection.execute(text("show server_encoding")).scalar_one())
