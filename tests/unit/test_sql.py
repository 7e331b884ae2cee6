"""SQL that a person wrote: what is removed from its end, and what is not."""

from __future__ import annotations

import pytest

from etl.databases.sql import bare_sql
from etl.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("select 1", "select 1"),
        (" select 1 ; \n", "select 1"),
        ("select 1 -- note; more", "select 1"),
        ("select 1; -- note\n-- more\n;", "select 1"),
        ("select 1 /* a; b */ ;", "select 1"),
        ("select '--;' ", "select '--;'"),
        ("select 'it''s -- no;' --", "select 'it''s -- no;'"),
        (r"select E'it\'s -- no;' -- yes", r"select E'it\'s -- no;'"),
        (r"select '\' -- yes", r"select '\'"),
        ("select date'2020-01-01' -- day", "select date'2020-01-01'"),
        ('select "a;--b" from "x--"', 'select "a;--b" from "x--"'),
        ("select $$;--$$ -- text", "select $$;--$$"),
        ("select $a$;$$--$a$ -- text", "select $a$;$$--$a$"),
        ("-- head\nselect 1 -- tail", "-- head\nselect 1"),
        ("select 1 /* /* nested */ */", "select 1 /* /* nested */ */"),
        ("select 6 # 3", "select 6 # 3"),
        ("", ""),
    ],
)
def test_the_end_is_taken_off_and_nothing_else(written: str, bare: str) -> None:
    assert bare_sql(written, "postgresql", "query") == bare


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("select 5--1", "select 5--1"),
        ("select 5 -- 1", "select 5"),
        ("select 5 # 1", "select 5"),
        (r"select 'it\'s -- no' --", r"select 'it\'s -- no'"),
        ("select `a;--b`;", "select `a;--b`"),
    ],
)
def test_mysql_has_comments_of_its_own(written: str, bare: str) -> None:
    assert bare_sql(written, "mariadb", "query") == bare


@pytest.mark.parametrize("written", ["select 1; select 2", "a; drop table b", "; select 1"])
def test_several_statements_are_refused_without_their_words(written: str) -> None:
    with pytest.raises(ConfigError, match="several statements") as caught:
        bare_sql(written, "postgresql", "insurance.query")

    assert "select" not in str(caught.value)
    assert "insurance.query" in caught.value.what
