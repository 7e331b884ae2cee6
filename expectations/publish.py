"""Suites of the schema ``publish``: do the published counts add up?

Belongs here: the last look at counts before they are published. Does not belong here: the target
itself, whose rows are counted inside the publishing transaction.
"""

from etl.domain.codes import (
    CORRECTION_LABELS,
    MISMATCH_CODES,
    ROUTE_LABELS,
    WORKLIST_STATUS_LABELS,
    Owner,
)
from etl.engine.statements import TableName
from expectations.rules import (
    Rule,
    Suite,
    holds,
    is_between,
    is_filled,
    is_one_of,
    is_unique,
    never,
)


def _hash_is_complete() -> Rule:
    return never(
        "hash_is_complete",
        "row_hash is null or length(row_hash) <> 32",
        "By its hash the target knows which rows changed; without it, changes would be missed. A "
        "fault of the table: report it.",
        blocking=True,
    )


def _every_record_is_reconciled(table: str) -> Rule:
    return never(
        "every_record_is_reconciled",
        "record_id not in (select record_id from publish.reconciled)",
        f"A row of {table} must be about a published record; this one's is not. A fault of "
        f"publish.{table}: report it.",
        blocking=True,
    )


RECONCILED = Suite(
    TableName("publish", "reconciled"),
    (
        is_unique(
            "record_id",
            "record_id is the target's key, so each is here once. A fault of the table: report it.",
            blocking=True,
        ),
        _hash_is_complete(),
        never(
            "every_linked_number_is_a_citizens",
            "personal_id not in (select personal_id from clean.population)",
            "A personal number is published only if it is in the population register. A fault of "
            "the waterfall: report it.",
            blocking=True,
        ),
    ),
    key="record_key(record_id)",
)

MISMATCHES = Suite(
    TableName("publish", "mismatches"),
    (
        _hash_is_complete(),
        is_one_of(
            "code",
            tuple(code.code for code in MISMATCH_CODES),
            "Each code has an owner and a label in etl/domain/codes.py; another is a fault of "
            "publish.mismatches: report it.",
            blocking=True,
        ),
        _every_record_is_reconciled("mismatches"),
        never(
            "every_mismatch_is_answered",
            "severity <> 'info' and remedy = 'none'",
            "A mismatch that needs a correction has a proposal, or the reason why a person must "
            "look. This one has neither, so nobody sees it: a fault of core.corrections, report "
            "it.",
        ),
    ),
    key="record_key(record_id)",
)

CANDIDATES = Suite(
    TableName("publish", "candidates"),
    (
        _hash_is_complete(),
        _every_record_is_reconciled("candidates"),
        never(
            "every_candidate_is_a_citizen",
            "personal_id not in (select personal_id from clean.population)",
            "A candidate must be in the population register, so that a steward can look there. A "
            "fault of core.candidates: report it.",
            blocking=True,
        ),
    ),
    key="record_key(record_id)",
)

CORRECTIONS = Suite(
    TableName("publish", "corrections"),
    (
        _hash_is_complete(),
        _every_record_is_reconciled("corrections"),
        is_one_of(
            "reason",
            tuple(label.code for label in CORRECTION_LABELS),
            "Each reason has its label in etl/domain/codes.py; another is a fault of "
            "publish.corrections: report it.",
            blocking=True,
        ),
    ),
    key="record_key(record_id)",
)

WORKLIST_STATUS = Suite(
    TableName("publish", "worklist_status"),
    (
        _hash_is_complete(),
        _every_record_is_reconciled("worklist_status"),
        never(
            "one_row_per_record_and_code",
            "count(*) over (partition by record_id, code) > 1",
            "A record and code have one row, for the last worklist that asked. A fault of "
            "publish.worklist_status: report it.",
            blocking=True,
        ),
        is_one_of(
            "route",
            tuple(label.code for label in ROUTE_LABELS),
            "A route says who corrects the row; another than these is nobody's work. A fault of "
            "publish.worklist_status: report it.",
            blocking=True,
        ),
        is_one_of(
            "status",
            tuple(label.code for label in WORKLIST_STATUS_LABELS),
            "Each status has its label in etl/domain/codes.py; another is a fault of "
            "publish.worklist_status: report it.",
            blocking=True,
        ),
        never(
            "what_is_corrected_is_no_mismatch",
            "status = 'corrected' and (record_id, code) in "
            "(select (record_id, code) from publish.mismatches)",
            "This mismatch is called corrected, but this very run found it again: a fault of "
            "publish.worklist_status, report it.",
            blocking=True,
        ),
    ),
    key="record_key(record_id)",
)

_IN_BOTH_LANGUAGES = (
    "Each code has a text in Vietnamese and in English (etl/domain/codes.py); here one is missing: "
    "report it."
)

