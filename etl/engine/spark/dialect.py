"""A statement in Spark's dialect: what sqlglot does not translate is translated here.

Belongs here: one function for each construct that Spark writes differently. Does not belong here:
which expressions leave Spark (``islands.py``), and any statement of the project by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from etl.engine.spark.names import PREFIX, view_of
from etl.engine.statements import TableName

_TYPES = {
    exp.DType.UTINYINT: "smallint",
    exp.DType.USMALLINT: "int",
    exp.DType.UINT: "bigint",
    exp.DType.UBIGINT: "decimal(20,0)",
    exp.DType.INT128: "decimal(38,0)",
    exp.DType.TIMESTAMP: "timestamp_ntz",
}
"""Types that Spark lacks or understands differently, and what stands for them."""


def type_of(tree: Any) -> str:
    """Writes a type that DuckDB's values travel as (``Typed.tree``)."""
    if isinstance(tree, str):
        named = {"varchar": "string", "integer": "int", "timestamp": "timestamp_ntz"}
        return "timestamp" if tree == "timestamp with time zone" else named.get(tree, tree)
    if tree[0] == "list":
        return f"array<{type_of(tree[1])}>"
    return f"struct<{','.join(f'{name}:{type_of(of)}' for name, of in tree[1:])}>"


def to_spark(tree: exp.Expr) -> tuple[tuple[str, str], ...]:
    """Writes a statement for Spark, whose islands are calls already.

    Returns:
        Name and query of each view that it reads, in order; and its own query, with an empty name.
    """
    steps: tuple[Callable[[exp.Expr], None], ...] = (
        _name_tables,
        _unnest,
        _qualify,
        _filter_windows,
        _aggregate,
        _number,
        _type,
    )
    for step in steps:
        step(tree)
    return (*_computed_once(tree), ("", tree.sql("spark")))


def _computed_once(tree: exp.Expr) -> list[tuple[str, str]]:
    """Takes common tables out of a statement that Spark would compute again for each reader.

    These are the ones marked ``materialized``, and those that call DuckDB and are read more than
    once.
    """
    having = tree.args.get("with_")
    if not isinstance(having, exp.With):
        return []
    mark = hashlib.sha256(tree.sql("spark").encode()).hexdigest()[:8]
    found: list[tuple[str, str]] = []
    before: list[exp.Expr] = []
    for common in list(having.expressions):
        name = common.alias
        readers = [one for one in tree.find_all(exp.Table) if not one.db and one.name == name]
        asked = bool(common.args.get("materialized"))
        common.set("materialized", None)
        if asked or (len(readers) > 1 and _calls_duckdb(common)):
            view = f"{name}_{mark}"
            query = common.this.copy()
            if before:
                query.set("with_", exp.With(expressions=[one.copy() for one in before]))
            found.append((view, query.sql("spark")))
            for one in readers:
                one.set("alias", exp.TableAlias(this=exp.to_identifier(one.alias_or_name)))
                one.set("this", exp.to_identifier(view))
            common.pop()
        else:
            before.append(common)
    if not having.expressions:
        tree.set("with_", None)
    return found


def _calls_duckdb(node: exp.Expr) -> bool:
    return any(call.name.startswith(PREFIX) for call in node.find_all(exp.Anonymous))


def _name_tables(tree: exp.Expr) -> None:
    """Reads every table with a schema by the name of its view."""
    for table in list(tree.find_all(exp.Table)):
        if table.db:
            view = view_of(TableName(table.db, table.name))
            alias = table.alias or table.name
            table.set("this", exp.to_identifier(view))
            table.set("db", None)
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    for column in tree.find_all(exp.Column):
        column.set("db", None)


def _unnest(tree: exp.Expr) -> None:
    """Moves ``unnest`` from the columns to the tables that are read; several lists side by side."""
    for number, select in enumerate(list(tree.find_all(exp.Select))):
        lists = [
            one
            for projection in select.expressions
            for one in projection.find_all(exp.Explode)
            if one.parent_select is select
        ]
        if not lists:
            continue
        if select.args.get("group"):
            raise NotImplementedError("a list unfolded beside groups")
        alias = f"unfolded_{number}"
        names = [f"item_{place}" for place in range(len(lists))]
        given = [one.this.copy() for one in lists]
        for one, name in zip(lists, names, strict=True):
            one.replace(exp.column(name, table=alias))
        if len(given) == 1:
            unfolded: exp.Expr = exp.Anonymous(this="explode", expressions=given)
        else:
            zipped = exp.Anonymous(this="arrays_zip", expressions=given)
            unfolded = exp.Anonymous(this="inline", expressions=[zipped])
        columns = [exp.to_identifier(name) for name in names]
        select.append(
            "laterals",
            exp.Lateral(
                this=unfolded,
                view=True,
                alias=exp.TableAlias(this=exp.to_identifier(alias), columns=columns),
            ),
        )


