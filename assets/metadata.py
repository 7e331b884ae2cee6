"""What the UI shows of a table: rows, columns, types, descriptions and column lineage.

Belongs here: metadata built from the warehouse and the SQL. Does not belong here: any value of a
row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import dagster as dg

from etl.domain.contract import REGISTERS, target_metadata
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.graph import pipeline

GROUPS = {
    "source": "1_source",
    "raw": "2_raw",
    "clean": "3_clean",
    "publish": "8_publish",
    "ops": "8_publish",
    "target": "9_target",
}
"""The group of each schema but ``core``. Groups sort by name in the UI; the numbers keep them in
the order of the flow."""

_STAGES = (
    ("4_numbers", ("core.residue",)),
    ("5_names", ("core.step_probabilistic",)),
    ("6_links", ("core.links", "core.candidates")),
)
"""The stages of the waterfall, with the tables at which each ends. All tables of ``core`` on which
these depend belong to the stage, unless to an earlier one; all others are the verdicts."""
_LAST_STAGE = "7_verdicts"

OWNER = "team:data-engineering"

Lineage = Mapping[str, Sequence[tuple[TableName, str]]]
"""Of each column, the columns it is made from."""


def group_of(table: TableName) -> str:
    """Returns the group of a table, as the UI folds the lineage.

    Args:
        table: A table of the warehouse.
    """
    return GROUPS.get(table.schema) or _stages().get(table, _LAST_STAGE)


@cache
def _stages() -> dict[TableName, str]:
    found: dict[TableName, str] = {}
    for group, ends in _STAGES:
        for end in map(TableName.parse, ends):
            for table in (end, *pipeline().upstream(end)):
                if table.schema == "core":
                    found.setdefault(table, group)
    return found


def key_of(table: TableName) -> dg.AssetKey:
    """Returns the asset key of a table: ``schema/table``."""
    return dg.AssetKey([table.schema, table.table])


_EVERYWHERE = {
    "record_id": "key of the insurance record",
    "record_key": "keyed pseudonym of the record, for logs and checks",
    "personal_id": "12-digit personal number of the citizen",
    "insurance_number": "10 digits, or the personal number",
    "id_number": "identity number, digits only",
    "id_kind": "personal (12 digits) or cmnd (9)",
    "former_number": "an earlier CMND or a cancelled number",
    "gender": "M or F, or null",
    "birth_date": "full birth date, or null",
    "birth_year": "year of birth",
    "birth_month": "month of birth, where known",
    "birth_day": "day of birth, where known",
    "birth_precision": "how much of the date is known",
    "birth_notes": "what reading the date took",
    "recorded_name": "name as the register has it",
    "name_key": "name as it is compared",
    "name_notes": "what reading the name took",
    "raw": "string as the register has it",
    "reject": "why it could not be understood, else empty",
    "register": "insurance or population",
    "run_id": "run that wrote the row",
    "read_at": "when the row was read",
    "row_number": "where the row stands in the register as it was read, from 0",
    "record": "the record's row in raw.insurance, by which tables are joined",
    "citizen": "the citizen's row in raw.population, the same",
    "verdict": "link, review, or other (somebody else's)",
    "match_step": "step of the waterfall",
    "match_probability": "of a probabilistic link, else null",
    "name_agreement": "how the names agree",
    "birth_agreement": "how the birth dates agree",
    "gender_agreement": "how the sexes agree",
    "place_agrees": "whether the provinces agree",
    "chance_agreements": "strangers expected to agree as well as this",
    "candidate_rank": "best candidate first, from 1",
    "code": "mismatch code",
    "mismatch_codes": "sorted, ';' between",
    "severity": "error, warning or info",
    "owner": "who can put it right",
    "field": "column it is about",
    "proposed_value": "what to write",
    "recorded_value": "what stands there now",
    "reason": "why, as a code",
    "evidence": "what a proposal rests on",
    "kept_record_id": "the record to keep of one citizen's several",
    "kept_number": "the insurance number to keep",
    "province_code": "2-digit code of 2025",
    "employer_code": "code of the paying unit",
    "scheme": "a scheme, or 'all'",
    "compulsory_si": "in compulsory social insurance",
    "voluntary_si": "in voluntary social insurance",
    "unemployment_insurance": "in unemployment insurance",
    "health_insurance": "in health insurance",
    "step_order": "place in the waterfall, from 1",
    "came_in": "records that reached the step",
    "linked": "records it linked",
    "to_review": "records it left to a person",
    "went_on": "records it passed on",
    "is_outdone": "somebody else has exactly the recorded name and birth date",
    "is_alone": "only the given name differs, and no other record may be the citizen's",
}
"""Columns that mean the same in every table of the warehouse."""


def descriptions(table: TableName) -> dict[str, str]:
    """Returns descriptions of a table's columns; those of its own contract come first.

    Args:
        table: A table of the warehouse.
    """
    if table.schema == "raw" and table.table in REGISTERS:
        columns = {column.name: column.meaning for column in REGISTERS[table.table]}
    elif table.schema in ("core", "publish"):
        columns = _targets().get(table.table, {})
    else:
        columns = {}
    return _EVERYWHERE | columns


@cache
def _targets() -> dict[str, dict[str, str]]:
    return {
        table.name: {column.name: column.comment for column in table.columns if column.comment}
        for table in target_metadata(None).sorted_tables
    }


def table_metadata(
    warehouse: Warehouse, table: TableName, lineage: Lineage | None = None
) -> dict[str, dg.MetadataValue]:
    """Describes a table as it now is.

    Args:
        warehouse: The open warehouse.
        table: The table.
        lineage: Where each of its columns comes from. The open-source UI draws no graph of it, so
            it is also written beside the column.
    """
    found: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(warehouse.count(table)),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            _schema(table, warehouse.columns(table), lineage or {})
        ),
        "dagster/table_name": dg.MetadataValue.text(table.sql),
    }
    if lineage is not None:
        found["dagster/column_lineage"] = dg.MetadataValue.column_lineage(
            dg.TableColumnLineage(
                {
                    column: [dg.TableColumnDep(key_of(origin), name) for origin, name in origins]
                    for column, origins in lineage.items()
                }
            )
        )
    return found


def _schema(
    table: TableName, columns: Iterable[tuple[str, str]], lineage: Lineage
) -> dg.TableSchema:
    described = descriptions(table)

    def words(column: str) -> str | None:
        origins = ", ".join(f"{origin.sql}.{name}" for origin, name in lineage.get(column, ()))
        said = (described.get(column), f"from {origins}" if origins else None)
        return "; ".join(part for part in said if part) or None

    return dg.TableSchema(
        [dg.TableColumn(name, kind.lower(), description=words(name)) for name, kind in columns]
    )
