"""What ties records and citizens together, as SQL: the rows that a delta must build anew.

Two things tie people together while links are sought: a number, now or formerly, and an equal name
and birth date. What is said of a linked record also depends on the records of the same citizen, and
on those with its insurance number or card. A filler ties nobody to anybody.

Each set is a temporary table that a stage makes of those before it: ``found_…`` is what the last
round has found, ``scope_…`` all that is in the scope, ``old_…`` rows as they were before they were
replaced.

Belongs here: those sets, and which rows of a table they mean. Does not belong here: the order in
which they are made (``scope.py``).
"""

from __future__ import annotations

from etl.clean.dictionaries import columns_of
from etl.engine.statements import Stage
from etl.extract.delta import key_of

SAVED = {
    "clean.insurance": "old_records",
    "clean.population": "old_citizens",
    "clean.former_numbers": "old_former_numbers",
    "core.links": "old_links",
}
"""Copies of rows before they are replaced: what only the old row was tied to must be built anew,
too."""

BEFORE = {
    "core.decided": "decided_before",
    "core.near_citizens": "near_before",
    "core.step_probabilistic": "probabilistic_before",
}
"""Tables that are built whole, with the copies that they are then compared with."""

NEEDED = {
    Stage.LINKING: ("core.decided",),
    Stage.NEARNESS: ("core.near_records", "core.near_keys", "core.near_citizens"),
    Stage.LINKED: ("core.near_scores", "core.step_probabilistic"),
}
"""The tables, built whole, by which a stage finds its rows."""


def _numbers(records: str, citizens: str) -> str:
    """The numbers that records claim, and those that citizens have or had."""
    return f"""
        select id_number as number, true as is_claimed
        from clean.insurance semi join {records} using (record_id)
        where id_number is not null
        union
        select insurance_personal_id, true
        from clean.insurance semi join {records} using (record_id)
        where insurance_personal_id is not null
        union
        select number, true
        from claimed_candidates semi join {records} using (record_id)
        union
        select personal_id, false
        from {citizens}
        union
        select former_number, false
        from clean.former_numbers semi join {citizens} using (personal_id)
    """


def _names(records: str, citizens: str) -> str:
    """The names and birth dates of records and citizens."""
    return f"""
        select name_key, birth_date
        from clean.insurance semi join {records} using (record_id)
        where name_key is not null and birth_date is not null
        union
        select name_key, birth_date
        from clean.population semi join {citizens} using (personal_id)
        where name_key is not null and birth_date is not null
    """


_CLAIMING = """
    select record_id
    from clean.insurance semi join found_numbers on id_number = number
    union
    select record_id
    from clean.insurance semi join found_numbers on insurance_personal_id = number
    union
    select record_id
    from claimed_candidates semi join found_numbers using (number)
"""
"""The records that claim one of the numbers that were found."""

_HOLDING = """
    select personal_id
    from clean.population
    semi join (select number from {numbers}) as numbers on personal_id = number
    union
    select personal_id
    from clean.former_numbers
    semi join (select number from {numbers}) as numbers on former_number = number
    anti join clean.fillers as fillers on former_number = fillers.number
"""
"""The citizens who have or had one of some numbers."""

_CARDS = """
    select unnest([insurance_number, card_insurance_number]) as number
    from {rows}
"""

_ROWS = """
    select record from clean.insurance semi join scope_records using (record_id)
    union
    select record from old_records
"""

