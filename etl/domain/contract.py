"""The contracts: what a source must offer and what the target receives.

Belongs here: column names, which are required, and the target's tables as SQLAlchemy metadata,
with comments that travel into the target. Does not belong here: how a register is read
(``etl/extract``) or written (``etl/publish``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    NVARCHAR,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.ext.compiler import compiles


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column that a source offers.

    Attributes:
        name: The contract's name.
        required: Whether a register without it cannot be read.
        meaning: What it holds, for error messages and documentation.
        vocabulary: Which words it holds, where they are few: a key of ``codes.VOCABULARIES``.
    """

    name: str
    required: bool
    meaning: str
    vocabulary: str = ""


INSURANCE: tuple[SourceColumn, ...] = (
    SourceColumn("record_id", True, "primary key of the insurance record"),
    SourceColumn("insurance_number", False, "10 digits, or since 1/8/2025 the personal number"),
    SourceColumn("full_name", True, "full name as recorded"),
    SourceColumn("date_of_birth", True, "birth date as recorded"),
    SourceColumn("gender", False, "sex as recorded", "sex"),
    SourceColumn("id_number", False, "CMND (9) or CCCD (12) as typed"),
    SourceColumn("health_card_number", False, "15-character card or 10 digits"),
    SourceColumn("compulsory_si", False, "flag: compulsory social insurance", "flag"),
    SourceColumn("voluntary_si", False, "flag: voluntary social insurance", "flag"),
    SourceColumn("unemployment_insurance", False, "flag: unemployment insurance", "flag"),
    SourceColumn("health_insurance", False, "flag: health insurance", "flag"),
    SourceColumn("status", False, "active, ended, ...", "insurance_status"),
    SourceColumn("employer_code", False, "code of the paying unit"),
    SourceColumn(
        "province_code", False, "code or name of the province, of 2025 or before", "province"
    ),
    SourceColumn("commune", False, "commune of residence, as the register names it"),
    SourceColumn("office", False, "grassroots office that keeps the record, as it is named"),
    SourceColumn("address", False, "address as recorded"),
    SourceColumn("updated_at", False, "time of the last change"),
)

POPULATION: tuple[SourceColumn, ...] = (
    SourceColumn("personal_id", True, "12-digit personal number"),
    SourceColumn("full_name", True, "full name"),
    SourceColumn("date_of_birth", True, "birth date as recorded"),
    SourceColumn("gender", False, "sex as recorded", "sex"),
    SourceColumn("former_id_numbers", False, "earlier CMND and cancelled numbers, ';' between"),
    SourceColumn("status", False, "alive, deceased, ...", "population_status"),
    SourceColumn("date_of_death", False, "date of death"),
    SourceColumn(
        "province_code", False, "code or name of the province, of 2025 or before", "province"
    ),
    SourceColumn("commune", False, "commune of residence, as the register names it"),
    SourceColumn("address", False, "place of residence"),
    SourceColumn("updated_at", False, "time of the last change"),
)

REGISTERS: dict[str, tuple[SourceColumn, ...]] = {
    "insurance": INSURANCE,
    "population": POPULATION,
}

PERSONAL_DATA: frozenset[str] = frozenset(
    {
        "record_id",
        "personal_id",
        "full_name",
        "date_of_birth",
        "date_of_death",
        "id_number",
        "insurance_number",
        "health_card_number",
        "former_id_numbers",
        "address",
        "insurance_value",
        "population_value",
        "recorded_value",
        "proposed_value",
        "evidence",
        "raw_value",
    }
)
"""Columns whose values may not reach a log, a message, metadata or test output."""

KEY_LENGTH = 191
"""Characters of a key in the target: 191 of utf8mb4 fit MySQL's smallest index limit."""


class _Key(String):
    """A key, compared letter by letter: 'r1' and 'R1' are different records.

    MySQL and SQL Server would by default take keys for equal that differ by case, by accents or
    by a space at the end.
    """


