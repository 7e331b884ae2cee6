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
        _record_id(),
        Column("insurance_number", TEXT, comment="10 digits, or the personal number"),
        Column("personal_id", String(12), comment="the linked citizen, or null"),
        _must("status", CODE, "VERIFIED, MISMATCH, REVIEW, NOT_FOUND, REJECTED"),
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
        _must("compulsory_si", Boolean, "whether in compulsory social insurance"),
        _must("voluntary_si", Boolean, "whether in voluntary social insurance"),
        _must("unemployment_insurance", Boolean, "whether in unemployment insurance"),
        _must("health_insurance", Boolean, "whether in health insurance"),
        _must("first_seen_run", CODE, "run that first published it"),
        _must("last_changed_run", CODE, "run that last changed it"),
        _must("row_hash", String(32), "of all columns but the runs"),
        Index("ix_reconciled_personal_id", "personal_id"),
        Index("ix_reconciled_status", "status", "province_code"),
        **_ROOM_TO_CHANGE,
        comment="One row per insurance record, all of them: what the reconciliation says of it",
    )
    _row_table(
        metadata,
        "mismatches",
        [
            _record_id(),
            Column("code", CODE, primary_key=True, comment="what disagrees: a mismatch code"),
            _must("field", CODE, "the column that disagrees"),
            Column("insurance_value", TEXT, comment="as the insurance register has it"),
            Column("population_value", TEXT, comment="as the population register has it"),
            _must("severity", CODE, "info, warning, error"),
            _must("owner", CODE, "who can put it right"),
            Column("portal_code", CODE, comment="nearest code of the insurer's card portal"),
            Column("remedy", CODE, comment="reason of the correction that answers it, or none"),
            Column("province_code", CODE, comment="code of 2025, of the insurance record"),
            Column("commune", TEXT, comment="as the insurance register names it"),
            Column("office", TEXT, comment="the office that keeps the record, as it is named"),
            _must("since_run", CODE, "run that first found it"),
            Column("since_at", DateTime, comment="when that run began (UTC): its age"),
        ],
        comment="One row per record and mismatch code",
    )
    _row_table(
        metadata,
        "candidates",
        [
            _record_id(),
            Column(
                "candidate_rank",
                Integer,
                primary_key=True,
                autoincrement=False,
                comment="1: the likeliest",
            ),
            _must("personal_id", String(12), "the citizen"),
            _must("match_step", CODE, "the step of the waterfall that found the citizen"),
            _must("reason", CODE, "why a person must decide"),
            Column("name_agreement", CODE, comment="how the names agree"),
            Column("birth_agreement", CODE, comment="how the birth dates agree"),
            Column("gender_agreement", CODE, comment="how the sexes agree"),
            Column("match_probability", Double, comment="of the probabilistic step, else null"),
            Column("full_name", TEXT, comment="as the population register has it"),
            Column("date_of_birth", TEXT, comment="as the population register has it"),
            Column("gender", TEXT, comment="as the population register has it"),
            Column("status", TEXT, comment="as the population register has it"),
            Column("province_code", TEXT, comment="as the population register has it"),
            Column("address", TEXT, comment="as the population register has it"),
        ],
        comment="The citizens a steward chooses from, for records in REVIEW",
    )
    _row_table(
        metadata,
        "corrections",
        [
            _record_id(),
            Column("field", CODE, primary_key=True, comment="the column to correct"),
            _must("code", CODE, "the mismatch it would settle"),
            Column("recorded_value", TEXT, comment="as the insurance register has it"),
            Column("proposed_value", TEXT, comment="what to write; null: a person must look"),
            _must("authority", CODE, "whose value is proposed"),
            _must("reason", CODE, "why: a code"),
            Column("evidence", TEXT, comment="what it rests on, such as the date of death"),
        ],
        comment="What to write where, proposed; never written to a source by doisoat",
    )
    _row_table(
        metadata,
        "worklist_status",
        [
            _record_id(),
            Column("code", CODE, primary_key=True, comment="a mismatch code, or VERIFIED"),
            _must("worklist_id", CODE, "the last that asked for it"),
            _must("shape", CODE, "matched, not_matched, corrections"),
            Column("province_code", CODE, comment="this and the office: whom it was sent to"),
            Column("office", TEXT, comment="grassroots office, commune, employer or province"),
            _must("route", CODE, "insurance, police, citizen"),
            _must("sent_at", DateTime, "UTC; the last time"),
            _must("due_at", DateTime, "UTC; until when an answer was asked for"),
            _count("times_sent", "how often it was asked"),
            Column("answer", CODE, comment="what was answered; null: nothing yet"),
            Column("answered_at", DateTime, comment="UTC"),
            _must("status", CODE, "sent, answered, corrected, open"),
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
            _must("reason", CODE, "why: a code"),
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
        _run_id(),
        Column("code", CODE, primary_key=True, comment="a mismatch code"),
        Column("scheme", CODE, primary_key=True, comment="a scheme, or 'all'"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        _count("mismatches", "records with this code"),
        _count("records", "records of the same group"),
        comment="Per run: records with each code, by scheme and province, with totals",
    )
    Table(
        "waterfall",
        metadata,
        _run_id(),
        Column(
            "step_order",
            Integer,
            primary_key=True,
            autoincrement=False,
            comment="1: the first step",
        ),
        _must("match_step", CODE, "the step"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        _count("came_in", "records that came into the step"),
        _count("linked", "records that it linked"),
        _count("to_review", "records that it left to a person"),
        _count("went_on", "records that went on to the next step"),
        comment="Per run: how many records came into each step and how many it settled",
    )
    Table(
        "coverage",
        metadata,
        _run_id(),
        Column("scheme", CODE, primary_key=True, comment="a scheme, or 'all'"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        _count("records", "insurance records"),
        *_statuses(),
        _count("citizens_covered", "distinct living citizens with such a record"),
        _count("citizens", "living citizens who reside there"),
        comment="Per run: statuses and covered citizens, by scheme and province",
    )
    Table(
        "employer_signals",
        metadata,
        _run_id(),
        Column("employer_code", KEY, primary_key=True, comment="code of the paying unit"),
        _count("records", "insurance records of this employer"),
        _count("not_found", "of them NOT_FOUND"),
        _count("deceased_active", "of them with the code DECEASED_ACTIVE"),
        _count("other_person", "of them with the code ID_OTHER_PERSON"),
        _count("shared_numbers", "of them with the code ID_SHARED"),
        _must("suspect_share", Double, "share of records with any of these, 0 to 1"),
        comment="Per run: inspection leads, employers with more doubtful participants than usual",
    )
    Table(
        "mismatch_ages",
        metadata,
        _run_id(),
        Column("code", CODE, primary_key=True, comment="a mismatch code"),
        Column("province_code", CODE, primary_key=True, comment="a province, 'all' or 'unknown'"),
        _count("mismatches", "open, those of severity info too"),
        _must("oldest_since_at", DateTime, "when the run that found the oldest began (UTC)"),
        _count("up_to_7_days", "open for at most 7 days"),
        _count("up_to_30_days", "for more than 7"),
        _count("up_to_90_days", "for more than 30"),
        _count("over_90_days", "for more than 90"),
        comment="Per run: how long the mismatches of each code and province have been open",
    )
    Table(
        "installation",
        metadata,
        Column("installation_id", CODE, primary_key=True, comment="a pseudonym of its secret"),
        _must("since_at", DateTime, "since when (UTC)"),
        comment="Which installation of doisoat publishes here: one row",
    )
    Table(
        "sync_runs",
        metadata,
        _run_id(),
        Column("dagster_run_id", String(64), comment="its id in Dagster"),
        _must("mode", CODE, "full or delta"),
        _must("started_at", DateTime, "UTC"),
        _must("published_at", DateTime, "UTC"),
        _count("insurance_rows", "rows read"),
        _count("population_rows", "rows read"),
        _count("rejected_rows", "rows of both registers that could not be used"),
        *_statuses(),
        _count("rows_inserted", "rows of all tables that the publish inserted"),
        _count("rows_updated", "rows that it changed, repaired ones too"),
        _count("rows_deleted", "rows that it deleted"),
        comment="One row per published run",
    )
    Table(
        "quality_results",
        metadata,
        _run_id(),
        Column("check_name", KEY, primary_key=True, comment="the rule"),
        Column("table_name", KEY, primary_key=True, comment="the table that it judges"),
        _must("severity", CODE, "info, warning, error"),
        _must("passed", Boolean, "whether it held"),
        Column("checked_rows", BigInteger, comment="rows that it judged"),
        Column("failed_rows", BigInteger, comment="rows that failed it"),
        comment="Per run: every quality rule and how it went",
    )
    in_every_letter(metadata)
    return metadata


def _must(name: str, kind: Any, comment: str) -> Column[Any]:
    """A column that is never null."""
    return Column(name, kind, nullable=False, comment=comment)


def _count(name: str, comment: str) -> Column[Any]:
    return _must(name, BigInteger, comment)


def _run_id() -> Column[Any]:
    return Column("run_id", CODE, primary_key=True, comment="the run")


def _record_id() -> Column[Any]:
    return Column("record_id", KEY, primary_key=True, comment="key of the insurance record")


def _statuses() -> list[Column[Any]]:
    """One count of records for each status."""
    names = ("verified", "mismatch", "review", "not_found", "rejected")
    return [_count(name, "records of this status") for name in names]


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
