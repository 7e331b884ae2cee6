"""Days and the ways in which registers write them.

Belongs here: day numbers, their parts, and a pool with every text form of every day. Does not
belong here: which form or which day a record gets.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.simulate import arrow
from etl.simulate.draws import Array

FIRST_DAY = date(1900, 1, 1)
DAYS = (date(2030, 1, 1) - FIRST_DAY).days
"""How many days the pool covers: 1900 to 2029."""
YEARS = 130

FULL_FORMS = (
    "birth_standard",
    "birth_iso",
    "birth_iso_time",
    "birth_unpadded",
    "birth_dashes",
    "birth_dots",
    "birth_compact",
    "birth_two_digit_year",
    "birth_serial",
)
"""Forms that hold day, month and year, in the order of the pool; the first is dd/mm/yyyy."""

PARTIAL_FORMS = ("birth_year_only", "birth_month_year", "birth_zero_filled")
"""Forms that leave out a part of the date; in the pool they come after the full forms."""


def day_number(day: date) -> int:
    """Returns the day's number; 1/1/1900 is 0."""
    return (day - FIRST_DAY).days


@cache
def parts() -> tuple[Array, Array, Array]:
    """Returns year, month and day of the month of every day number."""
    days = np.datetime64(FIRST_DAY) + np.arange(DAYS)
    years = days.astype("M8[Y]").astype(np.int32) + 1970
    months = days.astype("M8[M]").astype(np.int32) % 12 + 1
    of_month = (days - days.astype("M8[M]")).astype(np.int32) + 1
    return years, months, of_month


def day_of(years: Array, months: Array, days: Array) -> Array:
    """Returns the day number of each date, or -1 where there is no such date."""
    start = ((years - 1970) * 12 + months - 1).astype("M8[M]")
    first = start.astype("M8[D]")
    length = ((start + 1).astype("M8[D]") - first).astype(np.int64)
    number = (first - np.datetime64(FIRST_DAY)).astype(np.int64) + days - 1
    valid = (days >= 1) & (days <= length) & (months >= 1) & (months <= 12)
    return np.where(valid & (number >= 0) & (number < DAYS), number, -1)


def new_year(years: Array) -> Array:
    """Returns the day number of 1 January of each year."""
    first = np.ones_like(years)
    return day_of(years, first, first)


@cache
def texts() -> pa.Array:
    """Returns the pool: each full form of each day, then each partial form."""
    years, months, days = parts()
    plain = arrow.from_texts([str(number) for number in range(2030)])
    padded = arrow.from_texts([f"{number:02d}" for number in range(100)])
    year, month, day = (arrow.gather(plain, part) for part in (years, months, days))
    mm, dd, yy = (arrow.gather(padded, part) for part in (months, days, years % 100))
    iso = arrow.join("-", year, mm, dd)
    full = [
        arrow.join("/", dd, mm, year),
        iso,
        arrow.join("", iso, " 00:00:00"),
        arrow.join("/", day, month, year),
        arrow.join("-", dd, mm, year),
        arrow.join(".", dd, mm, year),
        arrow.join("", year, mm, dd),
        arrow.join("/", dd, mm, yy),
        pc.cast(arrow.from_numpy(np.arange(DAYS) + 2), pa.string()),
    ]
    partial = [year, arrow.join("/", mm, year), arrow.join("", "00/00/", year)]
    return pa.concat_arrays([*full, *partial])


def text_position(form: str, days: Array) -> Array:
    """Returns the pool positions of the days written in one form."""
    return (FULL_FORMS + PARTIAL_FORMS).index(form) * DAYS + days