def _qualify(tree: exp.Expr) -> None:
    """Replaces QUALIFY by a condition on the rows of an inner SELECT."""
    for select in list(tree.find_all(exp.Select)):
        asked = select.args.get("qualify")
        if asked is None:
            continue
        distinct = select.args.get("distinct")
        select.set("qualify", None)
        select.set("distinct", None)
        outer = exp.select(*(exp.column(one.alias_or_name) for one in select.expressions))
        outer = outer.where(exp.column("qualifies"))
        outer.set("distinct", distinct)
        if having := select.args.get("with_"):
            outer.set("with_", having)
            select.set("with_", None)
        inner = select.copy()
        inner.append("expressions", exp.alias_(asked.this.copy(), "qualifies"))
        outer = outer.from_(inner.subquery("asked"))
        for key, value in outer.args.items():
            select.set(key, value)
        for key in set(select.args) - set(outer.args):
            select.set(key, None)


def _filter_windows(tree: exp.Expr) -> None:
    """Replaces FILTER in a window by CASE: Spark knows FILTER only without OVER."""
    for window in list(tree.find_all(exp.Window)):
        filtered = window.this
        if not isinstance(filtered, exp.Filter):
            continue
        aggregate, condition = filtered.this, filtered.expression.this
        counted = aggregate.this
        value = exp.Literal.number(1) if isinstance(counted, exp.Star) else counted
        kept = exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy())])
        aggregate = aggregate.copy()
        aggregate.set("this", kept)
        filtered.replace(aggregate)


def _aggregate(tree: exp.Expr) -> None:
    """Writes aggregates that Spark calls by another name, or that need an order."""
    for node in list(tree.find_all(exp.ArrayAgg, exp.First, exp.GroupConcat)):
        node.replace(_in_order(node))
    for node in list(tree.find_all(exp.AnyValue)):
        value = exp.Anonymous(this="first", expressions=[node.this.copy(), exp.true()])
        node.replace(value)


def _in_order(node: exp.Expr) -> exp.Expr:
    """Collects what DuckDB lists in order, and keeps its nulls, which Spark would drop.

    Each value stands in a struct with the keys of its order; the list is sorted, then unpacked.
    """
    inside, order, distinct = node.this, None, False
    if isinstance(inside, exp.Order):
        inside, order = inside.this, inside
    if isinstance(inside, exp.Distinct):
        (inside,), distinct = inside.expressions, True
    keys = list(order.expressions) if order else []
    fields = [f"'v', {inside.sql('spark')}"]
    fields += [f"'k{at}', {key.this.sql('spark')}" for at, key in enumerate(keys)]
    found = f"collect_list(named_struct({', '.join(fields)}))"
    if keys:
        found = f"array_sort({found}, (l, r) -> {_comparison(keys)})"
    found = f"transform({found}, o -> o.v)"
    if distinct:
        found = f"array_distinct({found})"
    if isinstance(node, exp.First):
        found = f"element_at({found}, 1)"
    elif isinstance(node, exp.GroupConcat):
        separator = node.args["separator"].sql("spark") if node.args.get("separator") else "','"
        kept = f"filter({found}, o -> o is not null)"
        found = f"if(size({kept}) = 0, null, array_join({kept}, {separator}))"
    else:
        found = f"if(count(*) = 0, null, {found})"
    return _verbatim(found)


def _comparison(keys: list[exp.Expr]) -> str:
    """Compares by keys as DuckDB orders: nulls last unless told otherwise, descending, too."""
    cases = []
    for at, key in enumerate(keys):
        left, right = f"l.k{at}", f"r.k{at}"
        down = bool(key.args.get("desc"))
        nulls = "-1" if key.args.get("nulls_first") else "1"
        cases.append(
            f"when not ({left} <=> {right}) then case when {left} is null then {nulls} "
            f"when {right} is null then -({nulls}) "
            f"when {left} {'>' if down else '<'} {right} then -1 else 1 end"
        )
    return f"case {' '.join(cases)} else 0 end"


def _verbatim(sql: str) -> exp.Expr:
    """Stands for text that is Spark's already."""
    return exp.Identifier(this=sql, quoted=False)


def _number(tree: exp.Expr) -> None:
    """Writes a number with a point as a floating-point one, as which DuckDB computes it."""
    for literal in list(tree.find_all(exp.Literal)):
        if literal.is_number and not literal.is_int:
            literal.replace(_verbatim(f"{literal.this}D"))


def _type(tree: exp.Expr) -> None:
    """Replaces types that Spark lacks by those as which their values travel."""
    for kind in list(tree.find_all(exp.DataType)):
        if found := _TYPES.get(kind.this):
            kind.replace(_verbatim(found))
