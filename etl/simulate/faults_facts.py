"""Faults of the birth date, the gender and the place.

Belongs here: which wrong value is written, and in which form. Does not belong here: the text forms
themselves (calendar.py) and the pools (insurance.py).
"""

from __future__ import annotations

import numpy as np

from etl.simulate import calendar, reference
from etl.simulate.columns import FaultLog
from etl.simulate.draws import Array, Draws
from etl.simulate.insurance import GENDER_FORMS, Records
from etl.simulate.population import draw_addresses

_NOTHING_LEFT = ("birth_missing", *calendar.PARTIAL_FORMS)
_OTHER_DAY = ("birth_filler", "birth_day_month_swapped", "birth_digit_wrong", "birth_year_off")


def apply_birth_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    """Puts faults into date_of_birth: first a wrong, partial or missing date, then another form.

    Where the population register itself has only the year of birth, there is no fault.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault that changed something.
    """
    column = records.columns["date_of_birth"]
    standard = column.index < calendar.DAYS
    content = draws.one_of(
        {kind: rates[kind] for kind in (*_NOTHING_LEFT, *_OTHER_DAY)}, records.size
    )
    for kind, drawn in content.items():
        rows = drawn[standard[drawn]]
        if kind in _OTHER_DAY:
            rows, days = _other_days(draws, kind, rows, column.index[rows])
            column.index[rows] = days
        else:
            partial = kind != "birth_missing"
            days = column.index[rows]
            column.index[rows] = calendar.text_position(kind, days) if partial else -1
        log.note(kind, rows)
    full = (column.index >= 0) & (column.index < calendar.DAYS)
    forms = calendar.FULL_FORMS[1:]
    for kind, drawn in draws.one_of({kind: rates[kind] for kind in forms}, records.size).items():
        rows = drawn[full[drawn]]
        if kind == "birth_unpadded":
            rows = rows[_shortened(column.index[rows])]
        column.index[rows] = calendar.text_position(kind, column.index[rows])
        log.note(kind, rows)


def _shortened(days: Array) -> Array:
    """Returns which days are shorter without leading zeros."""
    _, months, of_month = calendar.parts()
    return np.asarray((months[days] < 10) | (of_month[days] < 10))


def _other_days(draws: Draws, kind: str, rows: Array, days: Array) -> tuple[Array, Array]:
    """Returns the rows that can have the fault, and the wrong day of each."""
    year, month, day = (part[days].astype(np.int64) for part in calendar.parts())
    if kind == "birth_filler":
        wrong = calendar.new_year(year)
    elif kind == "birth_day_month_swapped":
        wrong = calendar.day_of(year, np.clip(day, 1, 12), month)
        wrong = np.where(day <= 12, wrong, -1)
    elif kind == "birth_year_off":
        wrong = calendar.day_of(year + 1 - 2 * draws.below(2, len(days)), month, day)
    else:
        wrong = _digit_wrong(draws, year, month, day)
    possible = (wrong >= 0) & (wrong != days)
    return rows[possible], wrong[possible]


def _digit_wrong(draws: Draws, year: Array, month: Array, day: Array) -> Array:
    """Changes the last digit of day, month or year, or the decade; the year if no date results."""
    part = draws.below(4, len(year))
    step = 1 + draws.below(9, len(year))

    def last_digit(number: Array) -> Array:
        return np.asarray(number - number % 10 + (number + step) % 10)

    decade = year - year // 10 % 10 * 10 + (year // 10 + step) % 10 * 10
    wrong = calendar.day_of(
        np.select([part == 2, part == 3], [last_digit(year), decade], year),
        np.where(part == 1, last_digit(month), month),
        np.where(part == 0, last_digit(day), day),
    )
    fallback = calendar.day_of(last_digit(year), month, day)
    return np.where(wrong >= 0, wrong, fallback)


def apply_gender_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    """Puts faults into gender: missing or wrong, and forms other than Nam and Nữ.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault.
    """
    column = records.columns["gender"]
    content = {kind: rates[kind] for kind in ("gender_missing", "gender_wrong")}
    for kind, rows in draws.one_of(content, records.size).items():
        column.index[rows] = -1 if kind == "gender_missing" else 1 - column.index[rows]
        log.note(kind, rows)
    drawn = np.flatnonzero(draws.chance(rates["gender_form"], records.size))
    rows = drawn[column.index[drawn] >= 0]
    other = 1 + draws.below(len(GENDER_FORMS) // 2 - 1, len(rows))
    column.index[rows] += other * 2
    log.note("gender_form", rows)


def apply_place_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    """Puts faults into province_code and address.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault that changed something.
    """
    _province_faults(draws, records, rates, log)
    column = records.columns["address"]
    content = {kind: rates[kind] for kind in ("address_missing", "address_other")}
    for kind, rows in draws.one_of(content, records.size).items():
        if kind == "address_missing":
            column.blank(rows)
        else:
            home = records.people.home[records.person[rows]]
            column.replace(rows, draw_addresses(draws, home, np.arange(len(rows)))[0])
        log.note(kind, rows)


def _province_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    column, places = records.columns["province_code"], reference.places()
    differs = np.array(places.new_codes) != np.array(places.old_codes)
    content = ("province_other", "province_missing", "province_old_code")
    for kind, drawn in draws.one_of({k: rates[k] for k in content}, records.size).items():
        rows, home = drawn, column.index[drawn]
        if kind == "province_missing":
            column.blank(rows)
        elif kind == "province_old_code":
            rows, home = rows[differs[home]], home[differs[home]]
            column.index[rows] = home + places.provinces
        else:
            other = _other_province(draws, records, rows)
            moved = np.array(places.new_codes)[other] != np.array(places.new_codes)[home]
            rows = rows[moved]
            column.index[rows] = other[moved]
        log.note(kind, rows)


def _other_province(draws: Draws, records: Records, rows: Array) -> Array:
    """Returns the province of birth where it is another one, else a random one."""
    places, people = reference.places(), records.people
    birth = people.birth_place[records.person[rows]].astype(np.int64)
    home = people.home[records.person[rows]]
    random = draws.outcome(places.residents, len(rows))
    return np.where((birth < places.provinces) & (birth != home), birth, random)
