"""A statement without DuckDB's shorthand: spelt out, but still in DuckDB's dialect.

Belongs here: columns under their tables, stars, aliases that conditions use, rows as values, unions
by name. Does not belong here: anything that another dialect writes differently (``dialect.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from etl.engine.statements import DIALECT

Columns = Callable[[str], list[str]]
"""Returns the names of the columns of a query in DuckDB's dialect."""

Schema = dict[str, dict[str, dict[str, str]]]
"""Schema -> table -> column -> type."""


def standard(tree: exp.Expr, schema: Schema, columns: Columns) -> exp.Expr:
    """Spells a statement out.

    Args:
        tree: The statement; it is changed.
        schema: The columns of the tables that it reads.
        columns: What DuckDB says of a query's columns.

    Returns:
        The statement, in which each column is named with its table.
    """
    _name_rows(tree, columns)
    tree = _align_unions(tree, columns)
    return qualify(
        tree,
        schema=dict(schema),
        dialect=DIALECT,
        quote_identifiers=False,
        identify=False,
        validate_qualify_columns=False,
        canonicalize_table_aliases=False,
    )


def visible_from(node: exp.Expr) -> list[exp.Expr]:
    """Returns the common tables that a query may read, in order."""
    found: list[exp.Expr] = []
    below, above = node, node.parent
    while above is not None:
        if isinstance(below, exp.With):
            pass
        elif (own := above.args.get("with_")) is not None and below is not own:
            found = [*own.expressions, *found]
        if isinstance(above, exp.With):
            found = [*above.expressions[: below.index or 0], *found]
        below, above = above, above.parent
    return found


def asked(select: exp.Select, projections: list[str], *, grouped: bool = False) -> str:
    """Returns a query of other columns over the tables that a SELECT reads.

    Args:
        select: Whose tables are read.
        projections: The columns of the new query, in DuckDB's dialect.
        grouped: Whether they are columns of the groups, and not of the rows.
    """
    own = select.args.get("with_")
    common = [*visible_from(select), *(own.expressions if own else [])]
    parts = [f"select {', '.join(projections)}"]
    if source := select.args.get("from_"):
        parts.append(source.sql(DIALECT))
    parts += [join.sql(DIALECT) for join in select.args.get("joins") or []]
    if grouped and (group := select.args.get("group")):
        parts.append(group.sql(DIALECT))
    return with_common(common, " ".join(parts))


def with_common(common: list[exp.Expr], query: str) -> str:
    """Puts common tables before a query."""
    if not common:
        return query
    return f"with {', '.join(one.sql(DIALECT) for one in common)} {query}"


def _name_rows(tree: exp.Expr, columns: Columns) -> None:
    """Writes a table's name where a value is expected as the struct of its columns."""
    for select in list(tree.find_all(exp.Select)):
        names = {source.alias_or_name for source in _sources(select)}
        for column in list(select.find_all(exp.Column)):
            if column.table or column.name not in names or column.parent_select is not select:
                continue
            if column.name in columns(asked(select, ["*"])):
                continue
            of_it = columns(asked(select, [f"{column.name}.*"]))
            fields = ", ".join(f"'{name}': {column.name}.{name}" for name in of_it)
            column.replace(exp.maybe_parse(f"{{{fields}}}", dialect=DIALECT))


def _sources(select: exp.Select) -> list[exp.Expr]:
    source = select.args.get("from_")
    return [
        *([source.this] if source else []),
        *(join.this for join in select.args.get("joins") or []),
    ]


def _align_unions(tree: exp.Expr, columns: Columns) -> exp.Expr:
    """Writes a union by name as one by place."""
    while True:
        # (The innermost comes first, so that both sides of an outer one are by place already.)
        named = [one for one in tree.find_all(exp.SetOperation) if one.args.get("by_name")]
        if not named:
            return tree
        union = named[-1]
        common = visible_from(union)
        ask = [
            columns(with_common(common, side.sql(DIALECT)))
            for side in (union.this, union.expression)
        ]
        every = list(dict.fromkeys([*ask[0], *ask[1]]))
        sides = []
        for name, side, own in zip(("l", "r"), (union.this, union.expression), ask, strict=True):
            listed = [f"{name}.{one}" if one in own else f"null as {one}" for one in every]
            sides.append(exp.select(*listed, dialect=DIALECT).from_(side.copy().subquery(name)))
        distinct = bool(union.args.get("distinct"))
        aligned = exp.union(sides[0], sides[1], distinct=distinct, dialect=DIALECT)
        if having := union.args.get("with_"):
            aligned.set("with_", having)
        if union is tree:
            return aligned
        union.replace(aligned)
