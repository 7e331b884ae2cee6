"""Expressions of DuckDB computed over Arrow arrays, in the processes of another engine's workers.

Belongs here: computing them; little is imported, because every worker imports it. Does not belong
here: which expressions are computed so (that engine's folder), and their types (``typed.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import duckdb
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Scalar:
    """An expression that any process can compute.

    Attributes:
        expression: In DuckDB's dialect, over ``c0``, ``c1``, …
        inputs: The types of these, as DuckDB writes them.
        output: The type of what leaves, as DuckDB writes it.
        macros: The statements that make what the expression calls, with the secret of the record
            keys where it calls that.
    """

    expression: str
    inputs: tuple[str, ...]
    output: str
    macros: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, *arrays: pa.Array) -> pa.Array:
        """Computes the expression for each row, in order."""
        connection = _connection()
        for macro in self.macros:
            if macro not in _made():
                connection.execute(macro)
                _made().add(macro)
        given = pa.table({f"c{at}": array for at, array in enumerate(arrays)})
        typed = ", ".join(f"c{at}::{kind} as c{at}" for at, kind in enumerate(self.inputs))
        connection.register("given", given)
        try:
            found: pa.Table = connection.execute(
                f"select ({self.expression})::{self.output} as found "  # noqa: S608 - our own words
                f"from (select {typed} from given)"
            ).to_arrow_table()
        finally:
            connection.unregister("given")
        return found.column(0).combine_chunks()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """An engine in memory, one for each process; one thread keeps the rows in order."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set enable_progress_bar = false; set timezone = 'UTC'")
    connection.execute("set autoinstall_known_extensions = false")
    return connection


@cache
def _made() -> set[str]:
    """The macros that this process's engine has."""
    return set()
