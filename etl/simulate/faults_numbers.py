"""Faults of the identity number, the insurance number and the health card.

Belongs here: whose number is recorded, and what typing and spreadsheets do to it. Does not
belong here: how numbers are issued (population.py, insurance.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from etl.simulate import arrow, reference
from etl.simulate.columns import FaultLog
from etl.simulate.draws import Array, Draws
from etl.simulate.insurance import Records

PLACEHOLDERS = ("N/A", "0", "000000000000", "000000000", "-", "123456789", "111111111111", "không")
UNKNOWN_CARD_CODES = ("XX", "ZZ", "QQ", "BH", "00")

_SOURCES = (
    *("id_missing", "id_placeholder", "id_former_cmnd"),
    *("id_of_parent", "id_of_spouse", "id_of_sibling", "id_of_stranger"),
)
_SEPARATED = ("{} {} {} {}", "{}.{}.{}.{}", "{}-{}-{}-{}", "{} {}{} {}")


def apply_id_faults(draws: Draws, records: Records, rates: dict[str, float], log: FaultLog) -> None:
    """Puts faults into id_number: first whose number it is, then how it is typed.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault.
    """
    _ghost_numbers(draws, records)
    taken = np.zeros(records.size, dtype=bool)
    _shared_by_family(draws, records, rates["id_family_shared"], log, taken)
    _rare_sources(draws, records, rates, log, taken)
    for kind, rows in draws.one_of({kind: rates[kind] for kind in _SOURCES}, records.size).items():
        _SOURCE_OF[kind](draws, records, rows[~taken[rows]], log)
    _type_numbers(draws, records, rates, log)


def _ghost_numbers(draws: Draws, records: Records) -> None:
    """Leaves some ghosts without a number, which is not noted as another fault."""
    ghosts = np.flatnonzero(records.ghost)
    share = reference.shares("insurance")["ghost_with_number"]
    records.columns["id_number"].blank(ghosts[~draws.chance(share, len(ghosts))])


def _shared_by_family(
    draws: Draws, records: Records, rate: float, log: FaultLog, taken: Array
) -> None:
    """Gives all records of some households the number of the head."""
    people = records.people
    chosen = np.zeros(people.size, dtype=bool)
    chosen[draws.rows(rate, people.size)] = True
    head = people.household[records.person]
    rows = np.flatnonzero(chosen[head] & (head != records.person))
    _use_persons(records, rows, head[rows], "id_family_shared", log)
    taken[rows] = True


def _rare_sources(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog, taken: Array
) -> None:
    """Applies the faults whose rate is a share of the few people who can have them."""
    twin = records.people.twin[records.person]
    fate = draws.unit(records.size)
    rows = np.flatnonzero((twin >= 0) & (fate < rates["id_of_twin"]) & ~taken)
    _use_persons(records, rows, twin[rows], "id_of_twin", log)
    taken[rows] = True
    cancelled = records.identity.cancelled_of[records.person]
    rows = np.flatnonzero((cancelled >= 0) & (fate < rates["id_cancelled"]) & ~taken)
    column = records.columns["id_number"]
    column.index[rows] = _start(records, "cancelled") + cancelled[rows]
    log.note("id_cancelled", rows)
    taken[rows] = True


def _use_persons(records: Records, rows: Array, whose: Array, kind: str, log: FaultLog) -> None:
    """Gives records somebody else's personal number; the column's pool begins with all of them."""
    records.columns["id_number"].index[rows] = whose
    log.note(kind, rows)


def _start(records: Records, pool: str) -> int:
    """Adds a pool of the identity to the id column and returns where it starts."""
    texts = getattr(records.identity, pool)
    added = records.columns["id_number"].add(texts)
    return int(added[0]) if len(added) else 0


def _missing(_draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    records.columns["id_number"].blank(rows)
    log.note("id_missing", rows)


def _placeholders(draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    column = records.columns["id_number"]
    column.index[rows] = column.add(PLACEHOLDERS)[draws.below(len(PLACEHOLDERS), len(rows))]
    log.note("id_placeholder", rows)


def _former_cmnd(_draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    position = records.identity.cmnd_of[records.person[rows]]
    rows, position = rows[position >= 0], position[position >= 0]
    records.columns["id_number"].index[rows] = _start(records, "cmnd") + position
    log.note("id_former_cmnd", rows)


def _parent(_draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    _relative(records, rows, records.people.father, "id_of_parent", log)


def _spouse(_draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    _relative(records, rows, records.people.spouse, "id_of_spouse", log)


def _sibling(_draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    """Uses the number of the father's last child, or for that child the first's; no twins."""
    people = records.people
    children = np.flatnonzero((people.father >= 0) & (people.twin < 0))
    first, last = np.full((2, people.size), -1, dtype=np.int32)
    last[people.father[children]] = children
    first[people.father[children[::-1]]] = children[::-1]
    sibling = np.full(people.size, -1, dtype=np.int32)
    father = people.father[children]
    sibling[children] = np.where(last[father] == children, first[father], last[father])
    sibling[sibling == np.arange(people.size)] = -1
    _relative(records, rows, sibling, "id_of_sibling", log)


def _relative(records: Records, rows: Array, links: Array, kind: str, log: FaultLog) -> None:
    whose = links[records.person[rows]]
    _use_persons(records, rows[whose >= 0], whose[whose >= 0], kind, log)


def _stranger(draws: Draws, records: Records, rows: Array, log: FaultLog) -> None:
    whose = draws.below(records.people.citizens, len(rows))
    other = whose != records.person[rows]
    _use_persons(records, rows[other], whose[other], "id_of_stranger", log)


_SOURCE_OF: dict[str, Callable[[Draws, Records, Array, FaultLog], None]] = {
    "id_missing": _missing,
    "id_placeholder": _placeholders,
    "id_former_cmnd": _former_cmnd,
    "id_of_parent": _parent,
    "id_of_spouse": _spouse,
    "id_of_sibling": _sibling,
    "id_of_stranger": _stranger,
}


def _lost_zeros(number: str, _chance: float, _digit: int) -> str:
    return number.lstrip("0")


def _dot_zero(number: str, _chance: float, _digit: int) -> str:
    return number.lstrip("0") + ".0"


def _apostrophe(number: str, _chance: float, _digit: int) -> str:
    return "'" + number


def _separators(number: str, chance: float, _digit: int) -> str:
    third = len(number) // 4
    pieces = [number[:third], number[third : 2 * third], number[2 * third : 3 * third]]
    form = _SEPARATED[int(chance * len(_SEPARATED))]
    return form.format(*pieces, number[3 * third :])


def _letters(number: str, chance: float, _digit: int) -> str:
    """Types the letter O for the zeros, or l for the ones."""
    return number.replace("0", "O") if chance < 0.6 else number.replace("1", "l")


def _wrong_digit(number: str, chance: float, digit: int) -> str:
    place = int(chance * len(number))
    wrong = (int(number[place]) + 1 + digit) % 10
    return f"{number[:place]}{wrong}{number[place + 1 :]}"


def _swapped_digits(number: str, chance: float, _digit: int) -> str:
    """Exchanges the first unequal neighbours from a random place on."""
    start = int(chance * (len(number) - 1))
    for place in [*range(start, len(number) - 1), *range(start)]:
        if number[place] != number[place + 1]:
            return number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    return number


def _scientific(number: str, _chance: float, _digit: int) -> str:
    return f"{int(number):.2E}"


TYPING: dict[str, Callable[[str, float, int], str]] = {
    "id_lost_zeros": _lost_zeros,
    "id_dot_zero": _dot_zero,
    "id_apostrophe": _apostrophe,
    "id_separators": _separators,
    "id_letters": _letters,
    "id_wrong_digit": _wrong_digit,
    "id_swapped_digits": _swapped_digits,
    "id_scientific": _scientific,
}


def _type_numbers(draws: Draws, records: Records, rates: dict[str, float], log: FaultLog) -> None:
    """Mistypes numbers; a record without a proper number is not changed."""
    column = records.columns["id_number"]
    for kind, rows in draws.one_of({kind: rates[kind] for kind in TYPING}, records.size).items():
        texts = column.texts(rows).to_pylist()
        chances, digits = draws.unit(len(rows)).tolist(), draws.below(9, len(rows)).tolist()
        typed = [
            TYPING[kind](text, chance, digit) if _is_number(text) else text
            for text, chance, digit in zip(texts, chances, digits, strict=True)
        ]
        changed = np.array([a != b for a, b in zip(texts, typed, strict=True)], dtype=bool)
        column.replace(rows[changed], [text for text, c in zip(typed, changed, strict=True) if c])
        log.note(kind, rows[changed])


def _is_number(text: str | None) -> bool:
    return text is not None and len(text) >= 9 and text not in PLACEHOLDERS and text.isdigit()


def apply_insurance_number_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    """Puts faults into insurance_number.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault.
    """
    column = records.columns["insurance_number"]
    chosen = draws.one_of(
        {
            kind: rates[kind]
            for kind in (
                "insurance_number_missing",
                "insurance_number_invalid",
                "insurance_number_shared",
            )
        },
        records.size,
    )
    nobody = np.empty(0, dtype=np.int64)
    touched = np.concatenate([nobody, *chosen.values()])
    rows = chosen.get("insurance_number_shared", nobody)
    rows, others = _others(draws, records, rows, np.arange(records.size), touched)
    column.index[rows] = column.index[others]
    log.note("insurance_number_shared", rows)
    rows = chosen.get("insurance_number_invalid", nobody)
    forms = draws.below(3, len(rows)).tolist()
    texts = column.texts(rows).to_pylist()
    column.replace(rows, [_invalid(text, form) for text, form in zip(texts, forms, strict=True)])
    log.note("insurance_number_invalid", rows)
    rows = chosen.get("insurance_number_missing", nobody)
    column.blank(rows)
    log.note("insurance_number_missing", rows)


def _others(
    draws: Draws, records: Records, rows: Array, pool: Array, touched: Array
) -> tuple[Array, Array]:
    """Draws a record of the pool for each row; returns rows and records where it is sound."""
    others = pool[draws.below(max(len(pool), 1), len(rows))]
    sound = ~records.junk
    sound[touched] = False
    return rows[sound[others]], others[sound[others]]


def _invalid(number: str, form: int) -> str:
    """Leaves out a digit, doubles one, or replaces one by a letter."""
    return (number[:-1], number[:4] + number[3:], number[:5] + "B" + number[6:])[form]


def apply_card_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    """Puts faults into health_card_number.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault.
    """
    column = records.columns["health_card_number"]
    carded = np.flatnonzero(column.index >= 0)
    kinds = ("card_missing", "card_of_other", "card_unknown_code")
    chosen = draws.one_of({kind: rates[kind] for kind in kinds}, len(carded))
    chosen = {kind: carded[rows] for kind, rows in chosen.items()}
    nobody = np.empty(0, dtype=np.int64)
    rows = chosen.get("card_of_other", nobody)
    touched = np.concatenate([nobody, *chosen.values()])
    rows, others = _others(draws, records, rows, carded, touched)
    column.index[rows] = column.index[others]
    log.note("card_of_other", rows)
    rows = chosen.get("card_unknown_code", nobody)
    codes = arrow.from_texts(UNKNOWN_CARD_CODES)
    code = arrow.gather(codes, draws.below(len(UNKNOWN_CARD_CODES), len(rows)))
    column.replace(rows, arrow.join("", code, "401", arrow.gather(records.own_number, rows)))
    log.note("card_unknown_code", rows)
    rows = chosen.get("card_missing", nobody)
    column.blank(rows)
    log.note("card_missing", rows)
