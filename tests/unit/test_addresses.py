"""How two addresses agree, by words and by letters, and which blocking keys they give."""

from __future__ import annotations

import duckdb
import pytest

from etl.domain import codes
from etl.engine.macros import macros

RIGHT = "305, Gurnai Place, Umavale Park, Eaton, 4215"


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for macro in macros():
        connection.execute(macro.create)
    return connection


def agreement(
    connection: duckdb.DuckDBPyConnection, a: str | None, b: str | None, *, by_letters: bool
) -> str:
    found = connection.execute(
        "select address_agreement(address_parts(a, $letters), address_parts(b, $letters)), "
        "address_agreement(address_parts(b, $letters), address_parts(a, $letters)) "
        "from (select $a as a, $b as b)",
        {"a": a, "b": b, "letters": by_letters},
    ).fetchone()
    assert found is not None
    assert found[0] == found[1], "which is which does not matter"
    assert found[0] in codes.ADDRESS_LEVELS
    return str(found[0])


@pytest.mark.parametrize(
    ("other", "by_words", "by_letters"),
    [
        (RIGHT, "same", "same"),
        ("eaton 4215; UMAVALE PARK - 305 gurnai place", "same", "same"),
        ("305, Gurnai Place, Umavale Park, 4215", "near", "near"),
        # Two spaces lost and slips in two words: one word is left, and most letters are.
        ("305, Gurnaiplace, Umavalepark, Eatin, 4251", "different", "near"),
        ("305, Gurnai Pl ace, Umavalepark, Eaton, 4215", "partly", "near"),
        ("306, Grunai Plcae, Umavale Parck, Eatonn, 4215", "different", "partly"),
        ("12, Acacia Street, Bindaree, Corrimal, 2518", "different", "different"),
        # Only the last word in common.
        ("7, Cobby Avenue, Christies Beach, 4215", "different", "different"),
        # An empty address is missing, not different.
        ("", "missing", "missing"),
        (" - ?", "missing", "missing"),
        (None, "missing", "missing"),
    ],
)
def test_slips_count_less_where_letters_are_asked(
    connection: duckdb.DuckDBPyConnection, other: str | None, by_words: str, by_letters: str
) -> None:
    assert agreement(connection, RIGHT, other, by_letters=False) == by_words
    assert agreement(connection, RIGHT, other, by_letters=True) == by_letters


@pytest.mark.parametrize("short", ["4", "a b", "đ"])
def test_what_is_too_short_for_letters_is_compared_all_the_same(
    connection: duckdb.DuckDBPyConnection, short: str
) -> None:
    assert agreement(connection, short, RIGHT, by_letters=True) == "different"
    assert agreement(connection, short, short, by_letters=True) == "same"


def shared_keys(connection: duckdb.DuckDBPyConnection, a: str | None, b: str | None) -> int:
    found = connection.execute(
        "select len(list_intersect(address_blocks($a::varchar), address_blocks($b::varchar)))",
        {"a": a, "b": b},
    ).fetchone()
    assert found is not None
    return int(found[0] or 0)


def test_two_words_that_are_left_are_a_key_whatever_stands_between(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert shared_keys(connection, RIGHT, "umavale 4215") == 1
    assert shared_keys(connection, RIGHT, "4215 Umavale") == 1
    assert shared_keys(connection, RIGHT, "Umavale, Umavale 4215") == 1
    # n words give n (n - 1) / 2 pairs.
    assert shared_keys(connection, RIGHT, RIGHT.upper()) == 7 * 6 // 2


def test_one_word_is_no_key(connection: duckdb.DuckDBPyConnection) -> None:
    assert shared_keys(connection, RIGHT, "4215") == 0
    assert shared_keys(connection, "4215", "4215") == 0
    assert shared_keys(connection, RIGHT, None) == 0
