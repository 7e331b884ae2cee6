"""What refusals mean that no server here can be made to give: by code, then by words."""

from __future__ import annotations

import sqlite3

import pytest
from pydantic import SecretStr

from etl.databases.refusals import explained
from etl.settings import Database


class _RefusedError(Exception):
    sqlstate: str | None = None


def _error(state: str | None, *arguments: object) -> _RefusedError:
    error = _RefusedError(*arguments)
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("product", "error", "told", "passes"),
    [
        ("postgresql", _error("57014", "x statement timeout"), "took longer", False),
        ("postgresql", _error("57014", "x user request"), "Somebody cancelled", True),
        ("postgresql", _error("57P01", "terminating"), "broke off", True),
        ("postgresql", _error("57P05", "x"), "idle, for too long", False),
        ("postgresql", _error("40001", "conflict with recovery"), "stood in the way", True),
        ("postgresql", _error("40P01", "x"), "stood in the way", True),
        ("postgresql", _error("42P05", "x"), "Prepared statements", False),
        ("postgresql", _error("26000", "x"), "Prepared statements", False),
        ("postgresql", _error("42501", "row-level security"), "Row-level security", False),
        ("postgresql", _error("42501", "permission denied for table x"), "lacks a right", False),
        ("postgresql", _error("28P01", "x"), "user or the password", False),
        ("postgresql", _error("22P05", "x"), "told as UTF-8", False),
        ("postgresql", _error("42P07", "x"), "words are withheld", False),
        ("postgresql", _error("0A000", "x"), "words are withheld", False),
        ("postgresql", _error("XX000", "x"), "words are withheld", True),
        ("postgresql", _error(None, "something else"), "words are withheld", True),
        ("postgresql", _error(None, 'FATAL: no pg_hba.conf entry for host "10.1.2.3", user "a", '
                              'database "b", no encryption'), "not let this user in", False),
        ("postgresql", _error(None, "FATAL: sorry, too many clients already"), "to give", True),
        ("postgresql", _error(None, 'FATAL: role "a" is not permitted to log in'), "log in", False),
        ("postgresql", _error(None, "unsupported startup parameter: options"), "pooler", False),
        ("mysql", _error(None, 1045, "x"), "user or the password", False),
        ("mariadb", _error(None, 1226, "x"), "to give", True),
        ("mysql", _error(None, 1130, "Host 'x' is not allowed to connect to this"), "let this",
         False),
        ("mysql", _error(None, 1290, "x"), "may only be read", False),
        ("mysql", _error(None, 3024, "maximum statement execution time"), "took longer", False),
        ("mysql", _error(None, 1213, "x"), "stood in the way", True),
        ("mysql", _error(None, 2013, "x"), "broke off", True),
        ("mssql", _error(None, 18456, b"Login failed"), "user or the password", False),
        ("mssql", _error(None, 3906, b"x"), "may only be read", False),
        ("mssql", _error(None, 1205, b"x"), "stood in the way", True),
        ("oracle", _error(None, "ORA-28000: the account is locked"), "locked", False),
        ("oracle", _error(None, "ORA-16000: database open for read-only"), "only be read", False),
        ("oracle", _error(None, "ORA-12516: no handler"), "to give", True),
    ],
)  # fmt: skip
def test_a_refusal_is_told_as_what_it_is(
    product: str, error: Exception, told: str, passes: bool
) -> None:
    database = Database(url=SecretStr(f"{product}://a:secret@db.example.vn/x"))

    found = explained(database, "Reading", error)

    assert told in str(found)
    assert found.may_pass is passes
    assert found.remedy
    assert "secret" not in str(found)
    assert "10.1.2.3" not in str(found), "the server's words are not repeated"


_LIBPQ = 'connection failed: connection to server at "10.1.2.3", port 5432 failed: '
_SERVER_IS_DOWN = (
    b"DB-Lib error message 20009, severity 9:\nUnable to connect: TDS server is unavailable or "
    b"does not exist (10.1.2.3)\nNet-Lib error during Connection refused (111)\n"
)


def _of_sqlite(name: str, words: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("product", "error", "told", "passes"),
    [
        # Certificates: "does not exist", "no such file" and "has expired" mean something else here.
        ("postgresql", _error(None, _LIBPQ + 'root certificate file "/root/.postgresql/root.crt" '
                              "does not exist"), "sslrootcert=system", False),
        ("postgresql", _error(None, _LIBPQ + 'could not open certificate file "/x": No such file '
                              "or directory"), "of certificates or keys", False),
        ("postgresql", _error(None, _LIBPQ + 'private key file "/x" has group or world access'),
         "of certificates or keys", False),
        ("postgresql", _error(None, _LIBPQ + "SSL error: certificate verify failed"),
         "does not prove", False),
        ("postgresql", _error(None, _LIBPQ + 'server certificate for "x" does not match host name '
                              '"10.1.2.3"'), "does not prove", False),
        ("mysql", _error(None, 2003, "Can't connect to MySQL server on '10.1.2.3' ([SSL: "
                         "CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has "
                         "expired (_ssl.c:1006))"), "does not prove", False),
        ("postgresql", _error(None, _LIBPQ + 'FATAL:  database "x" does not exist'),
         "no such database", False),
        ("postgresql", _error(None, _LIBPQ + "server does not support SSL, but SSL was required"),
         "No encrypted connection", False),
        # SQL Server: pymssql's only argument is the number and the words.
        ("mssql", _error(None, (20009, _SERVER_IS_DOWN)), "cannot be reached", True),
        ("mssql", _error(None, "[08001] TDS server is unavailable or does not exist (10.1.2.3)"),
         "cannot be reached", True),
        ("mssql", _error(None, (18456, b"x")), "user or the password", False),
        ("mssql", _error(None, (1205, b"x")), "stood in the way", True),
        ("mssql", _error(None, (3906, b"x")), "may only be read", False),
        ("mssql", _error(None, ()), "words are withheld", True),
        # What a server lacks: room, memory, or something that its log names.
        ("postgresql", _error("53100", "could not extend file"), "no room left", True),
        ("mysql", _error("HY000", 1021, "x"), "no room left", True),
        ("mssql", _error(None, (9002, b"x")), "no room left", True),
        ("oracle", _error(None, "ORA-01653: unable to extend table A.B"), "no room left", True),
        ("postgresql", _error("53200", "out of memory"), "no memory left", True),
        ("postgresql", _error("53200", "out of shared memory"), "max_locks_per_transaction", True),
        ("mysql", _error("HY001", 1038, "Out of sort memory"), "no memory left", True),
        ("postgresql", _error("53300", "x"), "no connection to give", True),
        ("postgresql", _error("53400", "temporary file size exceeds temp_file_limit"),
         "(SQLSTATE 53400)", True),
        ("sqlite", _of_sqlite("SQLITE_FULL", "database or disk is full"), "no room left", True),
        ("sqlite", _of_sqlite("SQLITE_IOERR_WRITE", "disk I/O error"),
         "is full, or reports an error", True),
    ],
)  # fmt: skip
def test_one_kind_of_refusal_is_not_taken_for_another(
    product: str, error: Exception, told: str, passes: bool
) -> None:
    where = "/x.db" if product == "sqlite" else "a:secret@db.example.vn/x"

    found = explained(Database(url=SecretStr(f"{product}://{where}")), "Reading", error)

    assert told in str(found)
    assert found.may_pass is passes
    assert found.remedy
    assert "10.1.2.3" not in str(found), "the server's words are not repeated"
