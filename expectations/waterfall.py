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
_LABELLED = (
    "Each reason has its label in etl/domain/codes.py; another is a fault of the table: report it."
)


def _levels_are_known(*columns: str) -> tuple[Rule, ...]:
    return tuple(
        is_one_of(
            column,
            _LEVELS[column],
            "The levels of agreement are those of etl/domain/codes.py; another would count for "
            "nothing. A fault of the table: report it.",
            blocking=True,
        )
        for column in columns
    )


def _one_row_per_pair() -> Rule:
    return never(
        "one_row_per_record_and_citizen",
        "count(*) over (partition by record_id, personal_id) > 1",
        "Each record and citizen are compared once; a repeat would look like a tie between two "
        "citizens and send the link to review. A fault of the table: report it.",
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
                "A step makes a link, asks a person, or says that the number is somebody else's; a "
                "steward may say that the record is nobody's. Another verdict is a fault of the "
                "step: report it.",
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
        is_unique(
            "record",
            "A record here has one number and so one citizen. A fault of core.agreeing: report it.",
            blocking=True,
        ),
        is_filled(
            "citizen",
            "A record here agrees with a citizen, who must be named. A fault of core.agreeing: "
            "report it.",
            blocking=True,
        ),
        *_levels_are_known("name_agreement"),
    ),
    key=_KEY_OF_ROW,
)

SETTLED = Suite(
    TableName("core", "settled"),
    (
        is_unique(
            "record",
            "A record is settled only once. A fault of core.settled: report it.",
            blocking=True,
        ),
        is_unique(
            "citizen",
            "If two records claim a citizen, neither is settled here: the waterfall judges them. A "
            "fault of core.settled: report it.",
            blocking=True,
        ),
    ),
    key=_KEY_OF_ROW,
)

