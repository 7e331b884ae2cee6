"""Expressions of DuckDB evaluated over Arrow arrays, for an engine that lacks their functions.

Belongs here: what type an expression has, how its values travel to an engine that has fewer types,
and computing it, in whichever process. Does not belong here: which expressions are computed so
(the other engine's folder).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from etl.engine.duckdb.functions import keyed_functions
from etl.engine.macros import macros
from etl.process.privacy import RecordKey

_NARROWER = {
    "utinyint": "smallint",
    "usmallint": "integer",
    "uinteger": "bigint",
    "ubigint": "decimal(20,0)",
    "hugeint": "decimal(38,0)",
    "uhugeint": "decimal(38,0)",
    '"null"': "varchar",
    "enum": "varchar",
}
"""What values of a type travel as, to an engine that has no such type, in the same order."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A column of a query.

    Attributes:
        name: Its name.
        type: Its type, as DuckDB writes it.
        carried: The type that its values travel as, as DuckDB writes it.
        tree: The type that they travel as: a word, or its parts.
    """

    name: str
    type: str
    carried: str
    tree: Any


def columns_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Typed]:
    """Returns name and type of a query's columns; it is bound and not run."""
    bound = connection.sql(query)
    found = []
    for name, kind in zip(bound.columns, bound.types, strict=True):
        tree = _tree(kind)
        found.append(Typed(name, str(kind), _written(tree), tree))
    return found


def _tree(kind: Any) -> Any:
    """A type that every engine has: a word, ``["list", of]`` or ``["struct", [name, of], …]``."""
    if kind.id in ("list", "array"):
        return ["list", _tree(dict(kind.children)["child"])]
    if kind.id == "struct":
        return ["struct", *([name, _tree(child)] for name, child in kind.children)]
    if kind.id == "decimal":
        return str(kind).lower()
    return _NARROWER.get(kind.id, str(kind).lower())


def _written(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "list":
        return f"{_written(tree[1])}[]"
    return f"struct({', '.join(f'{name} {_written(of)}' for name, of in tree[1:])})"


@dataclass(frozen=True, slots=True)
class Scalar:
    """An expression that any process can compute.

    Attributes:
        expression: In DuckDB's dialect, over ``c0``, ``c1``, …; it may call macros.
        inputs: The types of these, as DuckDB writes them.
        output: The type of what leaves, as DuckDB writes it.
        secret: The secret of the keyed functions, where the expression calls one.
    """

    expression: str
    inputs: tuple[str, ...]
    output: str
    secret: bytes = field(default=b"", repr=False)

    def __call__(self, *arrays: pa.Array) -> pa.Array:
        """Computes the expression for each row."""
        given = pa.table({f"c{at}": array for at, array in enumerate(arrays)})
        typed = ", ".join(f"c{at}::{kind} as c{at}" for at, kind in enumerate(self.inputs))
        connection = _connection(self.secret)
        connection.register("given", given)
        try:
            found: pa.Table = connection.execute(
                f"select ({self.expression})::{self.output} as found "  # noqa: S608 - our own words
                f"from (select {typed} from given)"
            ).to_arrow_table()
        finally:
            connection.unregister("given")
        return plain(found.column(0).combine_chunks())


def plain(array: pa.Array) -> pa.Array:
    """Returns an array without the layouts that other engines do not read."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array if not pa.types.is_large_string(array.type) else array.cast(pa.string())


@lru_cache(maxsize=4)
def _connection(secret: bytes) -> duckdb.DuckDBPyConnection:
    """An engine in memory with the project's macros, one for each process."""
    connection = duckdb.connect(config={"threads": 1})
    # One thread keeps the rows in the order in which they came.
    connection.execute("set enable_progress_bar = false; set timezone = 'UTC'")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute(keyed_functions(RecordKey(secret or bytes(32))))
    for macro in macros():
        connection.execute(macro.create)
    return connection


def keyed(calls: Iterable[str]) -> bool:
    """Says whether one of some functions needs the secret of the keyed functions."""
    by_name = {macro.name: macro for macro in macros()}
    waiting, seen = list(calls), set[str]()
    while waiting:
        name = waiting.pop()
        if name in KEYED:
            return True
        if name in by_name and name not in seen:
            seen.add(name)
            waiting += by_name[name].calls
    return False


KEYED: Sequence[str] = ("keyed_hash", "record_key", "fingerprint")
