"""The tables of the state, as SQLAlchemy metadata: what must survive from run to run.

Belongs here: their columns and keys, and how a change of each is found. Does not belong here: how
they are made and changed over the versions (``migrations``), and reading or writing them
(``store.py``, ``copying.py``).

What is personal: ``decisions`` and ``link_history`` name records and citizens, ``worklist_items``,
``case_notes`` and ``case_holds`` name records; ``access_log`` and ``quality_failures`` name records
by their keyed pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    MetaData,
    String,
    Table,
)

from etl.domain.columns import CODE, KEY, MOMENT, TEXT, in_every_letter
from etl.settings import Settings

PREFIX = "state_"
"""The prefix of the tables' names in products that have no schemas within a database."""

_WITH_SCHEMAS = frozenset({"postgresql", "mssql"})

SCOPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "runs": ("run_id",),
        "ledger": ("run_id",),
        "quality_rules": (),
        "quality_results": ("run_id",),
        "quality_failures": ("table_name", "check_name", "record_key", "first_run"),
        "acknowledgements": ("table_name", "check_name", "acknowledged_by", "acknowledged_at"),
        "decisions": ("decision_id",),
        "link_history": ("record_id", "personal_id", "match_step", "opened_run"),
        "mismatch_history": ("run_id",),
        "models": ("version",),
        "access_log": ("access_id",),
        "target_comparisons": ("run_id",),
        "statistics": ("table_name", "run_id"),
        "worklists": ("worklist_id",),
        "worklist_items": ("worklist_id", "record_id", "code"),
    }
)
"""The tables, and the columns by which saved rows replace older ones: those of the same key or run.
Without columns, all rows are replaced."""


