"""What DuckDB says of a query's types, and how its values travel to an engine that has fewer types.

Belongs here: types, and the macros that an expression needs elsewhere. Does not belong here:
computing an expression elsewhere (``scalars.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

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
    "uuid": "varchar",
    "json": "varchar",
}
"""The type as which values travel to an engine that lacks theirs; their order stays the same."""

_KEYED = frozenset({"keyed_hash", "record_key", "fingerprint"})


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
    return _NARROWER.get(kind.id) or _NARROWER.get(str(kind).lower()) or str(kind).lower()


def _written(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "list":
        return f"{_written(tree[1])}[]"
    return f"struct({', '.join(f'{name} {_written(of)}' for name, of in tree[1:])})"


def macros_for(calls: Iterable[str], key: RecordKey) -> tuple[str, ...]:
    """Returns the statements that make the macros that an expression calls, in order.

    The secret of the record keys is among them only where it is needed.

    Args:
        calls: The functions that the expression calls.
        key: The secret.
    """
    wanted = set(calls)
    for macro in reversed(macros()):
        if macro.name in wanted:
            wanted |= macro.calls
    made = [macro.create for macro in macros() if macro.name in wanted]
    return (keyed_functions(key), *made) if wanted & _KEYED else tuple(made)
