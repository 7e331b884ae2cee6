"""Families: who is married to whom, who is whose child, who lives with whom.

Belongs here: the links between people of one chunk, chosen so that ages fit. Does not belong
here: what follows from a link, such as names or addresses.
"""

from __future__ import annotations

import numpy as np

from etl.simulate import calendar, reference
from etl.simulate.draws import Array, Draws
from etl.simulate.people import YEAR_DAYS, People, second_twins

_YOUNGEST_SPOUSE = 22
_GENERATIONS = 5


def link_families(draws: Draws, people: People, today: int) -> None:
    """Gives people spouses, fathers, households and the forefather of their family name.

    Args:
        draws: The chunk's random numbers.
        people: Changed in place.
        today: Day number of the simulated today.
    """
    age = (today - people.birth_day[: people.citizens].astype(np.int32)) / YEAR_DAYS
    husbands, wives = _couples(draws, people, age)
    people.spouse[husbands], people.spouse[wives] = wives, husbands
    _link_fathers(draws, people, age, husbands)
    _settle(draws, people, age, wives)


def _couples(draws: Draws, people: People, age: Array) -> tuple[Array, Array]:
    """Pairs men and women of like age: those who marry are sorted by age and paired in order.

    Of the sex with more of them, some in between are left out. Before sorting, up to five years are
    added at random to each birth date, so that couples differ in age.
    """
    citizens = people.citizens
    share = reference.shares("population")["married_from_22"]
    marries = (age >= _YOUNGEST_SPOUSE) & draws.chance(share, citizens)
    spread = draws.below(int(5 * YEAR_DAYS), citizens)
    order = np.argsort((people.birth_day[:citizens] + spread).astype(np.uint16), kind="stable")
    order = order[marries[order]].astype(np.int32)
    men, women = order[people.sex[order] == 0], order[people.sex[order] == 1]
    pairs = min(len(men), len(women))
    steps = np.arange(pairs)
    if not pairs:
        return men[:0], women[:0]
    return men[steps * len(men) // pairs], women[steps * len(women) // pairs]


def _link_fathers(draws: Draws, people: People, age: Array, husbands: Array) -> None:
    """Gives people a married man about 20 to 40 years older as their father; twins share him."""
    citizens = people.citizens
    if not len(husbands):
        return
    rates = reference.shares("population")
    known = np.where(age < 30, rates["father_known_below_30"], rates["father_known_above_30"])
    wanted = np.flatnonzero(draws.chance(known, citizens))
    births = people.birth_day[husbands]
    by_birth = husbands[np.argsort(births, kind="stable")]
    older = np.cumsum(np.bincount(births, minlength=calendar.DAYS))
    gap = (20 + 20 * draws.unit(len(wanted))) * YEAR_DAYS
    ideal = people.birth_day[wanted] - gap.astype(np.int32)
    wanted, ideal = wanted[ideal >= births.min()], ideal[ideal >= births.min()]
    father = by_birth[np.minimum(older[ideal], len(by_birth) - 1)]
    difference = people.birth_day[wanted].astype(np.int32) - people.birth_day[father]
    fits = (difference >= 18 * YEAR_DAYS) & (difference <= 60 * YEAR_DAYS)
    people.father[wanted[fits]] = father[fits]
    second = second_twins(people.twin)
    people.father[second] = people.father[second - 1]


def _settle(draws: Draws, people: People, age: Array, wives: Array) -> None:
    """Finds everybody's household, its home and their lineage, by following the links upwards."""
    citizens = people.citizens
    has_father = people.father >= 0
    people.lineage = np.where(has_father, people.father, people.lineage)
    single = (people.spouse[:citizens] < 0) & (age < 35)
    stays = draws.chance(reference.shares("population")["married_son_at_home"], citizens)
    at_home = np.zeros(people.size, dtype=bool)
    at_home[:citizens] = single | (stays & (people.sex[:citizens] == 0))
    people.household = np.where(has_father & at_home, people.father, people.household)
    people.household[wives] = people.spouse[wives]
    for _ in range(_GENERATIONS):
        people.lineage = people.lineage[people.lineage]
        people.household = people.household[people.household]
    second = second_twins(people.twin)
    people.lineage[second] = people.lineage[second - 1]
    people.home = people.home[people.household]
