"""What the UI shows of a table: rows, columns, types, descriptions and column lineage.

Belongs here: metadata built from the warehouse and the SQL. Does not belong here: any value of a
row.
"""

from __future__ import annotations

import dagster as dg

from etl.warehouse.engine import Warehouse
from etl.warehouse.lineage import column_lineage
from etl.warehouse.statements import Statement, TableName

GROUPS = {
    "source": "1_source",
    "raw": "2_raw",
    "clean": "3_clean",
    "core": "4_core",
    "publish": "5_publish",
    "ops": "6_ops",
    "target": "7_target",
}
"""Groups sort by name in the UI; the numbers keep them in the order of the flow."""

OWNER = "team:data-engineering"


def key_of(table: TableName) -> dg.AssetKey:
    """Returns the asset key of a table: ``schema/table``."""
    return dg.AssetKey([table.schema, table.table])


def table_metadata(
    warehouse: Warehouse, table: TableName, statement: Statement | None = None
) -> dict[str, dg.MetadataValue]:
    """Describes a table as it now is.

    Args:
        warehouse: The open warehouse.
        table: The table.
        statement: The statement that made it, for column lineage.
    """
    columns = warehouse.columns(table)
    found: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(warehouse.count(table)),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            dg.TableSchema([dg.TableColumn(name, kind.lower()) for name, kind in columns])
        ),
        "dagster/table_name": dg.MetadataValue.text(table.sql),
    }
    if statement is not None:
        found["dagster/column_lineage"] = dg.MetadataValue.column_lineage(
            _lineage(warehouse, statement)
        )
    return found


def _lineage(warehouse: Warehouse, statement: Statement) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(key_of(table), name) for table, name in sources]
            for column, sources in column_lineage(statement, warehouse.columns).items()
        }
    )
