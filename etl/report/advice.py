"""The words about a rule that fails: its trend, what it stops, what to do next.

Belongs here: the words that the UI, the Data Docs and the terminal share, so that they say the
same. Does not belong here: finding the facts (``expectations``, ``triage.py``) and layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.settings import Schedule


REGISTER_KEYS = {"record_id": "insurance", "personal_id": "population"}
"""The column that identifies a row in its register, and the register."""


def register_key(key_sql: str) -> str | None:
    """Returns the key column of the register that a rule's rows come from; None if from none."""
    return next((column for column in REGISTER_KEYS if column in key_sql), None)


def id_column(table: str, key_sql: str) -> str | None:
    """Returns the column that holds the ids of a table's rows in their register, if there is one.

    Rejects come from both registers; their column ``register`` says from which.
    """
    return "record_id" if table == "clean.rejects" else register_key(key_sql)


def trend(failed_rows: Sequence[int]) -> str:
    """Writes how many rows failed in the last runs, the latest last."""
    return " → ".join(f"{failed:,}" for failed in failed_rows)


def publish(blocking: bool, published: tuple[str, datetime] | None, schedule: Schedule) -> str:
    """Says what a failing rule means for the publish.

    Args:
        blocking: Whether the rule stops the publish.
        published: The run that the target holds, and when it was published.
        schedule: Has the time zone in which times are shown.
    """
    if not blocking:
        return "goes on: this check does not stop it"
    return f"stopped by this check, nothing of this run leaves; {target(published, schedule)}"


def target(published: tuple[str, datetime] | None, schedule: Schedule) -> str:
    """Says what the target holds while nothing is published."""
    if published is None:
        return "the target holds no run yet"
    run_id, at = published
    return f"the target is as it was: run {run_id}, published {schedule.shown(at)}"


def more(rule: str) -> str:
    """The command that tells more of a rule and lists the rows that fail it."""
    return f"doisoat triage {rule}"


def one_row(rule: str, record_key: str) -> str:
    """The command that shows one row with its values."""
    return f"{more(rule)} --record {record_key}"


def for_the_office(rule: str) -> str:
    """The command that writes the list by which the register's office finds the rows."""
    return f"{more(rule)} --ids --out list.csv"