SETS: dict[Stage, dict[str, str]] = {
    # Several spellings of one personal number belong to one citizen.
    Stage.READING: {
        "citizen_numbers": """
            select distinct coalesce(numbers.number, keys.row_key) as number
            from citizen_keys as keys
            left join clean.numbers as numbers
                on
                    numbers.field = 'personal' and numbers.kind = 'personal'
                    and keys.row_key = numbers.raw
        """,
        "citizen_keys": """
            select row_key from citizen_keys
            union
            select number from citizen_numbers
            union
            select raw
            from clean.numbers
            semi join citizen_numbers using (number)
            where field = 'personal' and kind = 'personal'
        """,
    },
    Stage.LINKING: {
        "changed_citizens": """
            select personal_id from old_citizens
            union
            select personal_id
            from clean.population
            semi join citizen_keys on recorded_personal_id = row_key
        """,
        "changed_decisions": """
            (select * from decided_before except select * from core.decided)
            union all
            (select * from core.decided except select * from decided_before)
        """,
        "claimed_candidates": """
            select record_id, unnest(string_split(id_candidates, ';')) as number
            from clean.insurance
            where id_candidates <> ''
            union all
            select record_id, unnest(string_split(id_candidates, ';')) as number
            from old_records
            where id_candidates <> ''
        """,
        # A citizen with nearly the name of a doubtful record, and its birth date, affects the
        # doubt.
        "found_records": """
            select row_key as record_id from record_keys
            union
            select record_id from changed_decisions
            union
            select doubts.record_id
            from core.number_doubts as doubts
            inner join clean.insurance as insurance on doubts.record_id = insurance.record_id
            semi join (
                select birth_date, name_key from old_citizens
                union all
                select birth_date, name_key
                from clean.population semi join changed_citizens using (personal_id)
            ) as changed
                on
                    insurance.birth_date = changed.birth_date
                    and same_first_word(insurance.name_key, changed.name_key)
        """,
        "found_citizens": """
            select personal_id from changed_citizens
            union
            select personal_id from changed_decisions where personal_id is not null
            union
            select personal_id
            from core.decided semi join found_records using (record_id)
            where personal_id is not null
        """,
        "found_numbers": f"""
            {_numbers("found_records", "found_citizens")}
            union
            select unnest([id_number, insurance_personal_id]), true from old_records
            union
            select former_number, false from old_former_numbers
        """,
        "found_names": f"""
            {_names("found_records", "found_citizens")}
            union
            select name_key, birth_date from old_records
            union
            select name_key, birth_date from old_citizens
        """,
    },
    Stage.NEARNESS: {
        "gone_pairs": """
            select record_id, personal_id
            from near_before
            anti join core.near_citizens using (record_id, personal_id)
        """,
        "fresh_pairs": """
            select record_id, personal_id
            from core.near_citizens
            anti join near_before using (record_id, personal_id)
            union
            select record_id, personal_id
            from core.near_citizens semi join scope_records using (record_id)
            union
            select record_id, personal_id
            from core.near_citizens semi join changed_citizens using (personal_id)
        """,
    },
    Stage.LINKED: {
        "scope_records": """
            select record_id from scope_records
            union
            (select record_id from (
                select * from core.step_probabilistic except select * from probabilistic_before
            ))
            union
            (select record_id from (
                select * from probabilistic_before except select * from core.step_probabilistic
            ))
            union
            select record_id
            from core.step_probabilistic semi join changed_citizens using (personal_id)
            union
            select record_id
            from probabilistic_before semi join changed_citizens using (personal_id)
        """,
        "scope_citizens": """
            select personal_id from scope_citizens
            union
            select personal_id
            from core.step_probabilistic semi join scope_records using (record_id)
        """,
        "scope_rows": _ROWS,
    },
    Stage.FINDINGS: {
        "no_citizens": "select personal_id from changed_citizens limit 0",
        "found_records": "select record_id from scope_records",
        "found_numbers": f"""
            select * from ({_numbers("found_records", "changed_citizens")}) where is_claimed
            union
            select unnest([id_number, insurance_personal_id]), true from old_records
        """,
        "found_cards": f"""
            {_CARDS.format(rows="clean.insurance semi join found_records using (record_id)")}
            union
            {_CARDS.format(rows="old_records")}
            union
            select personal_id from changed_citizens
        """,
        "found_linked": """
            select personal_id from core.links semi join found_records using (record_id)
            union
            select personal_id from old_links
        """,
    },
}
"""The sets that a stage begins with, each made of the sets before it."""

TIES: dict[Stage, dict[str, str]] = {
    # Equal numbers, equal names and birth dates, and what people decided.
    Stage.LINKING: {
        "records": f"""
            {_CLAIMING}
            union
            select record_id
            from clean.insurance semi join found_names using (name_key, birth_date)
            union
            select record_id
            from core.decided semi join found_citizens using (personal_id)
        """,
        "citizens": f"""
            {_HOLDING.format(numbers="found_numbers where is_claimed")}
            union
            select personal_id
            from clean.population semi join found_names using (name_key, birth_date)
            union
            select personal_id
            from core.decided semi join found_records using (record_id)
            where personal_id is not null
        """,
        "numbers": _numbers("found_records", "found_citizens"),
        "names": _names("found_records", "found_citizens"),
    },
    # Equal numbers of persons, of insurance and of cards, and records of one citizen.
    Stage.FINDINGS: {
        "records": f"""
            {_CLAIMING}
            union
            select record_id
            from clean.insurance semi join found_cards on insurance_number = number
            union
            select record_id
            from clean.insurance semi join found_cards on card_insurance_number = number
            union
            select record_id
            from core.links semi join found_linked using (personal_id)
        """,
        "numbers": f"""
            select * from ({_numbers("found_records", "no_citizens")})
        """,
        "cards": _CARDS.format(rows="clean.insurance semi join found_records using (record_id)"),
        "linked": "select personal_id from core.links semi join found_records using (record_id)",
    },
}
"""The queries that find what is tied to the findings of the last round."""

