"""Suites of the waterfall's inner tables: did each step do what it says?

Belongs here: what must be true of a step, of what reaches it and of what it weighs, so that a fault
is found where it arises. Does not belong here: the result as a whole (``core.py``).
"""

from etl.domain.codes import (
    ADDRESS_LEVELS,
    BIRTH_LEVELS,
    CORRECTION_LABELS,
    GENDER_LEVELS,
    NAME_LEVELS,
    NUMBER_LEVELS,
    PLACE_LEVELS,
    MatchStep,
)
from etl.engine.statements import TableName
from expectations.rules import Rule, Suite, is_between, is_filled, is_one_of, is_unique, never

_KEY = "record_key(record_id)"
_KEY_OF_ROW = "'row ' || record"
"""The key for narrow tables: the row of raw.insurance, which discloses nothing about anybody."""
_LEVELS = {
    "name_agreement": NAME_LEVELS,
    "birth_agreement": BIRTH_LEVELS,
    "gender_agreement": GENDER_LEVELS,
    "place_agreement": PLACE_LEVELS,
    "address_agreement": ADDRESS_LEVELS,
    "number_agreement": NUMBER_LEVELS,
}
_PEOPLE = ("name_agreement", "birth_agreement", "gender_agreement")
_REASONS = tuple(label.code for label in CORRECTION_LABELS)


def _levels_are_known(*columns: str) -> tuple[Rule, ...]:
    return tuple(
        is_one_of(
            column,
            _LEVELS[column],
            "Levels are those of etl/domain/codes.py; another would be weighed as nothing.",
            blocking=True,
        )
        for column in columns
    )


def _one_row_per_pair() -> Rule:
    return never(
        "one_row_per_record_and_citizen",
        "count(*) over (partition by record_id, personal_id) > 1",
        "A record and a citizen are compared once, or a tie with oneself sends links to review.",
        blocking=True,
    )


def _step(step: MatchStep) -> Suite:
    """The suite of a step: verdicts are known, one citizen at most, each link has a citizen."""
    return Suite(
        TableName("core", f"step_{step.value}"),
        (
            is_one_of(
                "verdict",
                ("link", "review", "other", *(("none",) if step is MatchStep.STEWARD else ())),
                "A step links, asks a person, or says that the number is somebody else's; a "
                "steward may say that the record is nobody's.",
                blocking=True,
            ),
            never(
                "one_citizen_at_most",
                "count(*) filter (verdict = 'link') over (partition by record_id) > 1",
                "A record has one citizen at most: two links of one step would be published as "
                "two rows. A fault of the step: report it.",
                blocking=True,
            ),
            *_levels_are_known(*_PEOPLE),
        ),
        key=_KEY,
    )


AGREEING = Suite(
    TableName("core", "agreeing"),
    (
        is_unique("record", "A record has one number here, and so one citizen.", blocking=True),
        is_filled("citizen", "Whoever agrees is a citizen.", blocking=True),
        *_levels_are_known("name_agreement"),
    ),
    key=_KEY_OF_ROW,
)

SETTLED = Suite(
    TableName("core", "settled"),
    (
        is_unique("record", "A record is settled once.", blocking=True),
        is_unique(
            "citizen",
            "A citizen whom two records claim is not settled: the waterfall judges them. A fault "
            "of core.settled: report it.",
            blocking=True,
        ),
    ),
    key=_KEY_OF_ROW,
)

