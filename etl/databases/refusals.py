"""What a database's refusal means: what happened, what to do, whether it may pass by itself.

Belongs here: how the errors of every product are understood, by their code where the driver gives
one, else by signs in the server's words. Does not belong here: connecting (``connect.py``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from etl.domain.errors import ConnectionFailedError, ServerAwayError
from etl.settings import Database


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal.

    Attributes:
        codes: How the codes begin: SQLSTATEs, ``mysql:1045``, ``SQLITE_BUSY``.
        signs: Parts of the message, in lower case, by which it is known where no code shows it.
        happened: One sentence.
        remedy: What to do.
        passes: Whether it may pass by itself.
        also: Besides the code, the message must contain one of these.
    """

    codes: tuple[str, ...]
    signs: tuple[str, ...]
    happened: str
    remedy: str
    passes: bool = False
    also: tuple[str, ...] = ()

    def has_code(self, codes: list[str], words: str) -> bool:
        """Says whether an error's code is of this kind."""
        coded = any(code.startswith(self.codes) for code in codes)
        return coded and (not self.also or any(sign in words for sign in self.also))

    def has_sign(self, words: str) -> bool:
        """Says whether an error's words are of this kind."""
        return any(sign in words for sign in self.signs)


# The first kind that fits is reported; codes come before words. A wrong password is not tried
# again: the third time locks the account. MySQL says "access denied" for a missing right, too.
REFUSALS = (
    Refusal(
        ("42501",), ("row-level security",),
        "Row-level security hides rows of a table from this user; a part of it would be taken "
        "for the whole.",
        "Give the user the attribute BYPASSRLS, or read through a view of the table's owner; "
        "for the target, switch row-level security off for its tables.",
        also=("row-level security",)),
    Refusal(
        ("42501",), ("create temporary tables",),
        "The user may not make temporary tables, which every sync but the first one needs.",
        "As the database's owner: grant temporary on database … to the user of the target.",
        also=("temporary tables",)),
    Refusal(
        ("25006", "mysql:1290", "mysql:1792", "mysql:1836", "mssql:3906", "SQLITE_READONLY"),
        ("read-only transaction", "read only transaction", "readonly database", "read-only option",
         "ora-16000", "ora-01456"),
        "The database may only be read here: it is a standby, or set to read-only for this user.",
        "For the target, name the primary server in the URL, and a user whose "
        "default_transaction_read_only is off; of a SQLite file, let this user write it."),
    Refusal(
        ("42501", "mysql:1044", "mysql:1142", "mysql:1143", "mysql:1227", "mysql:1370"),
        ("permission denied for", "permission denied to", "command denied", "' to database '",
         "insufficient privilege", "must be owner", "ora-01031", "create table permission",
         "permission was denied"),
        "The user lacks a right.",
        "Sources need SELECT; the target needs CREATE in its schema."),
    Refusal(
        ("28000", "mysql:1130"),
        ("pg_hba.conf", "is not allowed to connect to this"),
        "The server does not let this user in from this machine.",
        "Its administrator adds a line for this machine, user and database to pg_hba.conf (for "
        "MySQL and MariaDB: a user for this machine); a line that begins with hostssl asks for "
        "TLS, sslmode=require in the URL.",
        also=("pg_hba", "is not allowed to connect")),
    Refusal(
        (),
        ("certificate file", "private key file", "certificate revocation list"),
        "A file of certificates or keys that the encrypted connection needs is not there, or "
        "cannot be used.",
        "Name it in the URL, and let this user read it: sslrootcert=… is the certificate of the "
        "authority that signed the server's (sslrootcert=system: those that this machine trusts); "
        "sslcert=… and sslkey=… are this user's own, where the server asks for them."),
    Refusal(
        ("mysql:2003", "mysql:2026"),
        ("certificate verify failed", "certificate_verify_failed", "certificate has expired",
         "does not match host name"),
        "The server's certificate does not prove that it is that server: it has expired, is for "
        "another name, or this machine does not trust who signed it.",
        "Name the server as in its certificate, and let this machine trust who signed it (of a "
        "PostgreSQL: sslrootcert=… in the URL); else its administrator renews the certificate.",
        also=("certificate verify failed", "certificate_verify_failed")),
    Refusal(
        ("28000", "mysql:1820", "mysql:1862", "mysql:3118", "mysql:4151"),
        ("not permitted to log in", "is locked", "has been locked", "account is disabled",
         "has expired", "must reset your password", "ora-28000", "ora-28001"),
        "The server does not let this user log in: the account is locked or has expired.",
        "Ask the server's administrator.",
        also=("not permitted", "locked", "expired", "reset your password")),
    Refusal(
        ("53300", "mysql:1040", "mysql:1203", "mysql:1226"),
        ("too many connections", "too many clients", "remaining connection slots",
         "max_user_connections", "no more connections allowed", "ora-00018", "ora-00020",
         "ora-12516", "ora-12519"),
        "The server has no connection to give, or this user has as many as it may.",
        "doisoat needs one at a time for each register and for the target: raise the role's "
        "CONNECTION LIMIT or the server's max_connections, or run when fewer are busy.",
        passes=True),
    Refusal(
        ("42P05", "26000"),
        ("prepared statement",),
        "Prepared statements of several sessions clash: a pooler stands between.",
        "Let doisoat connect to the server itself, or to the pooler in session mode."),
    Refusal(
        ("08P01",), ("unsupported startup parameter",),
        "A pooler stands between and refuses a parameter of the URL.",
        "Leave 'options' and such out of the URL, or name them in the pooler's "
        "ignore_startup_parameters.",
        also=("startup parameter",)),
    Refusal(
        ("28", "mysql:1045", "mysql:1698", "mssql:18456"),
        ("password", "authentication", "access denied", "login failed", "ora-01017"),
        "The server refused the user or the password.",
        "Check the user and the password (or the environment variable that holds it)."),
    Refusal(
        ("22021", "22P05"),
        ("invalid byte sequence for encoding", "has no equivalent in encoding"),
        "The database holds text that cannot be told as UTF-8: bytes of another encoding, or "
        "letters that its own encoding does not have.",
        "Ask it: show server_encoding. A SQL_ASCII database keeps any bytes: copy it into one "
        "whose encoding is UTF8, and say there of which encoding the bytes are."),
    Refusal(
        ("57014", "mysql:1969", "mysql:3024"),
        ("statement timeout", "max_statement_time", "maximum statement execution time"),
        "The server ended a statement because it took longer than it may (statement_timeout).",
        "Ask the server's administrator for more time for this user: alter role … set "
        "statement_timeout = 0 (MariaDB: max_statement_time).",
        also=("statement timeout", "max_statement_time", "maximum statement")),
    Refusal(
        ("57014", "mysql:1317"),
        ("canceling statement due to user request", "ora-01013"),
        "Somebody cancelled the statement on the server.",
        "Ask the server's administrator; then run again.",
        passes=True),
    Refusal(
        ("25P03", "25P04", "57P05"),
        ("idle-in-transaction timeout", "idle-session timeout", "transaction timeout"),
        "The server ended the session because its transaction was open, or idle, for too long.",
        "Ask the server's administrator for more time for this user: alter role … set "
        "idle_in_transaction_session_timeout = 0 (and transaction_timeout = 0)."),
    Refusal(
        ("40", "mysql:1205", "mysql:1213", "mssql:1205"),
        ("conflict with recovery", "deadlock", "could not serialize", "lock wait timeout"),
        "Another transaction of the server stood in the way.",
        "Run again; where a standby is read, raise its max_standby_streaming_delay or switch "
        "hot_standby_feedback on.",
        passes=True),
    Refusal(
        ("42703", "42P01", "42S02", "42S22", "mysql:1146", "mysql:1054"),
        ("no such column", "no such table", "has no column", "ora-00904", "ora-00942"),
        "The database has no such table or column.",
        "Check the table and the columns (for a register, those of its mapping); 'doisoat check' "
        "lists what there is."),
    Refusal(
        ("3D000", "3F000", "mysql:1049"),
        ("no such database", "unknown database", "cannot open database", "ora-12514"),
        "The server has no such database, schema or user.",
        "Check the name after the last '/' of the URL."),
    Refusal(
        ("426", "427", "428", "42P02", "42P1", "22", "mysql:1064", "mysql:1305"),
        ("syntax error", "invalid input syntax", "near \"", "no such function",
         "error in your sql syntax", "ora-00936"),
        "The database does not understand an SQL expression of the mapping.",
        "Try each expression under [insurance.columns] or [population.columns], and 'query', by "
        "hand in the database."),
    Refusal(
        (), ("\" does not exist", "' does not exist"),  # a name; not: "… or does not exist"
        "The server has no such database, schema or user.",
        "Check the name after the last '/' of the URL."),
    Refusal(
        ("08", "57P", "mysql:2002", "mysql:2003", "mysql:2005", "mysql:2006", "mysql:2013",
         "mssql:20003", "mssql:20004", "mssql:20006", "mssql:20009", "mssql:20047"),
        ("refused", "timeout", "timed out", "can't connect", "could not connect", "unreachable",
         "resolve", "name or service", "no such file or directory", "failed: permission denied",
         "server closed", "terminat", "lost connection", "server is unavailable",
         "ora-12541"),
        "The server cannot be reached or broke off.",
        "Check that it runs, the host and the port, and the firewall; then run again.",
        passes=True),
    Refusal(
        (), ("ssl", "tls", "certificate"),
        "No encrypted connection could be made.",
        "Servers on other machines must offer TLS; ask their administrator."),
    Refusal(
        ("55P03", "SQLITE_BUSY", "SQLITE_LOCKED"), ("locked",),
        "The database is locked by another program.",
        "Close the other program and run again.",
        passes=True),
    Refusal(
        ("53100", "mysql:1021", "mysql:1114", "mssql:1101", "mssql:1105", "mssql:9002",
         "SQLITE_FULL"),
        ("no space", "disk full", "disk is full", "unable to extend", "ora-00257"),
        "The server has no room left.",
        "Free some space and run again.",
        passes=True),
    Refusal(
        ("53200", "mysql:1037", "mysql:1038", "mysql:1041", "mssql:701", "SQLITE_NOMEM"),
        ("out of memory", "out of shared memory", "out of sort memory", "ora-04030", "ora-04031"),
        "The server has no memory left for this.",
        "Run again when it has less to do; its log says what was short. Where that is shared "
        "memory (of a PostgreSQL), raise max_locks_per_transaction.",
        passes=True),
    Refusal(
        ("SQLITE_IOERR",), ("disk i/o",),
        "The disk of the SQLite file is full, or reports an error.",
        "Free some space there and run again; if there is room, look in the system's log for what "
        "the disk reports.",
        passes=True),
    Refusal(
        ("SQLITE_NOTADB",), ("not a database",),
        "The file is no SQLite database.",
        "Check the path of the URL."),
    Refusal(
        ("SQLITE_CORRUPT",), ("malformed",),
        "The SQLite file is damaged.",
        "Take a good copy; 'sqlite3 file.db .recover' may save most of this one."),
    Refusal(
        ("SQLITE_CANTOPEN",), ("unable to open database file",),
        "The SQLite file cannot be opened.",
        "Check that its folder is there and that this user may write in it."),
)  # fmt: skip

