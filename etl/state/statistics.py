"""Versions of the statistics: which counts over the whole registers a run decided by.

Belongs here: a version for each content of each table of kind ``statistic``, which shows whether
two runs decided by the same counts. Does not belong here: the counts (``.sql`` files).
"""

from __future__ import annotations

from etl.engine.port import Warehouse
from etl.engine.statements import TableName

STATISTICS = TableName("ops", "statistics")


def remember_statistic(warehouse: Warehouse, table: TableName) -> None:
    """Notes a table of kind ``statistic`` after it was built, if its content has changed.

    A warehouse without tables of the state, such as a benchmark's, notes nothing.
    """
    if not warehouse.exists(STATISTICS):
        return
    warehouse.execute(
        "delete from ops.statistics where table_name = $table "
        "and run_id = (select run_id from ops.parameters)",
        {"table": table.sql},
    )
    warehouse.execute(
        f"""
        insert into ops.statistics by name
        with content as (
            select
                count(*) as rows_counted,
                md5(coalesce(sum(hash(counted)::hugeint), 0)::varchar || count(*)) as version
            from {table.sql} as counted
        ),
        last as (
            select arg_max(version, counted_at) as version
            from ops.statistics
            where table_name = $table
        )
        select
            $table as table_name,
            content.version,
            content.rows_counted,
            parameters.run_id,
            current_timestamp::timestamp as counted_at
        from content
        cross join last
        cross join ops.parameters as parameters
        where content.version is distinct from last.version
        """,  # noqa: S608 - a name of our own
        {"table": table.sql},
    )
