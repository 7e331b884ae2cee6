"""The two registers: as external assets, and as they are read into ``raw``.

Belongs here: extraction as Dagster sees it. Does not belong here: reading (``etl/extract``).
"""

from collections.abc import Callable
from typing import Any

import dagster as dg

from assets.instance import WAREHOUSE_POOL
from assets.metadata import GROUPS, OWNER, table_metadata
from assets.resources import DoisoatResource
from etl.domain.contract import REGISTERS
from etl.engine.statements import TableName
from etl.extract import Extraction
from etl.pipeline import runner

_HELD_BY = {
    "insurance": "The national insurance register (CSDL quốc gia về bảo hiểm), read-only.",
    "population": "The national population register (CSDL quốc gia về dân cư), read-only.",
}

# A busy or restarting server is worth another try; a wrong mapping is not (see Doisoat.step).
_RETRY = dg.RetryPolicy(
    max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


def source_specs(kinds: dict[str, str]) -> list[dg.AssetSpec]:
    """Returns the registers as external assets.

    Args:
        kinds: The database product of each register, for its icon.
    """
    return [
        dg.AssetSpec(
            ["source", register],
            group_name=GROUPS["source"],
            description=description,
            owners=[OWNER],
            kinds={kinds.get(register, "table")},
            metadata={
                "dagster/column_schema": dg.TableSchema(
                    [
                        dg.TableColumn(
                            column.name,
                            "text",
                            description=column.meaning,
                            constraints=dg.TableColumnConstraints(nullable=not column.required),
                        )
                        for column in REGISTERS[register]
                    ]
                )
            },
        )
        for register, description in _HELD_BY.items()
    ]


def _raw_asset(register: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", register],
        deps=[["source", register]],
        group_name=GROUPS["raw"],
        description=f"The {register} register as recorded, every column as text, with the run "
        "that read it. Read in one snapshot; the rows received are checked against its count.",
        owners=[OWNER],
        kinds={"duckdb", "python"},
        pool=WAREHOUSE_POOL,
        retry_policy=_RETRY,
    )
    def read(context: dg.AssetExecutionContext, doisoat: DoisoatResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with doisoat.step(context) as warehouse:
            extraction = runner.read(warehouse, register, doisoat.settings, _progress(context))
            table = TableName("raw", register)
            source = TableName("source", register)
            lineage = {column.name: [(source, column.name)] for column in REGISTERS[register]}
            metadata = table_metadata(warehouse, table, lineage) | _how_read(extraction)
        return dg.MaterializeResult(metadata=metadata)

    return read


def _how_read(extraction: Extraction) -> dict[str, Any]:
    """What a run's page says of a read: how rows were transferred, and what a delta found."""
    told: dict[str, Any] = {"read_by": extraction.way}
    if changes := extraction.changes:
        told |= {
            "keys new": changes.inserted,
            "keys changed": changes.updated,
            "keys gone": changes.deleted,
            "keys touched only": changes.touched,
        }
    elif changes is not None:
        told["changes"] = "none since the last run"
    if extraction.whole_because:
        told["read whole because"] = extraction.whole_because
    return told


_REPORT_EVERY = 5_000_000


def _progress(context: dg.AssetExecutionContext) -> Callable[[int, int], None]:
    """Logs how far a long read is, every few million rows."""
    reported = 0

    def report(read: int, expected: int) -> None:
        nonlocal reported
        if read - reported >= _REPORT_EVERY:
            reported = read
            context.log.info(f"read {read:,} of {expected:,} rows")

    return report


def raw_assets() -> list[dg.AssetsDefinition]:
    """Returns the assets that read the registers."""
    return [_raw_asset(register) for register in REGISTERS]
