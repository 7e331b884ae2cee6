"""What stewards work with: worklists and their answers, notes on a case, who has it open."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, String

from etl.domain.columns import CODE, KEY, MOMENT, TEXT
from etl.state.migrations.missing import add_table

revision = "0003"
down_revision = "0002"


def _key(name: str, kind: Any = CODE) -> Column[Any]:
    return Column(name, kind, primary_key=True)


def upgrade() -> None:
    """Makes them."""
    add_table(
        "worklists",
        _key("worklist_id"),
        Column("run_id", CODE, nullable=False),
        Column("made_at", MOMENT, nullable=False),
        Column("made_by", String(128), nullable=False),
        Column("shape", CODE, nullable=False, comment="matched, not_matched, corrections"),
        Column("province_code", CODE, comment="null: of records whose province is unknown"),
        Column("office", TEXT, comment="grassroots office, commune or employer it is for"),
        Column("item_count", BigInteger, nullable=False),
        comment="Each worklist that was written for an office",
    )
    add_table(
        "worklist_items",
        _key("worklist_id"),
        _key("record_id", KEY),
        _key("code"),
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
    add_table(
        "case_notes",
        _key("note_id"),
        Column("record_id", KEY, nullable=False),
        Column("written_at", MOMENT, nullable=False),
        Column("written_by", String(128), nullable=False),
        Column("note", TEXT, nullable=False),
        Column("asked", String(128), comment="The colleague who is asked"),
        comment="What stewards wrote of a case, and whom they asked",
    )
    add_table(
        "case_holds",
        _key("record_id", KEY),
        Column("held_by", String(128), nullable=False),
        Column("held_until", MOMENT, nullable=False),
        comment="Who has a case open: a soft lock, until a moment",
    )


def downgrade() -> None:
    """Is not done: what was remembered would be lost."""
    raise NotImplementedError("a state goes forward only")
