"""Column lineage, read from the SQL: which columns a column is made of.

Belongs here: the walk over a parsed statement. Does not belong here: showing it (``assets/``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from etl.engine.statements import DIALECT, Statement, TableName

Columns = dict[str, list[tuple[TableName, str]]]
"""Column -> the columns it is made of, each with its table."""


def column_lineage(
    statement: Statement, columns_of: Callable[[TableName], list[tuple[str, str]]]
) -> Columns:
    """Works out the column lineage of a statement.

    Args:
        statement: The statement.
        columns_of: Name and type of each column of a table that it reads.

    Returns:
        For every column of the result, the source columns; an empty list for a constant. Empty
        where the statement is beyond the parser.
    """
    read = (*statement.depends_on, TableName("ops", "parameters"))
    return _worked_out(statement.query, tuple((table, tuple(columns_of(table))) for table in read))


@cache
def _worked_out(
    query: str, read: tuple[tuple[TableName, tuple[tuple[str, str], ...]], ...]
) -> Columns:
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table, columns in read:
        if columns:
            schema.setdefault(table.schema, {})[table.table] = dict(columns)
    try:
        nodes = lineage(None, query, schema, dialect=DIALECT, trim_selects=False)
    except (SqlglotError, ValueError):
        return {}
    assert isinstance(nodes, dict)  # noqa: S101 - so it is when no column is named
    return {name: _leaves(node) for name, node in nodes.items()}


def _leaves(root: Node) -> list[tuple[TableName, str]]:
    """The columns at the ends of one column's lineage, each once, in order.

    Nodes are shared between paths, so each is visited once.
    """
    found: set[tuple[TableName, str]] = set()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.downstream
        source = node.expression
        if isinstance(source, exp.Table) and source.db:
            table = TableName(source.db, source.name)
            if table.schema != "ref" and table.sql != "ops.parameters":
                found.add((table, node.name.rsplit(".", 1)[-1].strip('"')))
    return sorted(found, key=lambda leaf: (leaf[0].sql, leaf[1]))
