"""The contracts: which columns a source offers and which tables the target receives.

Belongs here: column names, which are required, and the target's tables as SQLAlchemy metadata,
with comments that are written into the target. Does not belong here: how a register is read
(``etl/extract``) or written (``etl/publish``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
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
)

from etl.domain.columns import CODE, KEY, TEXT, in_every_letter


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column that a source offers.

    Attributes:
        name: The contract's name.
        required: Whether every register must have it.
        meaning: What it holds, for error messages and documentation.
        vocabulary: A key of ``codes.VOCABULARIES``, if the column holds one of a few words.
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

KEYS = {"insurance": "record_id", "population": "personal_id"}
"""The key column of each register."""

CHANGED_AT = "updated_at"
"""The column in which either register says when a row was last changed."""

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


_ROOM_TO_CHANGE: Mapping[str, Any] = MappingProxyType({"postgresql_with": {"fillfactor": 90}})
"""PostgreSQL leaves a tenth of each page free, so that a changed row stays on its page and the
indexes need not learn where it went: 100,000 changes to ten million rows take 2 s and not 5."""


@cache
def target_metadata(schema: str | None) -> MetaData:
    """Returns the tables of the target; each call gives the same objects, so do not change them.

    Args:
        schema: The schema they live in, or None where the database has no schemas.
    """
    metadata = MetaData(schema=schema)
    Table(
        "reconciled",
        metadata,
        Column("record_id", KEY, primary_key=True, comment="key of the insurance record"),
        Column("insurance_number", TEXT, comment="10 digits, or the personal number"),
        Column("personal_id", String(12), comment="the linked citizen, or null"),
        Column(
            "status",
            CODE,
            nullable=False,
            comment="VERIFIED, MISMATCH, REVIEW, NOT_FOUND, REJECTED",
        ),
        Column("match_step", CODE, comment="the step of the waterfall that linked it"),
        Column("match_probability", Double, comment="of a probabilistic link, else null"),
        Column("name_agreement", CODE, comment="how the names agree, of linked records"),
        Column("birth_agreement", CODE, comment="how the birth dates agree"),
        Column("gender_agreement", CODE, comment="how the sexes agree"),
        # Nullable, because most records have the empty text here, which Oracle stores as null.
        Column("mismatch_codes", TEXT, comment="sorted, ';' between"),
        Column("province_code", CODE, comment="code of 2025, of the insurance record"),
        Column(
            "employer_code",
            TEXT,
            comment="code of the paying unit, as the insurance register has it",
        ),
        Column("commune", TEXT, comment="as the insurance register names it"),
        Column("office", TEXT, comment="the office that keeps the record, as it is named"),
        Column(
            "compulsory_si",
            Boolean,
            nullable=False,
            comment="whether in compulsory social insurance",
        ),
        Column(
            "voluntary_si", Boolean, nullable=False, comment="whether in voluntary social insurance"
        ),
        Column(
            "unemployment_insurance",
            Boolean,
            nullable=False,
            comment="whether in unemployment insurance",
        ),
        Column("health_insurance", Boolean, nullable=False, comment="whether in health insurance"),
        Column("first_seen_run", CODE, nullable=False, comment="run that first published it"),
        Column("last_changed_run", CODE, nullable=False, comment="run that last changed it"),
        Column("row_hash", String(32), nullable=False, comment="of all columns but the runs"),
        Index("ix_reconciled_personal_id", "personal_id"),
        Index("ix_reconciled_status", "status", "province_code"),
        **_ROOM_TO_CHANGE,
        comment="One row per insurance record, all of them: what the reconciliation says of it",
    )
    _row_table(
        metadata,
        "mismatches",
        [
            Column("record_id", KEY, primary_key=True, comment="key of the insurance record"),
            Column("code", CODE, primary_key=True, comment="what disagrees: a mismatch code"),
            Column("field", CODE, nullable=False, comment="the column that disagrees"),
            Column("insurance_value", TEXT, comment="as the insurance register has it"),
            Column("population_value", TEXT, comment="as the population register has it"),
            Column("severity", CODE, nullable=False, comment="info, warning, error"),
            Column("owner", CODE, nullable=False, comment="who can put it right"),
            Column("portal_code", CODE, comment="nearest code of the insurer's card portal"),
            Column("remedy", CODE, comment="reason of the correction that answers it, or none"),
            Column("province_code", CODE, comment="code of 2025, of the insurance record"),
            Column("commune", TEXT, comment="as the insurance register names it"),
            Column("office", TEXT, comment="the office that keeps the record, as it is named"),
            Column("since_run", CODE, nullable=False, comment="run that first found it"),
            Column("since_at", DateTime, comment="when that run began (UTC): its age"),
        ],
        comment="One row per record and mismatch code",
    )
    _row_table(
        metadata,
        "candidates",
        [
            Column("record_id", KEY, primary_key=True, comment="key of the insurance record"),
            Column(
                "candidate_rank",
                Integer,
                primary_key=True,
                autoincrement=False,
                comment="1: the likeliest",
            ),
            Column("personal_id", String(12), nullable=False, comment="the citizen"),
            Column(
                "match_step",
                CODE,
                nullable=False,
                comment="the step of the waterfall that found the citizen",
            ),
            Column("reason", CODE, nullable=False, comment="why a person must decide"),
            Column("name_agreement", CODE, comment="how the names agree"),
            Column("birth_agreement", CODE, comment="how the birth dates agree"),
            Column("gender_agreement", CODE, comment="how the sexes agree"),
            Column("match_probability", Double, comment="of the probabilistic step, else null"),
            Column("full_name", TEXT, comment="as the population register has it"),
            Column("date_of_birth", TEXT, comment="as the population register has it"),
            Column("gender", TEXT, comment="as the population register has it"),
            Column("status", TEXT, comment="alive, deceased, other"),
            Column("province_code", TEXT, comment="as the population register has it"),
            Column("address", TEXT, comment="as the population register has it"),
        ],
        comment="The citizens a steward chooses from, for records in REVIEW",
    )
    _row_table(
        metadata,
        "corrections",
        [
            Column("record_id", KEY, primary_key=True, comment="key of the insurance record"),
            Column("field", CODE, primary_key=True, comment="the column to correct"),
            Column("code", CODE, nullable=False, comment="the mismatch it would settle"),
            Column("recorded_value", TEXT, comment="as the insurance register has it"),
            Column("proposed_value", TEXT, comment="what to write; null: a person must look"),
            Column("authority", CODE, nullable=False, comment="whose value is proposed"),
            Column("reason", CODE, nullable=False, comment="why: a code"),
            Column("evidence", TEXT, comment="what it rests on, such as the date of death"),
        ],
        comment="What to write where, proposed; never written to a source by doisoat",
    )
    _row_table(
        metadata,
        "worklist_status",
        [
            Column("record_id", KEY, primary_key=True, comment="key of the insurance record"),
            Column("code", CODE, primary_key=True, comment="a mismatch code, or VERIFIED"),
            Column("worklist_id", CODE, nullable=False, comment="the last that asked for it"),
            Column("shape", CODE, nullable=False, comment="matched, not_matched, corrections"),
            Column("province_code", CODE, comment="this and the office: whom it was sent to"),
            Column("office", TEXT, comment="grassroots office, commune, employer or province"),
            Column("route", CODE, nullable=False, comment="insurance, police, citizen"),
            Column("sent_at", DateTime, nullable=False, comment="UTC; the last time"),
            Column(
                "due_at",
                DateTime,
                nullable=False,
                comment="UTC; until when an answer was asked for",
            ),
            Column("times_sent", BigInteger, nullable=False, comment="how often it was asked"),
            Column("answer", CODE, comment="what was answered; null: nothing yet"),
            Column("answered_at", DateTime, comment="UTC"),
            Column("status", CODE, nullable=False, comment="sent, answered, corrected, open"),
        ],
        comment="What became of each row of the worklists that offices were sent",
    )
    _row_table(
        metadata,
        "rejects",
        [
            Column("register", CODE, primary_key=True, comment="insurance or population"),
            Column(
                "row_key", String(64), primary_key=True, comment="content, and which copy of it"
            ),
            Column("record_id", TEXT, comment="key of the row in its register, if it has one"),
            Column("reason", CODE, nullable=False, comment="why: a code"),
            Column("column_name", TEXT, comment="the column that could not be used"),
            Column("raw_value", TEXT, comment="as the register has it"),
            Column("reason_vi", TEXT, comment="the reason in Vietnamese"),
            Column("reason_en", TEXT, comment="the reason in English"),
        ],
        comment="Every source row that could not be used, and why",
    )
    _row_table(
        metadata,
        "codes",
        [
            Column("code", CODE, primary_key=True, comment="the code"),
            Column("kind", CODE, primary_key=True, comment="mismatch, status, remedy, ..."),
            Column("vi", TEXT, comment="label in Vietnamese"),
            Column("en", TEXT, comment="label in English"),
            Column("severity", CODE, comment="of mismatch codes"),
            Column("owner", CODE, comment="of mismatch codes: who can put it right"),
        ],
        comment="What every code of these tables says, in both languages",
    )
    Table(
        "mismatch_counts",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column("code", CODE, primary_key=True, comment="a mismatch code"),
        Column("scheme", CODE, primary_key=True, comment="a scheme, or 'all'"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        Column("mismatches", BigInteger, nullable=False, comment="records with this code"),
        Column("records", BigInteger, nullable=False, comment="records of the same group"),
        comment="Per run: records with each code, by scheme and province, with totals",
    )
    Table(
        "waterfall",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column(
            "step_order",
            Integer,
            primary_key=True,
            autoincrement=False,
            comment="1: the first step",
        ),
        Column("match_step", CODE, nullable=False, comment="the step"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        Column("came_in", BigInteger, nullable=False, comment="records that came into the step"),
        Column("linked", BigInteger, nullable=False, comment="records that it linked"),
        Column("to_review", BigInteger, nullable=False, comment="records that it left to a person"),
        Column(
            "went_on", BigInteger, nullable=False, comment="records that went on to the next step"
        ),
        comment="Per run: how many records came into each step and how many it settled",
    )
    Table(
        "coverage",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column("scheme", CODE, primary_key=True, comment="a scheme, or 'all'"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        Column("records", BigInteger, nullable=False, comment="insurance records"),
        Column("verified", BigInteger, nullable=False, comment="records of this status"),
        Column("mismatch", BigInteger, nullable=False, comment="records of this status"),
        Column("review", BigInteger, nullable=False, comment="records of this status"),
        Column("not_found", BigInteger, nullable=False, comment="records of this status"),
        Column("rejected", BigInteger, nullable=False, comment="records of this status"),
        Column(
            "citizens_covered",
            BigInteger,
            nullable=False,
            comment="distinct living citizens with such a record",
        ),
        Column("citizens", BigInteger, nullable=False, comment="living citizens who reside there"),
        comment="Per run: statuses and covered citizens, by scheme and province",
    )
    Table(
        "employer_signals",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column("employer_code", KEY, primary_key=True, comment="code of the paying unit"),
        Column("records", BigInteger, nullable=False, comment="insurance records of this employer"),
        Column("not_found", BigInteger, nullable=False, comment="of them NOT_FOUND"),
        Column(
            "deceased_active",
            BigInteger,
            nullable=False,
            comment="of them with the code DECEASED_ACTIVE",
        ),
        Column(
            "other_person",
            BigInteger,
            nullable=False,
            comment="of them with the code ID_OTHER_PERSON",
        ),
        Column(
            "shared_numbers", BigInteger, nullable=False, comment="of them with the code ID_SHARED"
        ),
        Column(
            "suspect_share",
            Double,
            nullable=False,
            comment="share of records with any of these, 0 to 1",
        ),
        comment="Per run: inspection leads, employers with more doubtful participants than usual",
    )
    Table(
        "mismatch_ages",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column("code", CODE, primary_key=True, comment="a mismatch code"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        Column(
            "mismatches", BigInteger, nullable=False, comment="open, those of severity info too"
        ),
        Column(
            "oldest_since_at",
            DateTime,
            nullable=False,
            comment="when the run that found the oldest began (UTC)",
        ),
        Column("up_to_7_days", BigInteger, nullable=False, comment="open for at most 7 days"),
        Column("up_to_30_days", BigInteger, nullable=False, comment="for more than 7"),
        Column("up_to_90_days", BigInteger, nullable=False, comment="for more than 30"),
        Column("over_90_days", BigInteger, nullable=False, comment="for more than 90"),
        comment="Per run: how long the mismatches of each code and province have been open",
    )
    Table(
        "installation",
        metadata,
        Column("installation_id", CODE, primary_key=True, comment="a pseudonym of its secret"),
        Column("since_at", DateTime, nullable=False, comment="since when (UTC)"),
        comment="Which installation of doisoat publishes here: one row",
    )
    Table(
        "sync_runs",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column("dagster_run_id", String(64), comment="its id in Dagster"),
        Column("mode", CODE, nullable=False, comment="full or delta"),
        Column("started_at", DateTime, nullable=False, comment="UTC"),
        Column("published_at", DateTime, nullable=False, comment="UTC"),
        Column("insurance_rows", BigInteger, nullable=False, comment="rows read"),
        Column("population_rows", BigInteger, nullable=False, comment="rows read"),
        Column(
            "rejected_rows",
            BigInteger,
            nullable=False,
            comment="rows of both registers that could not be used",
        ),
        Column("verified", BigInteger, nullable=False, comment="records of this status"),
        Column("mismatch", BigInteger, nullable=False, comment="records of this status"),
        Column("review", BigInteger, nullable=False, comment="records of this status"),
        Column("not_found", BigInteger, nullable=False, comment="records of this status"),
        Column("rejected", BigInteger, nullable=False, comment="records of this status"),
        Column(
            "rows_inserted",
            BigInteger,
            nullable=False,
            comment="rows of all tables that the publish inserted",
        ),
        Column(
            "rows_updated",
            BigInteger,
            nullable=False,
            comment="rows that it changed, repaired ones too",
        ),
        Column("rows_deleted", BigInteger, nullable=False, comment="rows that it deleted"),
        comment="One row per published run",
    )
    Table(
        "quality_results",
        metadata,
        Column("run_id", CODE, primary_key=True, comment="the run"),
        Column("check_name", KEY, primary_key=True, comment="the rule"),
        Column("table_name", KEY, primary_key=True, comment="the table that it judges"),
        Column("severity", CODE, nullable=False, comment="info, warning, error"),
        Column("passed", Boolean, nullable=False, comment="whether it held"),
        Column(
            "checked_rows", BigInteger, comment="rows that it judged; null: not a matter of rows"
        ),
        Column("failed_rows", BigInteger, comment="rows that failed it"),
        comment="Per run: every quality rule and how it went",
    )
    in_every_letter(metadata)
    return metadata


def _row_table(metadata: MetaData, name: str, columns: list[Column[object]], comment: str) -> Table:
    """A table that is published by difference; each row has its hash in ``row_hash``."""
    row_hash: Column[str] = Column(
        "row_hash", String(32), nullable=False, comment="of the other columns, but the runs"
    )
    return Table(name, metadata, *columns, row_hash, comment=comment, **_ROOM_TO_CHANGE)


DIFFERENCE_TABLES = (
    "reconciled",
    "mismatches",
    "candidates",
    "corrections",
    "worklist_status",
    "rejects",
    "codes",
)
"""Tables of which a publish writes only the rows that are new, changed or gone."""

HISTORY_TABLES = (
    "mismatch_counts",
    "waterfall",
    "coverage",
    "employer_signals",
    "mismatch_ages",
    "sync_runs",
    "quality_results",
)
"""Tables to which each published run adds its rows."""