CLAIMS = Suite(
    TableName("core", "claims"),
    (
        is_filled("record_id", "A claim is a record's.", blocking=True),
        never(
            "nobody_here_is_settled",
            "record_id in "
            "(select record_id from clean.insurance semi join core.settled using (record))",
            "A record is settled, or it goes down the waterfall by its claims. A fault of "
            "core.claims: report it.",
            blocking=True,
        ),
        never(
            "claimed_numbers_are_whole",
            "length(number) not in (9, 12)",
            "A claim is a CMND of 9 digits or a personal number of 12; anything else was misread.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NUMBERS_OF_NOBODY = Suite(
    TableName("core", "numbers_of_nobody"),
    (
        never(
            "each_number_once",
            "count(*) over (partition by record_id, number) > 1",
            "A record carries a number once. A fault of the table: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NUMBER_FAULTS = Suite(
    TableName("core", "number_faults"),
    (
        is_one_of(
            "code",
            ("ID_INVALID", "ID_FORMER", "ID_REPAIRED", "ID_OTHER_PERSON", "ID_SHARED",
             "ID_ATTRIBUTE_CONFLICT"),
            "What can be wrong with an identity number; each has its label in etl/domain/codes.py.",
            blocking=True,
        ),
        is_one_of(
            "field",
            ("id_number", "insurance_number"),
            "A claim stands in one of two columns.",
            blocking=True,
        ),
    ),
    key=_KEY,
)  # fmt: skip

NUMBER_OWNERS = Suite(
    TableName("core", "number_owners"),
    (
        is_filled("personal_id", "A number's owner is a citizen.", blocking=True),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

NUMBER_DOUBTS = Suite(
    TableName("core", "number_doubts"),
    (
        is_filled("is_outdone", "Somebody else fits better, or nobody does.", blocking=True),
        is_filled("is_alone", "The record is alone with its owner, or not.", blocking=True),
        never(
            "doubted_once",
            "count(*) over (partition by record_id, personal_id) > 1",
            "A record and a citizen are in doubt once; a second row would double the pair that it "
            "is joined to. A fault of the table: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NUMBER_PAIRS = Suite(
    TableName("core", "number_pairs"),
    (
        is_filled("personal_id", "A pair is a record and a citizen.", blocking=True),
        is_one_of(
            "verdict",
            ("link", "review", "other"),
            "ref.verdicts gives every combination of levels a verdict; one without would be lost.",
            blocking=True,
        ),
        never(
            "another_name_needs_all_else",
            "reason = 'nobody_else' and (birth_agreement <> 'same' "
            "or gender_agreement <> 'same' or match_step = 'repaired_id')",
            "A number links somebody with another given name only where birth date and sex are the "
            "same and nothing was repaired. A fault of the table: report it.",
            blocking=True,
        ),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

RESIDUE = Suite(
    TableName("core", "residue"),
    (
        is_unique("record_id", "A record is left over once.", blocking=True),
        never(
            "nobody_here_was_linked_by_number",
            "record_id in (select record_id from core.step_personal_id where verdict = 'link') "
            "or record_id in "
            "(select record_id from clean.insurance semi join core.settled using (record))",
            "A record that a number settled must not be linked again by name. A fault of "
            "core.residue: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NAME_SHARES = Suite(
    TableName("core", "name_shares"),
    (
        is_between(
            "share",
            0,
            1,
            "A share of the population; outside these bounds chance agreement is misjudged.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', gender, part)",
)

PLACE_SHARES = Suite(
    TableName("core", "place_shares"),
    (
        is_between(
            "share",
            0,
            1,
            "A share of the population; outside these bounds chance agreement is misjudged.",
            blocking=True,
        ),
    ),
    key="province_code",
)

BIRTHS_A_DAY = Suite(
    TableName("core", "births_a_day"),
    (
        is_between(
            "births",
            1,
            None,
            "A day on which nobody was born would make every agreement on it impossible. A fault "
            "of core.births_a_day: report it.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', gender, birth_date)",
)

FULL_NAME_COUNTS = Suite(
    TableName("core", "full_name_counts"),
    (
        is_unique("name_key", "A name is counted once.", blocking=True),
        is_between(
            "citizens",
            1,
            None,
            "A name that nobody bears would weigh without bounds. A fault of "
            "core.full_name_counts: report it.",
            blocking=True,
        ),
    ),
    key="record_key(name_key)",
)

REGISTER_SIZE = Suite(
    TableName("core", "register_size"),
    (
        is_filled(
            "citizens",
            "Without the number of citizens no probability can be told. A fault of "
            "core.register_size: report it.",
            blocking=True,
        ),
    ),
    key="'the register'",
)

GIVEN_NAMES_IN_USE = Suite(
    TableName("core", "given_names_in_use"),
    (
        is_unique(
            "given_name",
            "A name stands here once; twice, it would make two rows of one pair.",
            blocking=True,
        ),
    ),
    key="record_key(given_name)",
)

NEAR_RECORDS = Suite(
    TableName("core", "near_records"),
    (is_unique("record_id", "A record is weighed once.", blocking=True),),
    key=_KEY,
)

NEAR_KEYS = Suite(
    TableName("core", "near_keys"),
    (
        never(
            "keys_are_of_the_records_that_are_weighed",
            "record_id not in (select record_id from core.near_records)",
            "A key of another record would bring pairs together that nobody asked for.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NEAR_CITIZENS = Suite(
    TableName("core", "near_citizens"),
    (
        never(
            "records_are_those_that_are_weighed",
            "record_id not in (select record_id from core.near_records)",
            "A record that an earlier step linked has its citizen, and would find another.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NEAR_PAIRS = Suite(
    TableName("core", "near_pairs"),
    (_one_row_per_pair(), *_levels_are_known("name_agreement", "birth_agreement")),
    key=_KEY,
)

NEAR_EVIDENCE = Suite(TableName("core", "near_evidence"), _levels_are_known(*_LEVELS), key=_KEY)

_COMPARISON = "concat_ws('/', comparison, level)"

LEVEL_CHANCES = Suite(
    TableName("core", "level_chances"),
    (
        is_between(
            "chance", 0, 1, "How often strangers agree so: a share of all pairs.", blocking=True
        ),
    ),
    key=_COMPARISON,
)

LEVEL_WEIGHTS = Suite(
    TableName("core", "level_weights"),
    (
        is_filled(
            "weight",
            "Every level of the model has its weight; a null would make a score null. Train the "
            "model anew (doisoat train), or report it where it is the default model.",
            blocking=True,
        ),
        is_between("same_person", 0, 1, "A share of true pairs.", blocking=True),
    ),
    key=_COMPARISON,
)

NEAR_SCORES = Suite(
    TableName("core", "near_scores"),
    (
        is_filled("match_probability", "Every pair that was weighed has its score.", blocking=True),
        is_between("match_probability", 0, 1, "A probability.", blocking=True),
        is_between("share_of_citizen", 0, 1, "A share of the citizen's evidence.", blocking=True),
    ),
    key=_KEY,
)

CONTESTED_NUMBERS = Suite(
    TableName("core", "contested_numbers"),
    (
        is_unique("insurance_number", "A number is contested once.", blocking=True),
        is_between("bearers", 2, None, "One bearer alone contests nothing.", blocking=True),
    ),
    key="record_key(insurance_number)",
)

FOREIGN_NUMBERS = Suite(
    TableName("core", "foreign_numbers"),
    (
        is_one_of("reason", _REASONS, "Each reason has its label in codes.py.", blocking=True),
        never(
            "a_foreign_number_is_not_the_citizens_own",
            "recorded_value = personal_id",
            "To propose a number in place of itself would send a steward on an errand for nothing.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

CARD_CONFLICTS = Suite(
    TableName("core", "card_conflicts"),
    (is_one_of("reason", _REASONS, "Each reason has its label in codes.py.", blocking=True),),
    key=_KEY,
)

DECIDED = Suite(
    TableName("core", "decided"),
    (
        is_one_of(
            "verdict",
            ("link", "not_link", "not_a_person", "keep_record"),
            "Another word would decide nothing, and nobody would know: doisoat decide again.",
            blocking=True,
        ),
        is_one_of(
            "state",
            ("stands", "record_changed", "citizen_changed", "record_gone", "citizen_gone"),
            "Only a decision that stands keeps the machine from a link.",
            blocking=True,
        ),
        never(
            "the_last_word_counts",
            "decided_at < max(decided_at) over (partition by record_id, personal_id, verdict)",
            "Of what was said of a record and a citizen, an earlier word is history. A fault of "
            "the statement: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

LINKABLE = Suite(
    TableName("core", "linkable"),
    (
        is_unique(
            "record_id",
            "A record has one citizen: two would be published as two rows. A fault of the steps, "
            "which pass on what one of them settled: report it.",
            blocking=True,
        ),
        is_one_of(
            "match_step",
            tuple(step.value for step in MatchStep),
            "Steps are those of etl/domain/codes.py.",
            blocking=True,
        ),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

HELD_BACK = Suite(
    TableName("core", "held_back"),
    (
        is_filled("personal_id", "A person must see whom the machine found.", blocking=True),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

SUITES = (
    DECIDED,
    LINKABLE,
    HELD_BACK,
    AGREEING,
    SETTLED,
    CLAIMS,
    NUMBERS_OF_NOBODY,
    NUMBER_FAULTS,
    NUMBER_OWNERS,
    NUMBER_DOUBTS,
    NUMBER_PAIRS,
    *(_step(step) for step in MatchStep),
    RESIDUE,
    NAME_SHARES,
    PLACE_SHARES,
    BIRTHS_A_DAY,
    FULL_NAME_COUNTS,
    REGISTER_SIZE,
    GIVEN_NAMES_IN_USE,
    NEAR_RECORDS,
    NEAR_KEYS,
    NEAR_CITIZENS,
    NEAR_PAIRS,
    NEAR_EVIDENCE,
    LEVEL_CHANCES,
    LEVEL_WEIGHTS,
    NEAR_SCORES,
    CONTESTED_NUMBERS,
    FOREIGN_NUMBERS,
    CARD_CONFLICTS,
)
