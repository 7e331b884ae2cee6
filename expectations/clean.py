"""Suites of the schema ``clean``: was every value understood, and how many were not?

Belongs here: rules on normalised values and on what was set aside. Does not belong here: how the
two registers agree (``core.py``).
"""

from etl.domain.codes import Owner
from etl.engine.statements import TableName
from expectations.rules import (
    Kind,
    Rule,
    Suite,
    holds,
    is_between,
    is_filled,
    is_one_of,
    is_unique,
    never,
)


def is_mostly_used(register: str, harm: str, causes: str) -> Rule:
    """Most rows of a register could be used; copies of a row that was used do no harm."""
    lost = f"filter (register = '{register}' and reason <> 'row_repeated')"
    rows = f"(select count(*) from raw.{register})"  # noqa: S608 - our own names
    return holds(
        f"{register}_rows_are_mostly_used",
        f"select 1 from (select count(*) {lost} as lost from {{batch}}) "  # noqa: S608
        f"where lost > <at_most> * {rows}",
        f"Too many rows of the {register} register were rejected: {harm}. {causes} The other "
        "rules of this table list the rows (doisoat triage clean.rejects.RULE). If the register "
        "really is like this, raise at_most of this rule in the file that [quality] thresholds "
        "names.",
        limit=f"at most {{at_most:.0%}} of the {register} register's rows rejected",
        seen=f"select format('{{:,}} of {{:,}} rows of the {register} register rejected, "  # noqa: S608
        f"{{:.1f}}%', count(*) {lost}, {rows}, 100 * (count(*) {lost}) / greatest({rows}, 1)) "
        "|| coalesce((select '; most of them: ' || reason || ', in ' || column_name from {batch} "
        f"where register = '{register}' and reason <> 'row_repeated' "
        "group by reason, column_name order by count(*) desc, reason limit 1), '') from {batch}",
    )


def vocabulary_is_read(
    register: str, what: str, columns: tuple[str, ...], harm: str, owner: Owner
) -> tuple[Rule, Rule]:
    """Every word of a register's vocabulary is understood; and most of its rows are."""
    listed = ", ".join(f"'{column}'" for column in columns)
    here = f"register = '{register}' and column_name in ({listed})"
    rule = f"clean.vocabularies.{register}_{what}_are_understood"
    mend = (
        f"doisoat triage {rule} lists the spellings by key, and with --record KEY shows one; say "
        f"what each means under [{register}.values.{columns[0]}] of the configuration."
    )
    unread = "coalesce(sum(copies) filter (value is null), 0)"
    return (
        never(
            f"{register}_{what}_are_understood",
            f"{here} and value is null",
            f"These spellings of the {register} register are not understood: {harm} {mend}",
            owner=owner,
        ),
        holds(
            f"{register}_{what}_are_mostly_understood",
            f"select 1 from (select {unread} as unread, sum(copies) as filled from {{batch}} "  # noqa: S608
            f"where {here}) where unread > <at_most> * filled",
            f"Much of this column of the {register} register is not understood: the wrong column "
            f"is mapped, or the register uses its own codes. As it is, {harm} {mend}",
            blocking=True,
            limit="at most {at_most:.0%} of the filled rows not understood",
            seen=f"select format('{{:,}} of {{:,}} filled rows not understood', {unread}, "  # noqa: S608
            f"coalesce(sum(copies), 0)) from {{batch}} where {here}",
        ),
    )


_FLAGS = ("compulsory_si", "voluntary_si", "unemployment_insurance", "health_insurance")

VOCABULARIES = Suite(
    TableName("clean", "vocabularies"),
    (
        never(
            "each_spelling_means_one_thing",
            "count(*) over (partition by register, column_name, raw) > 1",
            "A spelling with two meanings would double every record that has it. A fault of the "
            "table: report it.",
            blocking=True,
        ),
        *vocabulary_is_read(
            "insurance",
            "statuses",
            ("status",),
            "the records concerned count as neither active nor ended, so deaths are not noticed.",
            Owner.ENGINEERING,
        ),
        *vocabulary_is_read(
            "insurance",
            "sexes",
            ("gender",),
            "sex is not compared.",
            Owner.INSURANCE,
        ),
        *vocabulary_is_read(
            "insurance",
            "provinces",
            ("province_code",),
            "the records concerned count under no province and appear on no office's worklist.",
            Owner.INSURANCE,
        ),
        *vocabulary_is_read(
            "insurance",
            "flags",
            _FLAGS,
            "the records concerned are counted in no scheme.",
            Owner.INSURANCE,
        ),
        *vocabulary_is_read(
            "population",
            "statuses",
            ("status",),
            "the dead among the citizens concerned count as living.",
            Owner.ENGINEERING,
        ),
        *vocabulary_is_read(
            "population",
            "sexes",
            ("gender",),
            "sex is not compared.",
            Owner.POPULATION,
        ),
        *vocabulary_is_read(
            "population",
            "provinces",
            ("province_code",),
            "the province is not compared, and living residents are counted under no province.",
            Owner.POPULATION,
        ),
    ),
    key="concat_ws('/', register, column_name, record_key(raw))",
)