REJECTS = Suite(
    TableName("publish", "rejects"),
    (
        is_unique(
            "row_key",
            "row_key is the target's key, so each is here once. A fault of the table: report it.",
            blocking=True,
        ),
        _hash_is_complete(),
        is_filled("reason_vi", _IN_BOTH_LANGUAGES, blocking=True),
        is_filled("reason_en", _IN_BOTH_LANGUAGES, blocking=True),
    ),
    key="record_key(coalesce(record_id, row_key))",
)

CODES = Suite(
    TableName("publish", "codes"),
    (
        _hash_is_complete(),
        is_filled("vi", _IN_BOTH_LANGUAGES, blocking=True),
        is_filled("en", _IN_BOTH_LANGUAGES, blocking=True),
    ),
    key="concat_ws('/', kind, code)",
)

EMPLOYER_SIGNALS = Suite(
    TableName("publish", "employer_signals"),
    (
        is_between(
            "suspect_share",
            0,
            1,
            "The share of an employer's records that are doubtful is between 0 and 1. A fault of "
            "the table: report it.",
            blocking=True,
        ),
    ),
    key="employer_code",
)

# Compared with the usual rate in the last published runs: a difference larger than chance explains
# (four standard errors), and larger, as a share of the usual rate, than thresholds.toml allows.
_DRIFTS = """
scheme = 'all' and coalesce((
    select
        abs(mismatches / records - usual_rate) > greatest(
            <at_most> * usual_rate,
            4 * sqrt(greatest(usual_rate, 1 / records) * (1 - usual_rate) / records)
        )
    from ops.usual_rates
    where usual_code = code and usual_province = province_code and runs >= 3
), false)
"""

_VANISHED = """
from ops.usual_rates
where
    runs >= 3 and usual_province = 'all' and usual_rate * usual_records > 20
    and usual_code not in (select code from {batch} where scheme = 'all')
"""

MISMATCH_COUNTS = Suite(
    TableName("publish", "mismatch_counts"),
    (
        never(
            "rates_are_as_usual",
            _DRIFTS,
            "In these provinces a mismatch is far more, or far less, frequent than in the last "
            "published runs: a changed form, a new office, or a change of the mapping. Look at "
            "the records of that code and province before anybody works on them.",
            owner=Owner.INSURANCE,
            limit="no rate differs from its usual value by more than {at_most:g} times that value",
        ),
        holds(
            "no_code_has_vanished",
            f"select 1 {_VANISHED}",
            "A mismatch that the last runs often found is no longer found at all. Nobody corrects "
            "so many in one night: look in the mapping for a column that is now empty or whose "
            "meaning is reversed.",
            limit="every code that was often found in the last published runs is found again",
            seen="select coalesce(string_agg(usual_code, ', '), 'none') || ' vanished' "
            + _VANISHED,
        ),
        never(
            "provinces_add_up",
            "sum(if(province_code = 'all', -mismatches, mismatches))"
            " over (partition by code, scheme) <> 0",
            "The total of a code and scheme is the sum over its provinces. A fault of the table: "
            "report it.",
            blocking=True,
        ),
        never(
            "mismatches_are_within_records",
            "mismatches > records or mismatches < 1",
            "A code cannot be on more records than there are, nor on none. A fault of the table: "
            "report it.",
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
            "Each record that came into a step was linked, sent to review, or went on. A fault of "
            "the table: report it.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', match_step, province_code)",
)

_UNKNOWN = (
    "select coalesce(sum(records) filter (province_code = 'unknown'), 0) as unknown, "
    "coalesce(sum(records) filter (province_code = 'all'), 0) as records "
    "from {batch} where scheme = 'all'"
)

COVERAGE = Suite(
    TableName("publish", "coverage"),
    (
        never(
            "statuses_add_up",
            "verified + mismatch + review + not_found + rejected <> records",
            "The counts of the five statuses add up to all records. A fault of the table: report "
            "it.",
            blocking=True,
        ),
        holds(
            "provinces_are_mostly_known",
            f"select 1 from ({_UNKNOWN}) where unknown > <at_most> * records",  # noqa: S608
            "Records of no known province are counted under 'unknown' and on no office's list. "
            "Complete the province at the source, or map its spelling ([insurance.values] "
            "province_code): doisoat triage clean.vocabularies.insurance_provinces_are_understood.",
            owner=Owner.INSURANCE,
            limit="at most {at_most:.1%} of the records without a known province",
            seen="select format('{:,} of {:,} records have no known province', unknown, records) "  # noqa: S608
            f"from ({_UNKNOWN})",
        ),
    ),
    key="concat_ws('/', scheme, province_code)",
)

SUITES = (
    RECONCILED,
    MISMATCHES,
    CANDIDATES,
    CORRECTIONS,
    WORKLIST_STATUS,
    REJECTS,
    CODES,
    EMPLOYER_SIGNALS,
    MISMATCH_COUNTS,
    WATERFALL,
    COVERAGE,
)