@cache
def state_metadata(schema: str | None, prefix: str = "") -> MetaData:
    """Returns the tables of the state, the same objects each time: nobody may change them.

    Args:
        schema: The schema they live in, or None where the database has no schemas.
        prefix: Stands before each table's name.
    """
    metadata = MetaData(schema=schema)

    def table(name: str, *columns: Column[Any], comment: str) -> None:
        Table(prefix + name, metadata, *columns, comment=comment)

    def key(name: str, kind: Any = CODE) -> Column[Any]:
        return Column(name, kind, primary_key=True)

    table(
        "identity",
        key("state_id"),
        Column("installation_id", CODE, nullable=False),
        Column("made_at", MOMENT, nullable=False),
        comment="Which state this is, and which installation of doisoat keeps it: one row",
    )
    table(
        "revisions",
        key("table_name"),
        Column("revision", BigInteger, nullable=False),
        comment="How often each table was written: a copy of an earlier revision is out of date",
    )
    table(
        "runs",
        key("run_id"),
        Column("dagster_run_id", String(64), nullable=False),
        Column("mode", CODE, nullable=False),
        Column("started_at", MOMENT, nullable=False),
        Column("published_at", MOMENT),
        comment="One row per run, published or not",
    )
    table(
        "ledger",
        key("run_id"),
        key("equation", KEY),
        Column("left_side", BigInteger, nullable=False),
        Column("right_side", BigInteger, nullable=False),
        Column("holds", Boolean, nullable=False),
        comment="Per run: the equations that prove that no row was lost",
    )
    table(
        "quality_rules",
        key("table_name", String(64)),
        key("check_name", KEY),
        Column("severity", CODE, nullable=False),
        Column("blocking", Boolean, nullable=False),
        Column("owner", CODE, nullable=False),
        Column("meaning", TEXT, nullable=False),
        Column("key_sql", TEXT, nullable=False),
        Column("expected", TEXT),
        comment="The rules as the last run knew them",
    )
    table(
        "quality_results",
        key("run_id"),
        key("table_name", String(64)),
        key("check_name", KEY),
        key("checked_at", MOMENT),
        Column("severity", CODE, nullable=False),
        Column("blocking", Boolean, nullable=False),
        Column("passed", Boolean, nullable=False),
        Column("checked_rows", BigInteger),
        Column("failed_rows", BigInteger),
        Column("observed", TEXT),
        comment="Per run: how each rule went",
    )
    table(
        "quality_failures",
        key("table_name", String(64)),
        key("check_name", KEY),
        key("record_key", String(128)),
        key("first_run"),
        Column("first_seen", MOMENT, nullable=False),
        Column("closed_run", CODE),
        Column("closed_at", MOMENT),
        comment="Failing rows by key: one line for as long as a row fails without a break",
    )
    table(
        "acknowledgements",
        key("table_name", String(64)),
        key("check_name", KEY),
        key("acknowledged_by", String(128)),
        key("acknowledged_at", MOMENT),
        Column("reason", TEXT, nullable=False),
        Column("expires_at", MOMENT, nullable=False),
        comment="Failures that somebody knows of",
    )
    table(
        "decisions",
        key("decision_id"),
        Column("record_id", KEY, nullable=False),
        Column("decided_by", String(128), nullable=False),
        Column("decided_at", MOMENT, nullable=False),
        Column("personal_id", String(12), comment="null: the record is no citizen's"),
        Column("reason", TEXT, nullable=False),
        Column("verdict", CODE, comment="null in early versions: link, or not_a_person"),
        Column("kept_record_id", KEY),
        Column("undoes", CODE, comment="The decision that is taken back"),
        Column("seen", String(80), comment="Fingerprints of what was shown"),
        Column("machine_verdict", CODE, comment="What the waterfall had said"),
        Column("machine_step", CODE),
        Column("machine_personal_id", String(12), comment="Whom the waterfall had found"),
        Column("machine_probability", Float),
        comment="What stewards decided of records",
    )
    table(
        "link_history",
        key("record_id", KEY),
        key("personal_id", String(12)),
        key("match_step"),
        key("opened_run"),
        Column("opened_at", MOMENT, nullable=False),
        Column("closed_run", CODE),
        Column("closed_at", MOMENT),
        Column("why_closed", CODE),
        comment="A link lives while record, citizen and step are the same",
    )
    table(
        "mismatch_history",
        key("run_id"),
        key("code"),
        key("province_code"),
        Column("published_at", MOMENT, nullable=False),
        Column("mismatches", BigInteger, nullable=False),
        Column("records", BigInteger, nullable=False),
        comment="Per published run: how many records carried each code",
    )
    table(
        "models",
        key("version"),
        Column("trained_at", MOMENT, nullable=False),
        Column("model", TEXT, nullable=False),
        comment="Every linkage model that was trained here; the last one is used",
    )
    table(
        "access_log",
        key("access_id"),
        Column("accessed_at", MOMENT, nullable=False),
        Column("accessed_by", String(128), nullable=False),
        Column("record_key", String(128), nullable=False),
        Column("command", CODE, nullable=False),
        comment="Who looked at whose data",
    )
    table(
        "target_comparisons",
        key("run_id"),
        key("table_name", String(64)),
        Column("target", TEXT, nullable=False),
        Column("compared_at", MOMENT, nullable=False),
        Column("slice", CODE),
        Column("compared_rows", BigInteger, nullable=False),
        Column("repaired_rows", BigInteger, nullable=False),
        comment="What each published run read whole of the target",
    )
    table(
        "statistics",
        key("table_name", String(64)),
        key("run_id"),
        Column("version", CODE, nullable=False),
        Column("rows_counted", BigInteger, nullable=False),
        Column("counted_at", MOMENT, nullable=False),
        comment="The counts over whole registers that runs decided by: a row for each change",
    )
    table(
        "worklists",
        key("worklist_id"),
        Column("run_id", CODE, nullable=False),
        Column("made_at", MOMENT, nullable=False),
        Column("made_by", String(128), nullable=False),
        Column("shape", CODE, nullable=False, comment="matched, not_matched, corrections"),
        Column("province_code", CODE, comment="null: of records whose province is unknown"),
        Column("office", TEXT, comment="grassroots office, commune or employer it is for"),
        Column("item_count", BigInteger, nullable=False),
        comment="Each worklist that was written for an office",
    )
    table(
        "worklist_items",
        key("worklist_id"),
        key("record_id", KEY),
        key("code"),
        Column("route", CODE, nullable=False, comment="insurance, police, citizen"),
        Column("sent_at", MOMENT, nullable=False),
        Column("due_at", MOMENT, nullable=False),
        Column("seen", String(80), comment="Fingerprints of the facts that were sent"),
        Column("answer", CODE, comment="What was answered; null: nothing yet"),
        Column("answered_at", MOMENT),
        Column("answered_by", String(128)),
        Column("note", TEXT, comment="What was written beside the answer"),
        comment="Each row of each worklist, and what was answered",
    )
    table(
        "case_notes",
        key("note_id"),
        Column("record_id", KEY, nullable=False),
        Column("written_at", MOMENT, nullable=False),
        Column("written_by", String(128), nullable=False),
        Column("note", TEXT, nullable=False),
        Column("asked", String(128), comment="The colleague who is asked"),
        comment="What stewards wrote of a case, and whom they asked",
    )
    table(
        "case_holds",
        key("record_id", KEY),
        Column("held_by", String(128), nullable=False),
        Column("held_until", MOMENT, nullable=False),
        comment="Who has a case open: a soft lock, until a moment",
    )
    in_every_letter(metadata)
    return metadata


def metadata_for(settings: Settings) -> tuple[MetaData, str]:
    """Returns the tables as a configuration places them, and the prefix of their names."""
    product = settings.state_database.parsed.get_backend_name()
    if product in _WITH_SCHEMAS:
        return state_metadata(settings.state.schema_name), ""
    return state_metadata(None, PREFIX), PREFIX
