"""From a statement in DuckDB's dialect to one in Spark's, and the functions that it calls.

Belongs here: the steps of a translation, in order. Does not belong here: running it
(``warehouse.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from etl.engine.duckdb.scalars import Scalar
from etl.engine.duckdb.typed import Typed, macros_for
from etl.engine.spark.dialect import to_spark, type_of
from etl.engine.spark.islands import Island, expand, islands
from etl.engine.spark.names import PREFIX
from etl.engine.spark.standard import Schema, asked, standard
from etl.engine.statements import DIALECT
from etl.process.privacy import RecordKey

Describe = Callable[[str], Sequence[Typed]]
"""Says of a query in DuckDB's dialect which columns it has."""


@dataclass(frozen=True)
class Translated:
    """A statement for Spark.

    Attributes:
        queries: Name and query of each view that the statement rests on and that is computed once;
            the last, without a name, is the statement.
        functions: The functions that it calls and that must be registered: name, what computes it,
            and the type that it returns, as Spark writes it.
        columns: The names and types of the result, as Spark writes them.
    """

    queries: tuple[tuple[str, str], ...]
    functions: tuple[tuple[str, Scalar, str], ...]
    columns: tuple[tuple[str, str], ...]


def translate(query: str, schema: Schema, describe: Describe, key: RecordKey) -> Translated:
    """Translates a statement.

    Args:
        query: The statement, in DuckDB's dialect.
        schema: The columns of the tables that it reads.
        describe: What DuckDB says of a query.
        key: Makes the record keys.
    """
    tree = sqlglot.parse_one(query, dialect=DIALECT)
    columns = tuple((one.name, type_of(one.tree)) for one in describe(query))
    tree = standard(_as_written(tree), schema, lambda text: [one.name for one in describe(text)])
    found = [one for select in tree.find_all(exp.Select) for one in islands(select)]
    calls = _calls(found, describe, key)
    # (The innermost comes first, so that the arguments of an outer one hold its call already.)
    for island, (name, _, _) in reversed(list(zip(found, calls, strict=True))):
        given = list(island.leaves) or [exp.Literal.number(1)]  # (a function needs an argument)
        island.root.replace(exp.Anonymous(this=name, expressions=given))
    tree = expand(tree)
    functions = tuple({name: (name, scalar, kind) for name, scalar, kind in calls}.values())
    return Translated(to_spark(tree), functions, columns)


def _as_written(tree: exp.Expr) -> exp.Expr:
    """Corrects what the parser changes: a logarithm of base 2, say, would round differently."""
    for ignoring in list(tree.find_all(exp.IgnoreNulls)):
        if isinstance(ignoring.this, exp.AnyValue):  # DuckDB's ignores nulls anyway
            ignoring.replace(ignoring.this)
    for logarithm in list(tree.find_all(exp.Log)):
        base, of = logarithm.this, logarithm.expression
        if of is not None and base.is_int and int(base.name) == 2:
            logarithm.replace(exp.Anonymous(this="log2", expressions=[of.copy()]))
    return tree


def _calls(
    found: list[Island], describe: Describe, key: RecordKey
) -> list[tuple[str, Scalar, str]]:
    """Returns the call of each island, asking DuckDB for many types at once."""
    typed: dict[int, list[Typed]] = {}
    of_selects: dict[tuple[int, bool], list[tuple[int, Island]]] = {}
    for place, island in enumerate(found):
        grouped = not island.in_aggregate and _is_of_groups(island)
        of_selects.setdefault((id(island.select), grouped), []).append((place, island))
    for (_, grouped), together in of_selects.items():
        asks, bounds = [], []
        for _, island in together:
            asks += [f"({one.sql(DIALECT)})" for one in (island.root, *island.leaves)]
            bounds.append(len(asks))
        select = together[0][1].select
        named = [f"{ask} as a{at}" for at, ask in enumerate(asks)]
        answers = describe(asked(select, named, grouped=grouped))
        start = 0
        for (place, _), end in zip(together, bounds, strict=True):
            typed[place], start = list(answers[start:end]), end
    return [_call(island, typed[place], key) for place, island in enumerate(found)]


def _is_of_groups(island: Island) -> bool:
    """Says whether an island's arguments are computed for each group."""
    return any(leaf.find(exp.AggFunc) for leaf in island.leaves)


def _call(island: Island, typed: list[Typed], key: RecordKey) -> tuple[str, Scalar, str]:
    result, *given = typed
    names = {leaf.sql(): f"c{at}" for at, leaf in enumerate(island.leaves)}
    body = island.root.copy()
    for node in list(body.walk(prune=lambda node: node.sql() in names)):
        if node.sql() in names:
            place = exp.column(names[node.sql()])
            if node is body:
                body = place
            else:
                node.replace(place)
    text = body.sql(DIALECT)
    called = [call.name.lower() for call in body.find_all(exp.Anonymous)]
    scalar = Scalar(
        text,
        tuple(one.type for one in given) or ("INTEGER",),
        result.carried,
        macros_for(called, key),
    )
    words = "\0".join((text, *scalar.inputs, scalar.output))
    name = f"{PREFIX}{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    return name, scalar, type_of(result.tree)