_ONCE = (
    "Each distinct spelling is once in the dictionary; a repeat would double records. A fault of "
    "the table: report it."
)


def _one_meaning(table: str) -> Suite:
    return Suite(
        TableName("clean", table),
        (
            never(
                "each_string_stands_once",
                f"count(*) over (partition by {'field, ' if table == 'statuses' else ''}raw) > 1",
                _ONCE,
                blocking=True,
            ),
        ),
        key="record_key(raw)",
    )


STATUSES, PROVINCES = _one_meaning("statuses"), _one_meaning("provinces")

NAMES = Suite(
    TableName("clean", "names"),
    (
        is_unique(
            "raw",
            "Each distinct name is once in the dictionary; a repeat would double records. Delete "
            "the warehouse's table clean.names and run again.",
            blocking=True,
        ),
        never(
            "every_string_is_understood_or_refused",
            "(name_key is null) = (reject is null or reject = '')",
            "A string must have either a key or the reason why not. This is a fault of the "
            "normaliser: report it with the count.",
            blocking=True,
        ),
    ),
    key="record_key(raw)",
)

BIRTHS = Suite(
    TableName("clean", "births"),
    (
        is_unique("raw", _ONCE, blocking=True),
        never(
            "year_of_birth_or_death_is_possible",
            "birth_year not between 1880 and extract(year from current_date)",
            "Dates of birth and of death share this dictionary. Nobody alive was born before 1880, "
            "and nothing has happened in the future; the normaliser refuses such dates.",
            blocking=True,
        ),
    ),
    key="record_key(raw)",
)

NUMBERS = Suite(
    TableName("clean", "numbers"),
    (
        never(
            "understood_numbers_are_digits",
            "number is not null and not regexp_full_match(number, '[0-9]+')",
            "A number that was understood has digits only; anything else is a fault of the "
            "normaliser: report it.",
            blocking=True,
        ),
    ),
    key="record_key(raw)",
)

_SEXES = "Later steps compare only M and F; any other value is a fault of the table: report it."

GENDERS = Suite(
    TableName("clean", "genders"),
    (
        is_unique("raw", _ONCE, blocking=True),
        is_one_of("value", ("M", "F"), _SEXES, blocking=True),
    ),
    key="record_key(raw)",
)

FLAGS = Suite(
    TableName("clean", "flags"),
    (is_unique("raw", _ONCE, blocking=True),),
    key="record_key(raw)",
)

REPEATED_KEYS = Suite(
    TableName("clean", "repeated_keys"),
    (
        is_between(
            "copies",
            2,
            None,
            "A key that only one row has is not a repeated key. A fault of the table: report it.",
            blocking=True,
        ),
    ),
    key="record_key(row_key)",
)

INSURANCE = Suite(
    TableName("clean", "insurance"),
    (
        is_unique(
            "record_id",
            "Each record has one row; a repeat would double counts and links. A fault of "
            "clean.insurance: report it.",
            blocking=True,
        ),
        is_filled(
            "name_key",
            "A record whose name cannot be read can be found by number only. Correct the listed "
            "names at the source.",
            name="names_are_mostly_readable",
            owner=Owner.INSURANCE,
        ),
        is_filled(
            "birth_year",
            "A record without a birth date can hardly be verified. Correct the listed dates at "
            "the source.",
            name="birth_dates_are_mostly_readable",
            owner=Owner.INSURANCE,
        ),
        is_filled(
            "gender",
            "Without a sex, this cannot be compared with the population register. Complete it at "
            "the source.",
            name="sexes_are_mostly_readable",
            owner=Owner.INSURANCE,
        ),
        is_filled(
            "province_code",
            "A record whose province code is missing or not known is counted under 'unknown'. "
            "Correct it at the source, or map it under [insurance.values.province_code].",
            name="provinces_are_mostly_known",
            owner=Owner.INSURANCE,
        ),
        is_one_of("gender", ("M", "F"), _SEXES, blocking=True),
        is_one_of(
            "status",
            ("active", "ended", "other"),
            "Later steps know only these three; another is a fault of clean.vocabularies: report "
            "it.",
            blocking=True,
        ),
        never(
            "numbers_have_their_length",
            "(id_kind = 'personal' and length(id_number) <> 12)"
            " or (id_kind = 'cmnd' and length(id_number) <> 9)"
            " or length(insurance_number) <> 10",
            "A number of another length was misread: a fault of the normaliser, report it.",
            blocking=True,
        ),
        never(
            "scheme_is_known",
            "not (compulsory_si or voluntary_si or unemployment_insurance or health_insurance)",
            "A record in no scheme is counted only in the totals. Check the flag columns of the "
            "mapping if there are many.",
            owner=Owner.INSURANCE,
        ),
    ),
    key="record_key(record_id)",
)