SETS_AFTER: dict[Stage, dict[str, str]] = {
    Stage.LINKING: {"scope_rows": _ROWS},
    Stage.FINDINGS: {
        "scope_rows": _ROWS,
        "scope_citizens": f"""
            select personal_id from scope_linked
            union
            select personal_id from core.candidates semi join scope_records using (record_id)
            union
            {_HOLDING.format(numbers="scope_numbers")}
            union
            select personal_id
            from clean.population semi join scope_cards on personal_id = number
        """,
    },
}
"""The sets that are made at the end, from all that was found."""


def restated_strings(dictionary: str) -> str:
    """The temporary table of the strings (``raw``) that a dictionary understands otherwise now."""
    return f"restated_{dictionary}"


def keys_of_restated(register: str, dictionary: str) -> str:
    """The keys of a register's rows in which one of those strings stands."""
    return " union ".join(
        f"select {key_of(register)} as row_key from raw.{register} "
        f"semi join {restated_strings(dictionary)} as strings on {column} = strings.raw"
        for column in columns_of(dictionary, register)
    )


_OF_RAW_KEYS = {
    f"raw.{register}": f"{key_of(register)} in (select row_key from {keys})"
    for register, keys in (("insurance", "record_keys"), ("population", "citizen_keys"))
}

BY_COLUMN = {
    "record_id": "record_id in (select record_id from scope_records)",
    "record": "record in (select record from scope_rows)",
    "personal_id": "personal_id in (select personal_id from scope_citizens)",
}
"""Which rows are in the scope, by the first of these columns that a table has."""

_OF_RECORDS_READ = "record_id in (select row_key from record_keys)"
_OF_CITIZENS_READ = "recorded_personal_id in (select row_key from citizen_keys)"
_FORMER_OF_SCOPE = """
    personal_id in (select personal_id from scope_citizens)
    or former_number in (select number from scope_numbers)
"""
_FRESH = "(record_id, personal_id) in (select (record_id, personal_id) from fresh_pairs)"

SHOWN: dict[tuple[Stage, str], str] = {
    **{(Stage.READING, register): rows for register, rows in _OF_RAW_KEYS.items()},
    (Stage.READING, "clean.insurance"): _OF_RECORDS_READ,
    (Stage.READING, "clean.population"): _OF_CITIZENS_READ,
    (Stage.LINKING, "clean.former_numbers"): _FORMER_OF_SCOPE,
    (Stage.FINDINGS, "clean.former_numbers"): _FORMER_OF_SCOPE,
    (Stage.NEARNESS, "core.near_citizens"): _FRESH,
    (Stage.NEARNESS, "core.near_pairs"): _FRESH,
    (Stage.FINDINGS, "raw.insurance"): "row_number in (select record from scope_rows)",
    (Stage.FINDINGS, "raw.population"): """
        row_number in (
            select citizen from clean.population semi join scope_citizens using (personal_id)
        )
    """,
}
"""Which rows of an input count, where ``BY_COLUMN`` does not say."""

GONE: dict[str, str] = {
    "clean.repeated_keys": """
        (register = 'insurance' and row_key in (select row_key from record_keys))
        or (register = 'population' and row_key in (select row_key from citizen_keys))
    """,
    "clean.insurance": _OF_RECORDS_READ,
    "clean.population": _OF_CITIZENS_READ,
    "clean.former_numbers": f"""
        personal_id in (
            select personal_id from old_citizens
            union
            select personal_id from clean.population where {_OF_CITIZENS_READ}
        )
    """,
    "clean.rejects": f"""
        (
            register = 'insurance'
            and {key_of("insurance")} in (select row_key from record_keys)
        )
        or (
            register = 'population'
            and {key_of("insurance")} in (select row_key from citizen_keys)
        )
    """,
    Stage.NEARNESS: """
        record_id in (select record_id from scope_records)
        or personal_id in (select personal_id from changed_citizens)
        or (record_id, personal_id) in (select (record_id, personal_id) from gone_pairs)
    """,
}
"""Which rows of a table are replaced, where ``BY_COLUMN`` does not say."""

WHOLE_BY: dict[str, frozenset[str]] = {
    "clean.insurance": frozenset({"record_id"}),
    "clean.population": frozenset({"recorded_personal_id"}),
    "clean.former_numbers": frozenset({"personal_id"}),
    Stage.NEARNESS: frozenset({"record_id", "personal_id"}),
}
"""The columns on which alone the conditions in ``GONE`` depend, where they are the table's own."""