@compiles(_Key, "mysql", "mariadb")
def _mysql_key(kind: _Key, compiler: Any, **_: Any) -> str:
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    return f"VARCHAR({kind.length}) CHARACTER SET utf8mb4 COLLATE {collation}"


@compiles(_Key, "mssql")
def _mssql_key(kind: _Key, compiler: Any, **_: Any) -> str:  # noqa: ARG001 - the hook's shape
    return f"NVARCHAR({kind.length}) COLLATE Latin1_General_100_BIN2"


# Lengths are bounded only where the column is a key or an index: MySQL and SQL Server cannot
# index unbounded text. Their own unbounded text is too short (64 KB), or knows no Vietnamese.
_KEY = _Key(KEY_LENGTH)
_CODE = String(32)
_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb").with_variant(NVARCHAR(), "mssql")


def target_metadata(schema: str | None) -> MetaData:
    """Returns the tables of the target.

    Args:
        schema: The schema they live in, or None where the database has no schemas.
    """
    metadata = MetaData(schema=schema)
    Table(
        "reconciled",
        metadata,
        Column("record_id", _KEY, primary_key=True, comment="key of the insurance record"),
        Column("insurance_number", _TEXT, comment="10 digits, or the personal number"),
        Column("personal_id", String(12), comment="the linked citizen, or null"),
        Column("status", _CODE, nullable=False, comment="VERIFIED, MISMATCH, REVIEW, ..."),
        Column("match_step", _CODE, comment="the step of the waterfall that linked it"),
        Column("match_probability", Double, comment="of a probabilistic link, else null"),
        Column("name_agreement", _CODE, comment="how the names agree, of linked records"),
        Column("birth_agreement", _CODE, comment="how the birth dates agree"),
        Column("gender_agreement", _CODE, comment="how the sexes agree"),
        # Not NOT NULL: to Oracle the empty text, which is most records', is null.
        Column("mismatch_codes", _TEXT, comment="sorted, ';' between"),
        Column("province_code", _CODE, comment="code of 2025, of the insurance record"),
        Column("employer_code", _TEXT),
        Column("commune", _TEXT, comment="as the insurance register names it"),
        Column("office", _TEXT, comment="the office that keeps the record, as it is named"),
        Column("compulsory_si", Boolean, nullable=False),
        Column("voluntary_si", Boolean, nullable=False),
        Column("unemployment_insurance", Boolean, nullable=False),
        Column("health_insurance", Boolean, nullable=False),
        Column("first_seen_run", _CODE, nullable=False, comment="run that first published it"),
        Column("last_changed_run", _CODE, nullable=False, comment="run that last changed it"),
        Column("row_hash", String(32), nullable=False, comment="of all columns but the runs"),
        Index("ix_reconciled_personal_id", "personal_id"),
        Index("ix_reconciled_status", "status", "province_code"),
        comment="One row per insurance record, all of them: what the reconciliation says of it",
    )
    _row_table(
        metadata,
        "mismatches",
        [
            Column("record_id", _KEY, primary_key=True),
            Column("code", _CODE, primary_key=True),
            Column("field", _CODE, nullable=False),
            Column("insurance_value", _TEXT, comment="as the insurance register has it"),
            Column("population_value", _TEXT, comment="as the population register has it"),
            Column("severity", _CODE, nullable=False),
            Column("owner", _CODE, nullable=False, comment="who can put it right"),
            Column("portal_code", _CODE, comment="nearest code of the insurer's card portal"),
            Column("remedy", _CODE, comment="reason of the correction that answers it, or none"),
            Column("province_code", _CODE, comment="code of 2025, of the insurance record"),
            Column("commune", _TEXT, comment="as the insurance register names it"),
            Column("office", _TEXT, comment="the office that keeps the record, as it is named"),
            Column("since_run", _CODE, nullable=False, comment="run that first found it"),
            Column("since_at", DateTime, comment="when that run began (UTC): its age"),
        ],
        comment="One row per record and mismatch code",
    )
    _row_table(
        metadata,
        "candidates",
        [
            Column("record_id", _KEY, primary_key=True),
            Column("candidate_rank", Integer, primary_key=True, autoincrement=False),
            Column("personal_id", String(12), nullable=False),
            Column("match_step", _CODE, nullable=False),
            Column("reason", _CODE, nullable=False, comment="why a person must decide"),
            Column("name_agreement", _CODE),
            Column("birth_agreement", _CODE),
            Column("gender_agreement", _CODE),
            Column("match_probability", Double),
            Column("full_name", _TEXT, comment="this and what follows: as in the citizen register"),
            Column("date_of_birth", _TEXT),
            Column("gender", _TEXT),
            Column("status", _TEXT),
            Column("province_code", _TEXT),
            Column("address", _TEXT),
        ],
        comment="The citizens a steward chooses from, for records in REVIEW",
    )
    _row_table(
        metadata,
        "corrections",
        [
            Column("record_id", _KEY, primary_key=True),
            Column("field", _CODE, primary_key=True),
            Column("code", _CODE, nullable=False, comment="the mismatch it would settle"),
            Column("recorded_value", _TEXT),
            Column("proposed_value", _TEXT, comment="what to write; null: a person must look"),
            Column("authority", _CODE, nullable=False, comment="whose value is proposed"),
            Column("reason", _CODE, nullable=False, comment="why; labels in etl/domain/codes.py"),
            Column("evidence", _TEXT, comment="what it rests on, such as the date of death"),
        ],
        comment="What to write where, proposed; never written to a source by doisoat",
    )
    _row_table(
        metadata,
        "rejects",
        [
            Column("register", _CODE, primary_key=True),
            Column(
                "row_key", String(64), primary_key=True, comment="content, and which copy of it"
            ),
            Column("record_id", _TEXT),
            Column("reason", _CODE, nullable=False),
            Column("column_name", _TEXT),
            Column("raw_value", _TEXT),
            Column("reason_vi", _TEXT),
            Column("reason_en", _TEXT),
        ],
        comment="Every source row that could not be used, and why",
    )
    _row_table(
        metadata,
        "codes",
        [
            Column("code", _CODE, primary_key=True),
            Column("kind", _CODE, primary_key=True, comment="mismatch, status, remedy, ..."),
            Column("vi", _TEXT, comment="label in Vietnamese"),
            Column("en", _TEXT, comment="label in English"),
            Column("severity", _CODE, comment="of mismatch codes"),
            Column("owner", _CODE, comment="of mismatch codes: who can put it right"),
        ],
        comment="What every code of these tables says, in both languages",
    )
    Table(
        "mismatch_counts",
        metadata,
        Column("run_id", _CODE, primary_key=True),
        Column("code", _CODE, primary_key=True),
        Column("scheme", _CODE, primary_key=True, comment="a scheme, or 'all'"),
        Column("province_code", _CODE, primary_key=True, comment="a province, or 'all'"),
        Column("mismatches", BigInteger, nullable=False, comment="records with this code"),
        Column("records", BigInteger, nullable=False, comment="records of the same group"),
        comment="Per run: records with each code, by scheme and province, with totals",
    )
    Table(
        "waterfall",
        metadata,
        Column("run_id", _CODE, primary_key=True),
        Column("step_order", Integer, primary_key=True, autoincrement=False),
        Column("match_step", _CODE, nullable=False),
        Column("province_code", _CODE, primary_key=True, comment="a province, or 'all'"),
        Column("came_in", BigInteger, nullable=False),
        Column("linked", BigInteger, nullable=False),
        Column("to_review", BigInteger, nullable=False),
        Column("went_on", BigInteger, nullable=False),
        comment="Per run: how many records came into each step and how many it settled",
    )
    Table(
        "coverage",
        metadata,
        Column("run_id", _CODE, primary_key=True),
        Column("scheme", _CODE, primary_key=True),
        Column("province_code", _CODE, primary_key=True),
        Column("records", BigInteger, nullable=False),
        Column("verified", BigInteger, nullable=False),
        Column("mismatch", BigInteger, nullable=False),
        Column("review", BigInteger, nullable=False),
        Column("not_found", BigInteger, nullable=False),
        Column("rejected", BigInteger, nullable=False),
        Column("citizens_covered", BigInteger, nullable=False, comment="distinct, living"),
        Column("citizens", BigInteger, nullable=False, comment="living residents"),
        comment="Per run: statuses and covered citizens, by scheme and province",
    )
    Table(
        "employer_signals",
        metadata,
        Column("run_id", _CODE, primary_key=True),
        Column("employer_code", _KEY, primary_key=True),
        Column("records", BigInteger, nullable=False),
        Column("not_found", BigInteger, nullable=False),
        Column("deceased_active", BigInteger, nullable=False),
        Column("other_person", BigInteger, nullable=False),
        Column("shared_numbers", BigInteger, nullable=False),
        Column("suspect_share", Double, nullable=False, comment="0 to 1"),
        comment="Per run: inspection leads, employers with more doubtful participants than usual",
    )
    Table(
        "installation",
        metadata,
        Column("installation_id", _CODE, primary_key=True, comment="a pseudonym of its secret"),
        Column("since_at", DateTime, nullable=False, comment="UTC"),
        comment="Which installation of doisoat publishes here: one row",
    )
    Table(
        "sync_runs",
        metadata,
        Column("run_id", _CODE, primary_key=True),
        Column("dagster_run_id", String(64)),
        Column("mode", _CODE, nullable=False),
        Column("started_at", DateTime, nullable=False),
        Column("published_at", DateTime, nullable=False),
        Column("insurance_rows", BigInteger, nullable=False),
        Column("population_rows", BigInteger, nullable=False),
        Column("rejected_rows", BigInteger, nullable=False),
        Column("verified", BigInteger, nullable=False),
        Column("mismatch", BigInteger, nullable=False),
        Column("review", BigInteger, nullable=False),
        Column("not_found", BigInteger, nullable=False),
        Column("rejected", BigInteger, nullable=False),
        Column("rows_inserted", BigInteger, nullable=False),
        Column("rows_updated", BigInteger, nullable=False),
        Column("rows_deleted", BigInteger, nullable=False),
        comment="One row per published run",
    )
    Table(
        "quality_results",
        metadata,
        Column("run_id", _CODE, primary_key=True),
        Column("check_name", _KEY, primary_key=True),
        Column("table_name", _KEY, primary_key=True),
        Column("severity", _CODE, nullable=False),
        Column("passed", Boolean, nullable=False),
        Column("checked_rows", BigInteger),
        Column("failed_rows", BigInteger),
        comment="Per run: every quality rule and how it went",
    )
    for table in metadata.tables.values():
        # A database made long ago gives its tables letters without half of Vietnamese.
        table.dialect_kwargs.update(mysql_charset="utf8mb4", mariadb_charset="utf8mb4")
    return metadata


def _row_table(metadata: MetaData, name: str, columns: list[Column[object]], comment: str) -> Table:
    """A table that is published by difference: its rows carry their hash."""
    row_hash: Column[str] = Column("row_hash", String(32), nullable=False)
    return Table(name, metadata, *columns, row_hash, comment=comment)


DIFFERENCE_TABLES = ("reconciled", "mismatches", "candidates", "corrections", "rejects", "codes")
"""Published by difference: rows that are new, changed or gone."""

HISTORY_TABLES = (
    "mismatch_counts",
    "waterfall",
    "coverage",
    "employer_signals",
    "sync_runs",
    "quality_results",
)
"""Published by run: each run adds its rows."""