POPULATION = Suite(
    TableName("clean", "population"),
    (
        is_unique(
            "personal_id",
            "Each citizen has one row; with a repeat, a record would find two citizens. A fault of "
            "clean.population: report it.",
            blocking=True,
        ),
        is_filled(
            "name_key",
            "No record can be verified with a citizen whose name cannot be read. Correct the "
            "listed names in the population register.",
            owner=Owner.POPULATION,
            name="names_are_mostly_readable",
        ),
        is_filled(
            "birth_year",
            "Hardly any record can be verified with a citizen whose birth date cannot be read. "
            "Correct the listed dates in the population register.",
            owner=Owner.POPULATION,
            name="birth_dates_are_mostly_readable",
        ),
        never(
            "personal_number_is_12_digits",
            "not regexp_full_match(personal_id, '[0-9]{12}')",
            "By law a personal number has 12 digits; rows with another belong in clean.rejects. A "
            "fault of clean.population: report it.",
            blocking=True,
            owner=Owner.POPULATION,
        ),
        is_one_of(
            "gender",
            ("M", "F"),
            _SEXES,
            blocking=True,
            owner=Owner.POPULATION,
        ),
        never(
            "deaths_follow_births",
            "date_of_death < birth_date",
            "A death before the birth is a typing error. Correct it in the population register.",
            owner=Owner.POPULATION,
        ),
    ),
    key="record_key(personal_id)",
)

REJECTS = Suite(
    TableName("clean", "rejects"),
    (
        is_one_of(
            "reason",
            (
                "record_id_missing",
                "record_id_conflict",
                "row_repeated",
                "nothing_to_compare",
                "personal_id_invalid",
                "personal_id_conflict",
            ),
            "Only these reasons have a text that a person can read; another is a fault of the "
            "table: report it.",
            blocking=True,
        ),
        never(
            "keys_are_not_in_conflict",
            "reason in ('record_id_conflict', 'personal_id_conflict')",
            "Different rows share one key, so none of them could be used. Ask the register's "
            "administrator which is right.",
            owner=Owner.INSURANCE,
        ),
        never(
            "rows_have_their_key",
            "reason = 'record_id_missing'",
            "Without its key a row can be neither used nor corrected. Ask the register's "
            "administrator how it came about.",
            owner=Owner.INSURANCE,
        ),
        never(
            "rows_come_once",
            "reason = 'row_repeated'",
            "The same row stands in the register several times; one copy is used. Delete the "
            "others at the source.",
            owner=Owner.INSURANCE,
        ),
        never(
            "records_have_something_to_compare",
            "reason = 'nothing_to_compare'",
            "Neither a number nor a name with a birth date or an address can be read, so nobody "
            "can be found. Complete the record at the source; the next run uses it.",
            owner=Owner.INSURANCE,
        ),
        never(
            "personal_numbers_are_understood",
            "reason = 'personal_id_invalid'",
            "No record can be linked to a citizen without a 12-digit number. Correct the number in "
            "the population register; the next run uses it.",
            owner=Owner.POPULATION,
        ),
        is_mostly_used(
            "population",
            "the insurance records of these citizens would be published as NOT_FOUND",
            "Usually the mapping reads the wrong column: see personal_id under "
            "[population.columns] of the configuration.",
        ),
        is_mostly_used(
            "insurance",
            "they would be published as REJECTED, and their links closed",
            "Usually the mapping reads the wrong column: 'observed' names it; correct it under "
            "[insurance.columns] of the configuration.",
        ),
        Rule(
            "rejects_are_few",
            Kind.ROW_COUNT,
            "With so many rejects, a column is probably mapped wrongly. Look at the reasons in the "
            "target's table rejects.",
            limit="at most {at_most:,} rows",
        ),
    ),
)

FORMER_NUMBERS = Suite(
    TableName("clean", "former_numbers"),
    (
        never(
            "former_number_is_9_or_12_digits",
            "length(former_number) not in (9, 12)",
            "A CMND has 9 digits, a cancelled personal number 12; anything else was misread. A "
            "fault of the normaliser: report it.",
            blocking=True,
            owner=Owner.POPULATION,
        ),
    ),
    key="record_key(personal_id)",
)

FILLERS = Suite(
    TableName("clean", "fillers"),
    (
        never(
            "each_filler_stands_once",
            "count(*) over (partition by number) > 1",
            "A filler (a made-up number that many citizens list) is here once; a repeat would "
            "double the claims of its records. A fault of clean.fillers: report it.",
            blocking=True,
        ),
        never(
            "filler_is_listed_by_a_crowd",
            "holders <= (select block_limit from ops.parameters)",
            "A number that few citizens list is a real one; taken for a filler, it would link "
            "nobody any more. A fault of clean.fillers: report it.",
            blocking=True,
            owner=Owner.POPULATION,
        ),
    ),
    key="record_key(number)",
)

SUITES = (
    NAMES,
    BIRTHS,
    NUMBERS,
    GENDERS,
    FLAGS,
    STATUSES,
    PROVINCES,
    VOCABULARIES,
    REPEATED_KEYS,
    INSURANCE,
    POPULATION,
    FORMER_NUMBERS,
    FILLERS,
    REJECTS,
)
