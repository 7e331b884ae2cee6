"""Suites of the schema ``raw``: is this the register that was promised?

Belongs here: what must be true before any work is spent on a register. Does not belong here: the
quality of single values, which is judged once they are understood (``clean.py``).
"""

from etl.domain.codes import Owner
from etl.domain.contract import INSURANCE, POPULATION
from etl.engine.statements import TableName
from expectations.rules import (
    Rule,
    Suite,
    has_columns,
    has_fresh_changes,
    has_not_shrunk,
    is_filled,
    is_not_empty,
)

_AFTER = ("run_id", "read_at", "row_number")


def is_mostly_filled(register: str, column: str, what: str, owner: Owner) -> Rule:
    """A column that nearly every row has; the trend says whether the mapping is at fault."""
    return is_filled(
        column,
        f"If some {what} are missing, and fewer were on the nights before (see trend), the source "
        "lost them: send its office the list (doisoat triage with --ids --out list.csv), and run "
        "doisoat sync when they are back. If nearly all are missing, the mapping reads the wrong "
        f"column: see {column} under [{register}.columns] of the configuration.",
        owner=owner,
        name=f"{column}_is_mostly_filled",
    )


INSURANCE_SUITE = Suite(
    TableName("raw", "insurance"),
    (
        has_columns(*(column.name for column in INSURANCE), *_AFTER),
        is_not_empty("insurance records", Owner.INSURANCE),
        has_not_shrunk(TableName("raw", "insurance"), "records", Owner.INSURANCE),
        has_fresh_changes("record", Owner.INSURANCE),
        is_filled(
            "record_id",
            "Without its key a row cannot be published or corrected; such rows go to rejects. "
            "Ask the register's administrator how they came about.",
            owner=Owner.INSURANCE,
        ),
        is_mostly_filled("insurance", "full_name", "names", Owner.INSURANCE),
        is_mostly_filled("insurance", "date_of_birth", "birth dates", Owner.INSURANCE),
    ),
    key="record_key(coalesce(record_id, ''))",
)

POPULATION_SUITE = Suite(
    TableName("raw", "population"),
    (
        has_columns(*(column.name for column in POPULATION), *_AFTER),
        is_not_empty("citizens", Owner.POPULATION),
        has_not_shrunk(TableName("raw", "population"), "citizens", Owner.POPULATION),
        has_fresh_changes("citizen", Owner.POPULATION),
        is_filled(
            "personal_id",
            "A citizen without a personal number cannot be linked; such rows go to rejects. Ask "
            "the register's administrator to complete them.",
            owner=Owner.POPULATION,
        ),
        is_mostly_filled("population", "full_name", "names", Owner.POPULATION),
    ),
    key="record_key(coalesce(personal_id, ''))",
)

SUITES = (INSURANCE_SUITE, POPULATION_SUITE)
