"""What ties records and citizens together, as SQL: the rows that a delta must build anew.

Two things tie people together while links are sought: a number, now or formerly, and an equal name
and birth date. What is said of a linked record also depends on the records of the same citizen, and
on those with its insurance number or card. A filler ties nobody to anybody.

Each set is a temporary table that a stage makes of those before it: ``scope_…`` is all that is in
the scope, ``old_…`` rows as they were before they were replaced. Ties are followed over hashes of
keys, numbers and names, because many rounds look at all of them: ``found_…`` is what the last round
has found, ``reached_…`` all that the rounds have found. (If two texts have one hash, the scope is
larger than it need be, and nothing else.)

Belongs here: those sets, and which rows of a table they mean. Does not belong here: the order in
which they are made (``scope.py``).
"""

from __future__ import annotations

from etl.clean.dictionaries import columns_of
from etl.domain.codes import MatchStep
from etl.engine.statements import Stage
from etl.extract.delta import key_of

SAVED = {
    "clean.insurance": (
        "old_records",
        "record_id, record, name_key, birth_date, id_number, id_candidates, insurance_personal_id, "
        "insurance_number, card_insurance_number",
    ),
    "clean.population": (
        "old_citizens",
        "personal_id, name_key, birth_date, birth_year, province_code, address",
    ),
    "clean.former_numbers": ("old_former_numbers", "personal_id, former_number"),
    "core.near_citizens": ("old_near", "record_id, personal_id"),
    "core.near_evidence": ("old_evidence", "*"),
    "core.step_probabilistic": ("old_probabilistic", "*"),
    "core.links": ("old_links", "personal_id"),
}
"""Copies of rows before they are replaced, with some of their columns: what only the old row was
tied to must be built anew, too."""

BEFORE = {"core.decided": "decided_before"}
"""Tables that are built whole, with the copies that they are then compared with."""

NEEDED = {
    Stage.LINKING: ("core.decided",),
    Stage.BLOCKING: ("core.near_records", "core.near_keys"),
}
"""The tables, built whole, by which a stage finds its rows."""


def _numbers_in(rows: str, *columns: str) -> str:
    """The numbers in some columns of rows of the insurance register."""
    return " union all ".join(
        f"select hash(record_id) as record, hash({column}) as number "
        f"from {rows} where {column} is not null"
        for column in columns
    )


def _claims(rows: str) -> str:
    """The numbers that rows of the insurance register claim."""
    return f"""
        {_numbers_in(rows, "id_number", "insurance_personal_id")}
        union all
        select
            hash(record_id) as record,
            hash(unnest(string_split(id_candidates, ';'))) as number
        from {rows}
        where id_candidates <> ''
    """


def _cards(rows: str) -> str:
    """The insurance numbers and card numbers of rows of the insurance register."""
    return _numbers_in(rows, "insurance_number", "card_insurance_number")


def _numbers(records: str, citizens: str) -> str:
    """The numbers that records claim, and those that citizens have or had."""
    return f"""
        select
            number,
            true as is_claimed
        from claimed_numbers semi join {records} using (record)
        union
        select citizen, false
        from {citizens}
        union
        select number, false
        from held_numbers semi join {citizens} using (citizen)
    """


def _names(records: str, citizens: str) -> str:
    """The names and birth dates of records and citizens."""
    return f"""
        select name
        from names_of_records semi join {records} using (record)
        where name is not null
        union
        select name
        from names_of_citizens semi join {citizens} using (citizen)
        where name is not null
    """


def _blocks(citizens: str, former_numbers: str) -> str:
    """The blocking keys of citizens (``personal_id``, ``key``), as often as each has them."""
    return f"""
        select
            personal_id,
            unnest(person_blocks(name_key, birth_date, birth_year, province_code, address)) as key
        from {citizens}
        union all
        select
            personal_id,
            unnest(address_blocks(address))
        from {citizens}
        where (select street_addresses from ops.parameters)
        union all
        select
            personal_id,
            unnest(number_blocks(number, name_key, birth_year, province_code))
        from (
            select personal_id, personal_id as number from {citizens}
            union all
            select personal_id, former_number from {former_numbers}
        ) as numbers
        inner join {citizens} as citizens using (personal_id)
    """


