"""What a decision says, what its maker saw, and what it takes back."""

from __future__ import annotations

from sqlalchemy import Column, Float, String

from etl.domain.columns import CODE, KEY
from etl.state.migrations.missing import add_columns

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the columns; decisions of before have none of it."""
    add_columns(
        "decisions",
        Column("verdict", CODE, comment="null in early versions: link, or not_a_person"),
        Column("kept_record_id", KEY),
        Column("undoes", CODE, comment="The decision that is taken back"),
        Column("seen", String(80), comment="Fingerprints of what was shown"),
        Column("machine_verdict", CODE, comment="What the waterfall had said"),
        Column("machine_step", CODE),
        Column("machine_personal_id", String(12), comment="Whom the waterfall had found"),
        Column("machine_probability", Float),
    )


def downgrade() -> None:
    """Is not done: what was remembered would be lost."""
    raise NotImplementedError("a state goes forward only")
