"""What refusals mean that no server here can be made to give: by code, then by words."""

from __future__ import annotations

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