_NAME = "if(name_key is null or birth_date is null, null, hash(name_key, birth_date))"

_CLAIMING = "select record from claimed_numbers semi join found_numbers using (number)"
"""The records that claim one of the numbers that were found."""

_HOLDING = """
    select citizen
    from names_of_citizens
    semi join (select number from {numbers}) as numbers on citizen = number
    union
    select citizen
    from held_numbers
    semi join (select number from {numbers}) as numbers using (number)
    where not is_filler
"""
"""The citizens who have or had one of some numbers."""

_FRESH = "(record_id, personal_id) in (select (record_id, personal_id) from fresh_pairs)"
_WEIGHED = "record_id in (select record_id from weighed_records)"
_OF_NEAR = "record_id in (select record_id from near_scope)"

_ROWS = """
    select record from clean.insurance semi join scope_records using (record_id)
    union
    select record from old_records
"""

KEYS_READ = {"insurance": "record_keys", "population": "citizen_keys"}
"""The keys of the rows of each register that are read again."""

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
        # A citizen with nearly the name of a doubtful record, and its birth date, affects the
        # doubt.
        "scope_records": """
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
        "scope_citizens": """
            select personal_id from changed_citizens
            union
            select personal_id from changed_decisions where personal_id is not null
            union
            select personal_id
            from core.decided semi join scope_records using (record_id)
            where personal_id is not null
        """,
        "claimed_numbers": _claims("clean.insurance"),
        "held_numbers": """
            select
                hash(personal_id) as citizen,
                hash(former_number) as number,
                former_number in (select number from clean.fillers) as is_filler
            from clean.former_numbers
        """,
        "names_of_records": f"""
            select
                hash(record_id) as record,
                {_NAME} as name
            from clean.insurance
        """,
        "names_of_citizens": f"""
            select
                hash(personal_id) as citizen,
                {_NAME} as name
            from clean.population
        """,
        "found_records": "select hash(record_id) as record from scope_records",
        "found_citizens": "select hash(personal_id) as citizen from scope_citizens",
        "found_numbers": f"""
            {_numbers("found_records", "found_citizens")}
            union
            select number, true from ({_claims("old_records")})
            union
            select hash(former_number), false from old_former_numbers
        """,
        "found_names": f"""
            {_names("found_records", "found_citizens")}
            union
            select {_NAME} from old_records where name_key is not null and birth_date is not null
            union
            select {_NAME} from old_citizens where name_key is not null and birth_date is not null
        """,
    },
    # Among a record's neighbours are others only if one of its keys has come to a citizen or left
    # one: then as many more or fewer share it, and it may be used or no longer.
    Stage.BLOCKING: {
        "new_citizens": """
            select personal_id, name_key, birth_date, birth_year, province_code, address
            from clean.population semi join changed_citizens using (personal_id)
        """,
        "new_former_numbers": """
            select personal_id, former_number
            from clean.former_numbers semi join changed_citizens using (personal_id)
        """,
        "old_blocks": _blocks("old_citizens", "old_former_numbers"),
        "new_blocks": _blocks("new_citizens", "new_former_numbers"),
        "near_scope": """
            select record_id from scope_records
            union
            select record_id
            from core.near_keys
            semi join (
                (select * from old_blocks except all select * from new_blocks)
                union all
                (select * from new_blocks except all select * from old_blocks)
            ) as moved using (key)
        """,
    },
    Stage.NEARNESS: {
        "new_near": f"select record_id, personal_id from core.near_citizens where {_OF_NEAR}",
        "gone_pairs": "select * from old_near except select * from new_near",
        "fresh_pairs": """
            (select * from new_near except select * from old_near)
            union
            select record_id, personal_id
            from core.near_citizens semi join scope_records using (record_id)
            union
            select record_id, personal_id
            from core.near_citizens semi join changed_citizens using (personal_id)
        """,
    },
    # A pair is weighed against the other pairs of its record and of its citizen; and whether a
    # citizen is taken already may have changed for those in the scope.
    Stage.WEIGHING: {
        "new_evidence": f"select * from core.near_evidence where {_FRESH}",
        "changed_evidence": """
            select record_id, personal_id
            from (
                (select * from old_evidence except select * from new_evidence)
                union all
                (select * from new_evidence except select * from old_evidence)
            )
        """,
        "weighed_records": """
            select record_id from scope_records
            union
            select record_id from changed_evidence
            union
            select record_id
            from core.near_evidence
            semi join (
                select personal_id from changed_evidence
                union all
                select personal_id from scope_citizens
            ) as citizens using (personal_id)
        """,
        "weighed_citizens": """
            select distinct personal_id
            from core.near_evidence semi join weighed_records using (record_id)
        """,
    },
    Stage.LINKED: {
        "new_probabilistic": f"select * from core.step_probabilistic where {_WEIGHED}",
        "scope_records": """
            select record_id from scope_records
            union
            (select record_id from (
                select * from new_probabilistic except select * from old_probabilistic
            ))
            union
            (select record_id from (
                select * from old_probabilistic except select * from new_probabilistic
            ))
            union
            select record_id
            from new_probabilistic semi join changed_citizens using (personal_id)
            union
            select record_id
            from old_probabilistic semi join changed_citizens using (personal_id)
        """,
        "scope_citizens": """
            select personal_id from scope_citizens
            union
            select personal_id
            from new_probabilistic semi join scope_records using (record_id)
        """,
        "scope_rows": _ROWS,
    },
    # Which of a citizen's records is kept depends on when they were changed, too.
    Stage.FINDINGS: {
        "carried_cards": _cards("clean.insurance"),
        "linked_citizens": """
            select
                hash(record_id) as record,
                hash(personal_id) as citizen
            from core.links
        """,
        "found_records": """
            select hash(record_id) as record from scope_records
            union
            select hash(record_id)
            from core.duplicates semi join touched_records using (record_id)
        """,
        "found_numbers": f"""
            select number
            from claimed_numbers semi join found_records using (record)
            union
            select number from ({_claims("old_records")})
        """,
        "found_cards": f"""
            select number
            from carried_cards semi join found_records using (record)
            union
            select number from ({_cards("old_records")})
            union
            select hash(personal_id) from changed_citizens
        """,
        "found_linked": """
            select citizen
            from linked_citizens semi join found_records using (record)
            union
            select hash(personal_id) from old_links
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
            select record
            from names_of_records semi join found_names using (name)
            union
            select hash(record_id)
            from core.decided semi join found_citizens on hash(personal_id) = citizen
        """,
        "citizens": f"""
            {_HOLDING.format(numbers="found_numbers where is_claimed")}
            union
            select citizen
            from names_of_citizens semi join found_names using (name)
            union
            select hash(personal_id)
            from core.decided semi join found_records on hash(record_id) = record
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
            select record
            from carried_cards semi join found_cards using (number)
            union
            select record
            from linked_citizens semi join found_linked using (citizen)
        """,
        "numbers": "select number from claimed_numbers semi join found_records using (record)",
        "cards": "select number from carried_cards semi join found_records using (record)",
        "linked": "select citizen from linked_citizens semi join found_records using (record)",
    },
}
"""The queries that find what is tied to the findings of the last round."""

_REACHED = """
    select record_id from scope_records
    union
    select record_id
    from clean.insurance semi join reached_records on hash(record_id) = reached_records.record
