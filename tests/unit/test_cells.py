"""Cells without the blanks around them: faster than trimming each, with the same result."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.engine.macros import macros

SPACES = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Zs"]
CELLS = st.text(alphabet=[*SPACES, "a", "ế", "\t", "\n", "\u200b", "\ufeff", "𝐀"], max_size=6)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for macro in macros():
            connection.execute(macro.create)
        yield connection


@given(st.lists(CELLS, min_size=1, max_size=50))
def test_a_written_cell_is_what_trim_leaves(
    engine: duckdb.DuckDBPyConnection, cells: list[str]
) -> None:
    engine.register("cells", pa.table({"cell": [*SPACES, *cells, None]}))

    differing = engine.execute(
        "select cell from cells where written(cell) is distinct from nullif(trim(cell), '') "
        "or is_written(cell) is distinct from (trim(cell) <> '')"
    ).fetchall()

    assert differing == []
