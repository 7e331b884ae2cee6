"""The tables of the warehouse: one asset per dictionary and per SQL file.

Belongs here: turning statements into assets, with the dependencies that the SQL itself names. Does
not belong here: a list of tables; a new ``.sql`` file is a new asset.
"""

import dagster as dg

from assets.instance import WAREHOUSE_POOL
from assets.metadata import GROUPS, OWNER, group_of, key_of, table_metadata
from assets.resources import DoisoatResource
from etl.clean import dictionaries
from etl.engine.lineage import column_lineage
from etl.engine.statements import Statement, TableName, statements

_HIDDEN_SCHEMAS = frozenset({"ref", "ops"})
"""Read by statements but no assets: reference data, and the memory of decisions."""


def _dictionary_asset(table: str) -> dg.AssetsDefinition:
    registers = dict.fromkeys(
        register
        for dictionary in dictionaries.DICTIONARIES
        if dictionary.table == table
        for register, _ in dictionary.sources
    )

    @dg.asset(
        key=["clean", table],
        deps=[["raw", register] for register in registers],
        group_name=GROUPS["clean"],
        description=f"Dictionary of {table}: each distinct string of the registers, understood "
        "once by etl.normalise. Later runs only extend it; a new version of the normaliser begins "
        "it anew.",
        owners=[OWNER],
        kinds={"duckdb", "python"},
        pool=WAREHOUSE_POOL,
    )
    def understand(
        context: dg.AssetExecutionContext, doisoat: DoisoatResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            added = dictionaries.extend(warehouse, table)
            metadata = table_metadata(warehouse, TableName("clean", table))
        return dg.MaterializeResult(
            metadata=metadata | {"new_strings": dg.MetadataValue.int(added)}
        )

    return understand


def _statement_asset(statement: Statement) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(statement.name),
        deps=[
            key_of(table)
            for table in sorted(statement.depends_on)
            if table.schema not in _HIDDEN_SCHEMAS
        ],
        group_name=group_of(statement.name),
        description=statement.description,
        owners=[OWNER],
        kinds={"duckdb", "sql"},
        pool=WAREHOUSE_POOL,
    )
    def build(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            warehouse.build(statement)
            lineage = column_lineage(statement, warehouse.columns)
            metadata = table_metadata(warehouse, statement.name, lineage)
        return dg.MaterializeResult(metadata=metadata)

    return build


def table_assets() -> list[dg.AssetsDefinition]:
    """Returns the assets of every dictionary and every statement."""
    return [
        *(_dictionary_asset(table) for table in dictionaries.tables()),
        *(_statement_asset(statement) for _, statement in sorted(statements().items())),
    ]