"""

SETS_AFTER: dict[Stage, dict[str, str]] = {
    Stage.LINKING: {
        "scope_records": _REACHED,
        "scope_citizens": """
            select personal_id from scope_citizens
            union
            select personal_id
            from clean.population
            semi join reached_citizens on hash(personal_id) = reached_citizens.citizen
        """,
        "scope_rows": _ROWS,
    },
    Stage.FINDINGS: {
        "scope_records": _REACHED,
        "scope_rows": _ROWS,
        "reached_citizens": f"""
            select citizen from reached_linked
            union
            select hash(personal_id) as citizen
            from core.candidates semi join scope_records using (record_id)
            union
            {_HOLDING.format(numbers="reached_numbers")}
            union
            select number from reached_cards
        """,
        "scope_citizens": """
            select personal_id
            from clean.population
            semi join reached_citizens on hash(personal_id) = reached_citizens.citizen
        """,
    },
}
"""The sets that are made at the end, from all that was found."""

UNNEEDED = {
    Stage.LINKING: ("names_of_records",),
    Stage.BLOCKING: ("new_citizens", "new_former_numbers", "old_blocks", "new_blocks"),
    Stage.FINDINGS: (
        "claimed_numbers",
        "held_numbers",
        "names_of_citizens",
        "carried_cards",
        "linked_citizens",
    ),
}
"""The sets as large as a register that no stage needs afterwards."""


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
    or hash(former_number) in (select number from reached_numbers)
"""
_OF_FRESH_PAIRS = "personal_id in (select personal_id from fresh_pairs)"
_OF_WEIGHED = "personal_id in (select personal_id from weighed_citizens)"

