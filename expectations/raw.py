"""Suites of the schema ``raw``: is this the register that was promised?

Belongs here: what must be true before any work is spent on a register. Does not belong here: the
quality of single values, which is judged once they are understood (``clean.py``).
"""

from etl.codes import Owner
from etl.contract import INSURANCE, POPULATION
from etl.warehouse.statements import TableName
from expectations.rules import Suite, has_columns, has_not_shrunk, is_filled, is_not_empty

_AFTER = ("run_id", "read_at")

INSURANCE_SUITE = Suite(
    TableName("raw", "insurance"),
    (
        has_columns(*(column.name for column in INSURANCE), *_AFTER),
        is_not_empty("insurance records", Owner.INSURANCE),
        has_not_shrunk(TableName("raw", "insurance"), "records", Owner.INSURANCE),
        is_filled(
            "record_id",
            "Without its key a row cannot be published or corrected; such rows go to rejects. "
            "Ask the register's administrator how they came about.",
        ),
        is_filled(
            "full_name",
            "More than one name in ten missing means that the mapping points at the wrong "
            "column. Check full_name under [insurance.columns].",
            name="full_name_is_mostly_filled",
        ),
        is_filled(
            "date_of_birth",
            "More than one birth date in ten missing means that the mapping points at the wrong "
            "column. Check date_of_birth under [insurance.columns].",
            name="date_of_birth_is_mostly_filled",
        ),
    ),
    key="record_key(coalesce(record_id, ''))",
)

POPULATION_SUITE = Suite(
    TableName("raw", "population"),
    (
        has_columns(*(column.name for column in POPULATION), *_AFTER),
        is_not_empty("citizens", Owner.POPULATION),
        has_not_shrunk(TableName("raw", "population"), "citizens", Owner.POPULATION),
        is_filled(
            "personal_id",
            "A citizen without a personal number cannot be linked; such rows go to rejects.",
            owner=Owner.POPULATION,
        ),
        is_filled(
            "full_name",
            "The population register is the authority on names: more than one in a hundred "
            "missing means that the mapping points at the wrong column.",
            owner=Owner.POPULATION,
            name="full_name_is_mostly_filled",
        ),
    ),
    key="record_key(coalesce(personal_id, ''))",
)

SUITES = (INSURANCE_SUITE, POPULATION_SUITE)
