"""People: when and where they were born, their sex, where they live, whether they are alive.

Belongs here: what is drawn for each person alone, and the People structure that the other
modules fill in and read. Does not belong here: families (families.py), names (names.py), the
register's columns (population.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etl.simulate import calendar, reference
from etl.simulate.draws import Array, Draws
from etl.simulate.spec import BIRTH_WINDOW_END, SimulationSpec

YEAR_DAYS = 365.25


@dataclass
class People:
    """The people of one chunk, one array per attribute; citizens first, then ghosts.

    Attributes:
        citizens: How many are citizens; the rest are ghosts, who are in no population register.
        birth_day: Day number of birth.
        band: Age band of the pyramid at the reference date.
        sex: 0 male, 1 female.
        home: Province of residence: its position in reference.Places.
        birth_place: Place of birth registration: its position in reference.Places.
        death_day: Day number of death, or -1.
        twin: The twin's row, or -1.
        father: The father's row, or -1.
        spouse: The husband's or wife's row, or -1.
        household: Row of the head of the household.
        lineage: Row of the forefather from whom the family name comes.
    """

    citizens: int
    birth_day: Array
    band: Array
    sex: Array
    home: Array
    birth_place: Array
    death_day: Array
    twin: Array
    father: Array
    spouse: Array
    household: Array
    lineage: Array

    @property
    def size(self) -> int:
        """Citizens and ghosts."""
        return len(self.birth_day)

    @property
    def birth_year(self) -> Array:
        """Year of birth."""
        return calendar.parts()[0][self.birth_day]


def draw_people(spec: SimulationSpec, draws: Draws, citizens: int, ghosts: int) -> People:
    """Returns people without families: everybody is the head of a household.

    Args:
        spec: The request.
        draws: The chunk's random numbers.
        citizens: How many citizens.
        ghosts: How many insured people who are no citizens.
    """
    size = citizens + ghosts
    today = calendar.day_number(spec.reference_date)
    band, sex, birth_day = _births(spec, draws, size, today)
    twin = _pair_twins(draws, citizens, birth_day, band, sex)
    alone = np.arange(size, dtype=np.int32)
    return People(
        citizens=citizens,
        birth_day=birth_day,
        band=band,
        sex=sex,
        home=draws.outcome(reference.places().residents, size),
        birth_place=np.zeros(size, dtype=np.int16),
        death_day=_deaths(draws, citizens, birth_day, band, today),
        twin=twin,
        father=np.full(size, -1, dtype=np.int32),
        spouse=np.full(size, -1, dtype=np.int32),
        household=alone.copy(),
        lineage=alone.copy(),
    )


def draw_birth_places(draws: Draws, people: People) -> None:
    """Gives everybody a place of birth: usually the home province, rarely a foreign country."""
    places = reference.places()
    born = people.home.astype(np.int16)
    moved = draws.unit(people.size) >= places.born_here[people.home]
    born[moved] = draws.outcome(places.residents, int(moved.sum()))
    abroad = draws.chance(reference.shares("population")["born_abroad"], people.size)
    countries = len(places.codes) - places.provinces
    born[abroad] = places.provinces + draws.below(countries, int(abroad.sum()))
    second = second_twins(people.twin)
    born[second] = born[second - 1]
    people.birth_place = born


def _births(
    spec: SimulationSpec, draws: Draws, size: int, today: int
) -> tuple[Array, Array, Array]:
    pyramid = reference.pyramid()
    band, sex = np.divmod(draws.outcome(pyramid.table, size), np.uint8(2))
    within = draws.unit(size)
    if spec.birth_window_days is not None:
        last = calendar.day_number(BIRTH_WINDOW_END)
        birth_day = last - (within * spec.birth_window_days).astype(np.int32)
        age = (today - birth_day) / YEAR_DAYS
        band = (np.searchsorted(pyramid.age_from, age, side="right") - 1).astype(np.uint8)
    else:
        age = pyramid.age_from[band] + within * pyramid.width[band]
        birth_day = np.maximum(today - (age * YEAR_DAYS).astype(np.int32), 0)
    return band, sex, _fill_birthdays(draws, birth_day).astype(np.uint16)


def _fill_birthdays(draws: Draws, birth_day: Array) -> Array:
    """Moves some births to 1 January, the filler for an unknown day; more of older people."""
    years, _, _ = calendar.parts()
    probability = share_by_birth_year("filler_birth")[years[birth_day] - 1900]
    filler = draws.unit(len(birth_day)) < probability
    new_year = calendar.new_year(years[birth_day[filler]])
    birth_day[filler] = new_year
    return birth_day


def share_by_birth_year(name: str) -> Array:
    """Returns one share of the population's table, for each year of birth from 1900."""
    steps = reference.shares("population")[name]
    result = np.empty(calendar.YEARS, dtype=np.float32)
    start = 0
    for born_before, share in steps:
        result[start : born_before - 1900] = share
        start = born_before - 1900
    return result


def _pair_twins(draws: Draws, citizens: int, birth_day: Array, band: Array, sex: Array) -> Array:
    """Makes some citizens the twin of the one before them, born the same day."""
    rates = reference.shares("population")
    twin = np.full(len(birth_day), -1, dtype=np.int32)
    first = np.flatnonzero(draws.chance(rates["twin_births"], citizens // 2)) * 2
    second = first + 1
    twin[first], twin[second] = second, first
    birth_day[second], band[second] = birth_day[first], band[first]
    same = second[draws.chance(rates["same_sex_twins"], len(second))]
    sex[same] = sex[same - 1]
    return twin


def second_twins(twin: Array) -> Array:
    """Returns the rows of people whose twin is in an earlier row."""
    return np.flatnonzero((twin >= 0) & (twin < np.arange(len(twin))))


def _deaths(draws: Draws, citizens: int, birth_day: Array, band: Array, today: int) -> Array:
    death_day = np.full(len(birth_day), -1, dtype=np.int32)
    dead = np.flatnonzero(draws.unit(citizens) < reference.pyramid().deceased[band[:citizens]])
    years_ago = draws.unit(len(dead)) ** 2 * 8
    day = today - (years_ago * YEAR_DAYS).astype(np.int32)
    death_day[dead] = np.maximum(day, birth_day[dead])
    return death_day