CLAIMS = Suite(
    TableName("core", "claims"),
    (
        is_filled(
            "record_id",
            "Each claim names the record that makes it. A fault of core.claims: report it.",
            blocking=True,
        ),
        never(
            "nobody_here_is_settled",
            "record_id in "
            "(select record_id from clean.insurance semi join core.settled using (record))",
            "A record that is settled does not go through the waterfall, so it has no claims here. "
            "A fault of core.claims: report it.",
            blocking=True,
        ),
        never(
            "claimed_numbers_are_whole",
            "length(number) not in (9, 12)",
            "A claim is a CMND of 9 digits or a personal number of 12; anything else was misread. "
            "A fault of the normaliser: report it.",
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
            "A record and number are listed once. A fault of the table: report it.",
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
            "The codes for a wrong identity number, which have a label in etl/domain/codes.py; "
            "another is a fault of core.number_faults: report it.",
            blocking=True,
        ),
        is_one_of(
            "field",
            ("id_number", "insurance_number"),
            "An identity number is in one of these two columns. A fault of core.number_faults: "
            "report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)  # fmt: skip

NUMBER_OWNERS = Suite(
    TableName("core", "number_owners"),
    (
        is_filled(
            "personal_id",
            "A number's owner is a citizen, who must be named. A fault of core.number_owners: "
            "report it.",
            blocking=True,
        ),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

NUMBER_DOUBTS = Suite(
    TableName("core", "number_doubts"),
    (
        is_filled(
            "is_outdone",
            "Here must be yes or no: does another citizen fit the record better? A fault of the "
            "table: report it.",
            blocking=True,
        ),
        is_filled(
            "is_alone",
            "Here must be yes or no: does only this record fit the number's owner? A fault of the "
            "table: report it.",
            blocking=True,
        ),
        never(
            "doubted_once",
            "count(*) over (partition by record_id, personal_id) > 1",
            "A record and citizen have one row; a second would double the pair that it is joined "
            "to. A fault of the table: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NUMBER_PAIRS = Suite(
    TableName("core", "number_pairs"),
    (
        is_filled(
            "personal_id",
            "A pair names a record and a citizen. A fault of core.number_pairs: report it.",
            blocking=True,
        ),
        is_one_of(
            "verdict",
            ("link", "review", "other"),
            "ref.verdicts has a verdict for every combination of levels; a pair without one would "
            "be lost. A fault of core.number_pairs: report it.",
            blocking=True,
        ),
        never(
            "another_name_needs_all_else",
            "reason = 'nobody_else' and (birth_agreement <> 'same' "
            "or gender_agreement <> 'same' or match_step = 'repaired_id')",
            "Where the given name differs, a number makes a link only if birth date and sex are "
            "the same and nothing was repaired. A fault of the table: report it.",
            blocking=True,
        ),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

RESIDUE = Suite(
    TableName("core", "residue"),
    (
        is_unique(
            "record_id",
            "Each record that no number settled is here once. A fault of core.residue: report it.",
            blocking=True,
        ),
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
            "A share of the citizens is between 0 and 1; outside, agreement by chance is "
            "misjudged. A fault of the table: report it.",
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
            "A share of the citizens is between 0 and 1; outside, agreement by chance is "
            "misjudged. A fault of the table: report it.",
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
            "Only days on which somebody was born are counted; with none, the chance of agreeing "
            "cannot be computed. A fault of core.births_a_day: report it.",
            blocking=True,
        ),
    ),
    key="concat_ws('/', gender, birth_date)",
)

FULL_NAME_COUNTS = Suite(
    TableName("core", "full_name_counts"),
    (
        is_unique(
            "name_key",
            "Each name is counted once. A fault of core.full_name_counts: report it.",
            blocking=True,
        ),
        is_between(
            "citizens",
            1,
            None,
            "Only names that a citizen bears are counted; the weight of another would have no "
            "limit. A fault of core.full_name_counts: report it.",
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
            "Without the number of citizens no probability can be computed. A fault of "
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
            "Each name is here once; a repeat would make two rows of one pair. A fault of the "
            "table: report it.",
            blocking=True,
        ),
    ),
    key="record_key(given_name)",
)

NEAR_RECORDS = Suite(
    TableName("core", "near_records"),
    (
        is_unique(
            "record_id",
            "Each record to be compared is here once. A fault of core.near_records: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

NEAR_KEYS = Suite(
    TableName("core", "near_keys"),
    (
        never(
            "keys_are_of_the_records_that_are_weighed",
            "record_id not in (select record_id from core.near_records)",
            "Only records of core.near_records are to be compared; this one is not there. A fault "
            "of core.near_keys: report it.",
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
            "A record that an earlier step linked has its citizen and must not find another. A "
            "fault of core.near_citizens: report it.",
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
            "chance",
            0,
            1,
            "How often two strangers agree at a level is a share from 0 to 1. A fault of "
            "core.level_chances: report it.",
            blocking=True,
        ),
    ),
    key=_COMPARISON,
)

LEVEL_WEIGHTS = Suite(
    TableName("core", "level_weights"),
    (
        is_filled(
            "weight",
            "Every level of the model needs a weight; without it a pair has no score. Train the "
            "model anew (doisoat train), or report it where it is the default model.",
            blocking=True,
        ),
        is_between(
            "same_person",
            0,
            1,
            "How often one person's two entries agree at a level is a share from 0 to 1. Train the "
            "model anew (doisoat train), or report it where it is the default model.",
            blocking=True,
        ),
    ),
    key=_COMPARISON,
)

NEAR_SCORES = Suite(
    TableName("core", "near_scores"),
    (
        is_filled(
            "match_probability",
            "Every pair that was weighed has its probability. A fault of core.near_scores: report "
            "it.",
            blocking=True,
        ),
        is_between(
            "match_probability",
            0,
            1,
            "A probability is between 0 and 1. A fault of core.near_scores: report it.",
            blocking=True,
        ),
        is_between(
            "share_of_citizen",
            0,
            1,
            "The pair's share of all evidence for the citizen is between 0 and 1. A fault of "
            "core.near_scores: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

CONTESTED_NUMBERS = Suite(
    TableName("core", "contested_numbers"),
    (
        is_unique(
            "insurance_number",
            "Each number that different people carry is here once. A fault of "
            "core.contested_numbers: report it.",
            blocking=True,
        ),
        is_between(
            "bearers",
            2,
            None,
            "A number is contested only if two or more people carry it. A fault of "
            "core.contested_numbers: report it.",
            blocking=True,
        ),
    ),
    key="record_key(insurance_number)",
)

FOREIGN_NUMBERS = Suite(
    TableName("core", "foreign_numbers"),
    (
        is_one_of("reason", _REASONS, _LABELLED, blocking=True),
        never(
            "a_foreign_number_is_not_the_citizens_own",
            "recorded_value = personal_id",
            "A steward would be asked to replace a number by the same number. A fault of "
            "core.foreign_numbers: report it.",
            blocking=True,
        ),
    ),
    key=_KEY,
)

CARD_CONFLICTS = Suite(
    TableName("core", "card_conflicts"),
    (is_one_of("reason", _REASONS, _LABELLED, blocking=True),),
    key=_KEY,
)

DECIDED = Suite(
    TableName("core", "decided"),
    (
        is_one_of(
            "verdict",
            ("link", "not_link", "not_a_person", "keep_record"),
            "A decision with another verdict would have no effect, and nobody would notice: decide "
            "again with doisoat decide.",
            blocking=True,
        ),
        is_one_of(
            "state",
            ("stands", "record_changed", "citizen_changed", "record_gone", "citizen_gone"),
            "A decision counts in full only if its state is 'stands'; the other four say why it no "
            "longer fits. Any other word is a fault of core.decided: report it.",
            blocking=True,
        ),
        never(
            "the_last_word_counts",
            "decided_at < max(decided_at) over (partition by record_id, personal_id, verdict)",
            "Of several decisions on a record and citizen only the latest counts. A fault of "
            "core.decided: report it.",
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
            "of which a later one took in what an earlier one had linked: report it.",
            blocking=True,
        ),
        is_one_of(
            "match_step",
            tuple(step.value for step in MatchStep),
            "The steps are those of etl/domain/codes.py; another is a fault of core.linkable: "
            "report it.",
            blocking=True,
        ),
        *_levels_are_known(*_PEOPLE),
    ),
    key=_KEY,
)

HELD_BACK = Suite(
    TableName("core", "held_back"),
    (
        is_filled(
            "personal_id",
            "A person must see which citizen the machine found. A fault of core.held_back: report "
            "it.",
            blocking=True,
        ),
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
