"""What tables and functions are called on Spark.

Belongs here: names. Does not belong here: showing the tables (``warehouse.py``).
"""

from etl.engine.statements import TableName

PREFIX = "doisoat_"
"""The prefix of the names of functions that DuckDB computes."""


def view_of(table: TableName) -> str:
    """Returns the name of the temporary view that shows a table: it needs no catalogue."""
    return f"{table.schema}__{table.table}"
