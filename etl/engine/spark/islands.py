"""Which expressions Spark computes itself, and which DuckDB computes for it in Arrow UDFs.

Spark computes what surely means the same on both engines: joins, groups, windows, comparisons,
conditions. Whatever else stands in an expression makes the whole of it an island: text functions,
lists, dates, hashes, floating-point functions and the macros made of them.

Belongs here: finding the islands. Does not belong here: computing them
(``etl/engine/duckdb/scalars.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sqlglot import exp

from etl.engine.macros import Macro, macros

_NATIVE = (
    exp.Star,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Column,
    exp.Paren,
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.In,
    exp.Between,
    exp.Case,
    exp.If,
    exp.Coalesce,
    exp.Nullif,
    exp.Greatest,
    exp.Least,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Neg,
    exp.DPipe,
    exp.Array,
)
"""What both engines understand alike, of the types that they share."""

BOUNDARY = (exp.AggFunc, exp.Window, exp.Subquery, exp.Select, exp.Explode, exp.Filter)
"""What depends on more than one row: Spark computes it, and hands the result to an island."""

_TRANSPARENT = (
    *BOUNDARY,
    exp.And,
    exp.EQ,
    exp.Alias,
    exp.Ordered,
    exp.Order,
    exp.Distinct,
    exp.Where,
    exp.Having,
    exp.Qualify,
    exp.Group,
    exp.GroupingSets,
    exp.Tuple,
    exp.WithinGroup,
    exp.WindowSpec,
    exp.IgnoreNulls,
    exp.Join,
    exp.Paren,
)
"""Where each part may be an island of its own, but never the whole."""


@dataclass(frozen=True)
class Island:
    """An expression that DuckDB computes.

    Attributes:
        root: The expression.
        leaves: Its arguments: columns, and results of ``BOUNDARY``.
        select: The SELECT that it stands in.
        in_aggregate: It is computed before rows are grouped.
    """

    root: exp.Expr
    leaves: tuple[exp.Expr, ...]
    select: exp.Select
    in_aggregate: bool


@cache
def _macro_of() -> dict[str, Macro]:
    return {macro.name: macro for macro in macros()}


@cache
def _expands(name: str) -> bool:
    """Says whether a macro is made of nothing but what both engines understand alike."""
    macro = _macro_of().get(name)
    return macro is not None and is_native(macro.tree)


def is_native(node: exp.Expr) -> bool:
    """Says whether Spark computes an expression itself; it does not look into ``BOUNDARY``."""
    if isinstance(node, BOUNDARY):
        return True
    if isinstance(node, exp.Anonymous):
        return _expands(node.name.lower()) and all(map(is_native, node.expressions))
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _is_native_cast(node)
    if isinstance(node, (exp.Identifier, exp.DataType)):
        return True
    return isinstance(node, _NATIVE) and all(map(is_native, node.iter_expressions()))


def _is_native_cast(node: exp.Expr) -> bool:
    """Says whether Spark computes a cast: of a null, aggregate, window, literal date or time."""
    inside = node.this.unnest()
    if isinstance(inside, exp.Coalesce) and all(map(is_native, inside.iter_expressions())):
        inside = inside.this
    return isinstance(inside, (exp.Null, exp.AggFunc, exp.Window, exp.Filter)) or (
        isinstance(inside, exp.Literal) and inside.is_string and node.is_type("timestamp", "date")
    )


def expand(node: exp.Expr) -> exp.Expr:
    """Puts the macros of an expression into its tree, where Spark computes them itself."""
    for call in list(node.find_all(exp.Anonymous)):
        macro = _macro_of().get(call.name.lower())
        if macro is None or not _expands(macro.name):
            continue
        given = dict(zip(macro.parameters, call.expressions, strict=True))
        body = exp.paren(macro.tree.copy())
        for column in list(body.find_all(exp.Column)):
            if not column.table and column.name in given:
                column.replace(exp.paren(given[column.name].copy()))
        body = exp.paren(expand(body.this))
        if call is node:
            return body
        call.replace(body)
    return node


def islands(select: exp.Select) -> Iterator[Island]:
    """Finds the islands of a SELECT, but not those of the SELECTs within it."""
    for key, value in select.args.items():
        if key in ("with_", "from_", "laterals"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, exp.Expr):
                yield from _within(node, select, in_aggregate=False)


def _within(node: exp.Expr, select: exp.Select, *, in_aggregate: bool) -> Iterator[Island]:
    if isinstance(node, (exp.Select, exp.Subquery, exp.Table, exp.SetOperation)):
        return  # a SELECT of its own
    inside = in_aggregate or isinstance(node, exp.AggFunc)
    if isinstance(node, _TRANSPARENT) or _is_in_window(node) or is_native(node):
        for part in node.iter_expressions():
            yield from _within(part, select, in_aggregate=inside)
        return
    leaves = tuple({leaf.sql(): leaf for leaf in _leaves(node, frozenset())}.values())
    yield Island(node, leaves, select, in_aggregate)
    for leaf in leaves:
        if not isinstance(leaf, exp.Column):
            yield from _within(leaf, select, in_aggregate=in_aggregate)


def _is_in_window(node: exp.Expr) -> bool:
    """Says whether a function is what a window computes: its row number, say."""
    return isinstance(node.parent, exp.Window) and node.parent.this is node


def _leaves(node: exp.Expr, bound: frozenset[str]) -> Iterator[exp.Expr]:
    if isinstance(node, BOUNDARY):
        yield node
    elif isinstance(node, exp.Column):
        if node.parts[0].name not in bound:
            yield node
    elif isinstance(node, exp.Dot) and isinstance(node.this, exp.Column):
        yield from _leaves(node.this, bound)
    else:
        if isinstance(node, exp.Lambda):
            bound |= {parameter.name for parameter in node.expressions}
            yield from _leaves(node.this, bound)
            return
        for part in node.iter_expressions():
            yield from _leaves(part, bound)