SHOWN: dict[tuple[Stage, str], str] = {
    (Stage.READING, "clean.insurance"): _OF_RECORDS_READ,
    (Stage.READING, "clean.population"): _OF_CITIZENS_READ,
    (Stage.LINKING, "clean.former_numbers"): _FORMER_OF_SCOPE,
    (Stage.FINDINGS, "clean.former_numbers"): _FORMER_OF_SCOPE,
    **dict.fromkeys(
        (
            (Stage.BLOCKING, table)
            for table in (
                "core.near_records",
                "core.near_keys",
                "core.number_pairs",
                "core.decided",
            )
        ),
        _OF_NEAR,
    ),
    (Stage.NEARNESS, "clean.population"): _OF_FRESH_PAIRS,
    (Stage.NEARNESS, "clean.former_numbers"): _OF_FRESH_PAIRS,
    (Stage.NEARNESS, "core.near_citizens"): _FRESH,
    (Stage.NEARNESS, "core.near_pairs"): _FRESH,
    (Stage.WEIGHING, "core.near_evidence"): f"{_WEIGHED} or {_OF_WEIGHED}",
    **dict.fromkeys(
        (
            (Stage.WEIGHING, table)
            for table in (
                "core.near_records",
                "core.near_scores",
                "core.number_pairs",
                "core.claims",
            )
        ),
        _WEIGHED,
    ),
    **dict.fromkeys(
        (
            (Stage.WEIGHING, table)
            for table in ("clean.population", *(f"core.step_{step.value}" for step in MatchStep))
        ),
        _OF_WEIGHED,
    ),
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
    Stage.BLOCKING: _OF_NEAR,
    Stage.NEARNESS: """
        record_id in (select record_id from scope_records)
        or personal_id in (select personal_id from changed_citizens)
        or (record_id, personal_id) in (select (record_id, personal_id) from gone_pairs)
    """,
    Stage.WEIGHING: _WEIGHED,
}
"""Which rows of a table are replaced, where ``BY_COLUMN`` does not say."""

MAKES_MORE = frozenset({"core.near_scores"})
"""Tables whose statement also makes rows of records that are not replaced, because their pairs were
shown only to count for others; these rows are dropped."""

WHOLE_BY: dict[str, frozenset[str]] = {
    "clean.insurance": frozenset({"record_id"}),
    "clean.population": frozenset({"recorded_personal_id"}),
    "clean.former_numbers": frozenset({"personal_id"}),
    Stage.BLOCKING: frozenset({"record_id"}),
    Stage.NEARNESS: frozenset({"record_id", "personal_id"}),
    Stage.WEIGHING: frozenset({"record_id"}),
}
"""The columns on which alone the conditions in ``GONE`` depend, where they are the table's own."""