_TOO_MANY = next(kind for kind in REFUSALS if "53300" in kind.codes)

# Of the codes that no kind has: the classes that may pass by themselves.
_PASSING_CLASSES = ("08", "40", "53", "55", "57", "58", "XX")


@contextmanager
def plain_errors(database: Database, what: str) -> Iterator[None]:
    """Turns a database's errors into what happened, where, and what to do.

    Only the class of the server's error is kept, because its words often quote values.
    """
    try:
        yield
    except DBAPIError as error:
        raise explained(database, what, error.orig or error) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise explained(database, what, error) from None


def explained(database: Database, what: str, error: BaseException) -> ConnectionFailedError:
    """Explains a driver's error to a person, without quoting it."""
    words, codes = str(error).lower(), _codes(error, database.parsed.get_backend_name())
    by_code = (kind for kind in REFUSALS if kind.has_code(codes, words))
    by_words = (kind for kind in REFUSALS if kind.has_sign(words))
    for refusal in chain(by_code, by_words):
        kind = ServerAwayError if refusal.passes else ConnectionFailedError
        return kind(f"{what}: {refusal.happened}", where=database.shown, remedy=refusal.remedy)
    state = sqlstate(error)
    shown = f" (SQLSTATE {state})" if state else ""
    passes = not state or state.startswith(_PASSING_CLASSES)
    return (ServerAwayError if passes else ConnectionFailedError)(
        f"{what}: the database reported {type(error).__name__}"
        f"{shown}; its words are withheld because they may quote personal data.",
        where=database.shown,
        remedy="Look in the database server's own log.",
    )


def is_full(error: BaseException) -> bool:
    """Says whether a server has no free connection at the moment."""
    words = str(error).lower()
    return _TOO_MANY.has_code(_codes(error, ""), words) or _TOO_MANY.has_sign(words)


def sqlstate(error: BaseException) -> str:
    """Returns the standard code of a database's error, or nothing where the driver gives none."""
    return str(getattr(error, "sqlstate", None) or "").strip("\0")


def _codes(error: BaseException, product: str) -> list[str]:
    """The codes of an error: the standard one, and the product's own."""
    codes = [sqlstate(error), str(getattr(error, "sqlite_errorname", None) or "")]
    number = error.args[0] if error.args else None
    if isinstance(number, tuple) and number:  # pymssql puts the number and the words into one
        number = number[0]
    if isinstance(number, int):
        codes.append(f"{'mysql' if product == 'mariadb' else product}:{number}")
    return [code for code in codes if code]
