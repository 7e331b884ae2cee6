"""Suites of the schema ``core``: can the result be trusted?

Belongs here: what must be true of links, candidates, mismatches and verdicts before anything is
published. Does not belong here: the ledger (``assets/checks.py``), which counts across tables.
"""

from etl.domain.codes import (
    BIRTH_LEVELS,
    CORRECTION_LABELS,
    MISMATCH_CODES,
    NAME_LEVELS,
    MatchStep,
    Owner,
    Status,
)
from etl.engine.statements import TableName
from expectations.rules import Suite, is_filled, is_one_of, is_unique, never

_STATUSES = tuple(status.value for status in Status)
_STEPS = tuple(step.value for step in MatchStep)
_KEY = "record_key(record_id)"
_LEVEL = (
    "The levels of agreement are those of etl/domain/codes.py; another is a fault of the "
    "waterfall: report it."
)

LINKS = Suite(
    TableName("core", "links"),
    (
        is_unique(
            "record_id",
            "A record has one citizen at most. A repeat is a fault of the waterfall: report it.",
            blocking=True,
        ),
        is_filled(
            "personal_id",
            "Every link names a citizen. A fault of the waterfall: report it.",
            blocking=True,
        ),
        never(
            "nobody_held_back_is_linked",
            "record_id in (select record_id from core.held_back)",
            "A link that contradicts a person's decision waits for that person; it must not be "
            "made. A fault of core.links: report it.",
            blocking=True,
        ),
        never(
            "every_link_leads_to_a_citizen",
            "personal_id not in (select personal_id from clean.population)",
            "A linked number must be a citizen's; this one is nobody's. A fault of the waterfall, "
            "or of a steward's decision on an outdated list: report it.",
            blocking=True,
        ),
        is_one_of(
            "match_step",
            _STEPS,
            "Every link names the step that made it. A fault of core.links: report it.",
            blocking=True,
        ),
        is_one_of("name_agreement", NAME_LEVELS, _LEVEL),
        is_one_of("birth_agreement", BIRTH_LEVELS, _LEVEL),
        never(
            "no_link_by_number_alone",
            "match_step <> 'steward' and name_agreement in ('different', 'missing')"
            " and birth_agreement <> 'same'",
            "A number alone must never make a link. A failure means that "
            "etl/reconcile/agreement_rules.csv allows too much: make its rules stricter.",
            blocking=True,
        ),
        never(
            "a_repaired_number_needs_full_agreement",
            "match_step = 'repaired_id' and (birth_agreement <> 'same'"
            " or gender_agreement = 'different')",
            "A number that had to be repaired makes a link only where name, birth date and sex "
            "fully agree. A fault of the waterfall: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

CANDIDATES = Suite(
    TableName("core", "candidates"),
    (
        is_filled(
            "personal_id",
            "Every candidate is a named citizen. A fault of core.candidates: report it.",
            blocking=True,
        ),
        never(
            "rank_begins_at_one",
            "candidate_rank < 1",
            "Ranks begin at one, the best first. A fault of core.candidates: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

MISMATCHES = Suite(
    TableName("core", "mismatches"),
    (
        is_one_of(
            "code",
            tuple(code.code for code in MISMATCH_CODES),
            "Each code has an owner and a label in etl/domain/codes.py; another is a fault of "
            "core.mismatches: report it.",
            blocking=True,
        ),
        never(
            "one_row_per_record_and_code",
            "count(*) over (partition by record_id, code) > 1",
            "A record has each code once; a repeat would be counted twice. A fault of the table: "
            "report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

DISAGREEMENTS = Suite(
    TableName("core", "disagreements"),
    (
        never(
            "said_once_of_each_field",
            "count(*) over (partition by record_id, code, field) > 1",
            "A record has each code once for a field. A fault of the table: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

OWN_WORDS = Suite(
    TableName("core", "own_words"),
    (
        never(
            "one_word_for_each_meaning",
            "word is null or count(*) over (partition by column_name, value) > 1",
            "Corrections use one word of the register for each meaning; here there is none, or "
            "several. A fault of core.own_words: report it.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', column_name, value)",
)

DUPLICATES = Suite(
    TableName("core", "duplicates"),
    (
        is_unique(
            "record_id",
            "A record belongs to one group of duplicates. A fault of core.duplicates: report it.",
            blocking=True,
        ),
        never(
            "one_record_is_kept_of_each_group",
            "sum((record_id = kept_record_id)::integer) over (partition by personal_id) <> 1"
            " or count(distinct kept_record_id) over (partition by personal_id) <> 1",
            "Exactly one of a citizen's records is kept. If not, the order of preference in "
            "core.duplicates leaves two equal: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

CORRECTIONS = Suite(
    TableName("core", "corrections"),
    (
        never(
            "proposes_something_or_says_who_must_look",
            "(proposed_value is null) <> starts_with(reason, 'look_')",
            "A correction proposes a value, or says why a person must look. A fault of "
            "core.corrections: report it.",
            blocking=True,
        ),
        is_one_of(
            "reason",
            tuple(label.code for label in CORRECTION_LABELS),
            "Each reason has its label in etl/domain/codes.py; another is a fault of "
            "core.corrections: report it.",
            blocking=True,
        ),
        is_one_of(
            "field",
            tuple(dict.fromkeys(code.field for code in MISMATCH_CODES)),
            "A correction is of a field to which a code of etl/domain/codes.py belongs. A fault of "
            "core.corrections: report it.",
            blocking=True,
        ),
        never(
            "each_field_has_its_authority",
            "authority = 'insurance'"
            " and field not in ('record_id', 'insurance_number', 'health_card_number')",
            "The population register is the authority on name, birth, sex, personal number and "
            "death (Decree 43/2021 Art. 7); the insurance register on its own numbers (Art. 6).",
            blocking=True,
        ),
    ),
    key=_KEY,
)

RECONCILED = Suite(
    TableName("core", "reconciled"),
    (
        is_unique(
            "record_id",
            "Each insurance record has exactly one status. A repeat is a fault of "
            "core.reconciled: report it.",
            blocking=True,
        ),
        is_one_of(
            "status",
            _STATUSES,
            "A record has one of these five statuses. A fault of core.reconciled: report it.",
            blocking=True,
        ),
        never(
            "linked_means_verified_or_mismatch",
            "(personal_id is not null) <> (status in ('VERIFIED', 'MISMATCH'))",
            "Linked records (VERIFIED, MISMATCH) have a personal number, and no others: a doubtful "
            "citizen must not be published. A fault of core.reconciled: report it.",
            blocking=True,
        ),
        never(
            "mismatch_says_what_differs",
            "status = 'MISMATCH' and mismatch_codes = ''",
            "Every MISMATCH names at least one code. A fault of core.reconciled: report it.",
            blocking=True,
        ),
        never(
            "nobody_dead_is_active",
            "contains(mismatch_codes, 'DECEASED_ACTIVE')",
            "The population register knows them as deceased, yet their record is active. "
            "Provincial stewards end the record or report the death notice as wrong.",
            owner=Owner.INSURANCE,
        ),
        never(
            "numbers_are_not_shared",
            "contains(mismatch_codes, 'ID_SHARED')",
            "Several differently named people carry one number. Provincial stewards find out "
            "whose it is.",
            owner=Owner.INSURANCE,
        ),
        never(
            "nobody_waits_for_a_person",
            "status = 'REVIEW'",
            "Several citizens may be meant, or one who only nearly agrees: provincial stewards "
            "choose among the candidates (the target's table of that name; doisoat explain).",
            owner=Owner.INSURANCE,
        ),
        never(
            "everybody_is_found",
            "status = 'NOT_FOUND'",
            "No citizen matches these records. Provincial stewards ask the participant for the "
            "identity card.",
            owner=Owner.CITIZEN,
        ),
    ),
    key=_KEY,
)

SUITES = (
    LINKS,
    CANDIDATES,
    DISAGREEMENTS,
    OWN_WORDS,
    MISMATCHES,
    DUPLICATES,
    CORRECTIONS,
    RECONCILED,
)
