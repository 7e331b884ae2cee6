"""The first tables of the state."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, String

from etl.domain.columns import CODE, KEY, MOMENT, TEXT
from etl.state.migrations.missing import add_table

revision = "0001"
down_revision = None


def _key(name: str, kind: Any = CODE) -> Column[Any]:
    return Column(name, kind, primary_key=True)


def upgrade() -> None:
    """Makes them."""
    add_table(
        "identity",
        _key("state_id"),
        Column("installation_id", CODE, nullable=False),
        Column("made_at", MOMENT, nullable=False),
        comment="Which state this is, and which installation of doisoat keeps it: one row",
    )
    add_table(
        "revisions",
        _key("table_name"),
        Column("revision", BigInteger, nullable=False),
        comment="How often each table was written: a copy of an earlier revision is out of date",
    )
    add_table(
        "runs",
        _key("run_id"),
        Column("dagster_run_id", String(64), nullable=False),
        Column("mode", CODE, nullable=False),
        Column("started_at", MOMENT, nullable=False),
        Column("published_at", MOMENT),
        comment="One row per run, published or not",
    )
    add_table(
        "ledger",
        _key("run_id"),
        _key("equation", KEY),
        Column("left_side", BigInteger, nullable=False),
        Column("right_side", BigInteger, nullable=False),
        Column("holds", Boolean, nullable=False),
        comment="Per run: the equations that prove that no row was lost",
    )
    add_table(
        "quality_rules",
        _key("table_name", String(64)),
        _key("check_name", KEY),
        Column("severity", CODE, nullable=False),
        Column("blocking", Boolean, nullable=False),
        Column("owner", CODE, nullable=False),
        Column("meaning", TEXT, nullable=False),
        Column("key_sql", TEXT, nullable=False),
        Column("expected", TEXT),
        comment="The rules as the last run knew them",
    )
    add_table(
        "quality_results",
        _key("run_id"),
        _key("table_name", String(64)),
        _key("check_name", KEY),
        _key("checked_at", MOMENT),
        Column("severity", CODE, nullable=False),
        Column("blocking", Boolean, nullable=False),
        Column("passed", Boolean, nullable=False),
        Column("checked_rows", BigInteger),
        Column("failed_rows", BigInteger),
        Column("observed", TEXT),
        comment="Per run: how each rule went",
    )
    add_table(
        "quality_failures",
        _key("table_name", String(64)),
        _key("check_name", KEY),
        _key("record_key", String(128)),
        _key("first_run"),
        Column("first_seen", MOMENT, nullable=False),
        Column("closed_run", CODE),
        Column("closed_at", MOMENT),
        comment="Failing rows by key: one line for as long as a row fails without a break",
    )
    add_table(
        "acknowledgements",
        _key("table_name", String(64)),
        _key("check_name", KEY),
        _key("acknowledged_by", String(128)),
        _key("acknowledged_at", MOMENT),
        Column("reason", TEXT, nullable=False),
        Column("expires_at", MOMENT, nullable=False),
        comment="Failures that somebody knows of",
    )
    add_table(
        "decisions",
        _key("decision_id"),
        Column("record_id", KEY, nullable=False),
        Column("decided_by", String(128), nullable=False),
        Column("decided_at", MOMENT, nullable=False),
        Column("personal_id", String(12), comment="null: the record is no citizen's"),
        Column("reason", TEXT, nullable=False),
        comment="What stewards decided of records",
    )
    add_table(
        "link_history",
        _key("record_id", KEY),
        _key("personal_id", String(12)),
        _key("match_step"),
        _key("opened_run"),
        Column("opened_at", MOMENT, nullable=False),
        Column("closed_run", CODE),
        Column("closed_at", MOMENT),
        Column("why_closed", CODE),
        comment="A link lives while record, citizen and step are the same",
    )
    add_table(
        "mismatch_history",
        _key("run_id"),
        _key("code"),
        _key("province_code"),
        Column("published_at", MOMENT, nullable=False),
        Column("mismatches", BigInteger, nullable=False),
        Column("records", BigInteger, nullable=False),
        comment="Per published run: how many records carried each code",
    )
    add_table(
        "models",
        _key("version"),
        Column("trained_at", MOMENT, nullable=False),
        Column("model", TEXT, nullable=False),
        comment="Every linkage model that was trained here; the last one is used",
    )
    add_table(
        "access_log",
        _key("access_id"),
        Column("accessed_at", MOMENT, nullable=False),
        Column("accessed_by", String(128), nullable=False),
        Column("record_key", String(128), nullable=False),
        Column("command", CODE, nullable=False),
        comment="Who looked at whose data",
    )
    add_table(
        "target_comparisons",
        _key("run_id"),
        _key("table_name", String(64)),
        Column("target", TEXT, nullable=False),
        Column("compared_at", MOMENT, nullable=False),
        Column("slice", CODE),
        Column("compared_rows", BigInteger, nullable=False),
        Column("repaired_rows", BigInteger, nullable=False),
        comment="What each published run read whole of the target",
    )
    add_table(
        "statistics",
        _key("table_name", String(64)),
        _key("run_id"),
        Column("version", CODE, nullable=False),
        Column("rows_counted", BigInteger, nullable=False),
        Column("counted_at", MOMENT, nullable=False),
        comment="The counts over whole registers that runs decided by: a row for each change",
    )


def downgrade() -> None:
    """Is not done: what was remembered would be lost."""
    raise NotImplementedError("a state goes forward only")
