"""The tables of the warehouse: one asset per dictionary and per SQL file.

Belongs here: turning statements into assets, with the dependencies that the SQL itself names. Does
not belong here: a list of tables; a new ``.sql`` file is a new asset.
"""

import dagster as dg

from assets.instance import WAREHOUSE_POOL
from assets.metadata import GROUPS, OWNER, group_of, key_of, table_metadata
from assets.resources import DoisoatResource
from etl.engine.lineage import column_lineage
from etl.engine.statements import Kind, Statement
from etl.pipeline.graph import Table, pipeline
from etl.pipeline.places import PLACES
from etl.pipeline.runner import build
from etl.pipeline.scope import scope_of


def _dictionary_asset(table: Table) -> dg.AssetsDefinition:
    name = table.name

    @dg.asset(
        key=key_of(name),
        deps=[key_of(register) for register in sorted(table.inputs)],
        group_name=GROUPS["clean"],
        description=f"Dictionary of {name.table}: each distinct string of the registers, "
        "understood once by etl.normalise. Later runs only extend it; a new version of the "
        "normaliser begins it anew.",
        owners=[OWNER],
        kinds={"duckdb", "python"},
        metadata={"kind": table.kind.value},
        pool=WAREHOUSE_POOL,
    )
    def understand(
        context: dg.AssetExecutionContext, doisoat: DoisoatResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            added = build(warehouse, name)
            metadata = table_metadata(warehouse, name)
        return dg.MaterializeResult(
            metadata=metadata | {"new_strings": dg.MetadataValue.int(added)}
        )

    return understand


def _statement_asset(table: Table, statement: Statement) -> dg.AssetsDefinition:
    name = table.name

    @dg.asset(
        key=key_of(name),
        deps=[key_of(read) for read in sorted(table.inputs)],
        group_name=group_of(name),
        description=statement.description,
        owners=[OWNER],
        kinds={"duckdb", "sql"},
        metadata={"kind": table.kind.value},
        pool=WAREHOUSE_POOL,
    )
    def make(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            build(warehouse, name)
            lineage = column_lineage(statement, warehouse.columns)
            metadata = table_metadata(warehouse, name, lineage)
            if (scope := scope_of(warehouse)) and (reason := scope.why_whole(name)):
                metadata |= {"built whole because": dg.MetadataValue.text(reason)}
        return dg.MaterializeResult(metadata=metadata)

    return make


def _places_asset(table: Table) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(table.name),
        deps=[key_of(read) for read in sorted(table.inputs)],
        group_name=group_of(table.name),
        description="In which row of which table each record and citizen stands, by the hash of "
        "their keys: doisoat explain finds one of millions without reading the others.",
        owners=[OWNER],
        kinds={"duckdb", "python"},
        metadata={"kind": table.kind.value},
        pool=WAREHOUSE_POOL,
    )
    def places(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            build(warehouse, table.name)
            metadata = table_metadata(warehouse, table.name)
        return dg.MaterializeResult(metadata=metadata)

    return places


def _asset_of(table: Table) -> dg.AssetsDefinition:
    if table.statement is not None:
        return _statement_asset(table, table.statement)
    return _places_asset(table) if table.name == PLACES else _dictionary_asset(table)


def table_assets() -> list[dg.AssetsDefinition]:
    """Returns the assets of every dictionary and every statement, in the order of the pipeline."""
    return [_asset_of(table) for table in pipeline().values() if table.kind is not Kind.REGISTER]
