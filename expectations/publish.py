"""Suites of the schema ``publish``: does what leaves add up?

Belongs here: the last look at counts before they are published. Does not belong here: the target
itself, whose rows are counted inside the publishing transaction.
"""

from etl.warehouse.statements import TableName
from expectations.rules import Suite, is_unique, never

RECONCILED = Suite(
    TableName("publish", "reconciled"),
    (
        is_unique("record_id", "The target's key.", blocking=True),
        never(
            "hash_is_complete",
            "row_hash is null or length(row_hash) <> 32",
            "The hash tells the target which rows changed; without it changes would be missed.",
            blocking=True,
        ),
    ),
    key="record_key(record_id)",
)

MISMATCH_COUNTS = Suite(
    TableName("publish", "mismatch_counts"),
    (
        never(
            "provinces_add_up",
            "sum(if(province_code = 'all', -mismatches, mismatches))"
            " over (partition by code, scheme) <> 0",
            "The total of a code and scheme is the sum over its provinces.",
            blocking=True,
        ),
        never(
            "mismatches_are_within_records",
            "mismatches > records or mismatches < 1",
            "No code can stand on more records than there are.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', code, scheme, province_code)",
)

WATERFALL = Suite(
    TableName("publish", "waterfall"),
    (
        never(
            "steps_add_up",
            "went_on > came_in - linked - to_review or linked < 0 or to_review < 0",
            "What came into a step was linked, sent to review, or went on.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', match_step, province_code)",
)

COVERAGE = Suite(
    TableName("publish", "coverage"),
    (
        never(
            "statuses_add_up",
            "verified + mismatch + review + not_found + rejected <> records",
            "The five statuses are all there is.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', scheme, province_code)",
)

SUITES = (RECONCILED, MISMATCH_COUNTS, WATERFALL, COVERAGE)
