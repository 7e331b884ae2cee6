"""Names: drawn from the shares of surnames, middle and given names, by sex and cohort.

Belongs here: the pools of name parts, how they are drawn, and how families share them. Does not
belong here: what goes wrong with names in the insurance register (faults_names.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from etl.simulate import arrow, reference
from etl.simulate.draws import Array, Draws, sampling_table
from etl.simulate.people import People, second_twins

SEXES = ("M", "F")
_MARKER = {"M": "Văn", "F": "Thị"}
_RAKING_ROUNDS = 50


@dataclass(frozen=True)
class Parts:
    """The pools of name parts.

    A full name is one text of `first` and one of `rest`, with a blank between; if one of them is
    null, the name is the other alone.

    Attributes:
        first: Surnames, then the parts of minority names that are written first.
        rest: Middle and given names, of men and then of women; then the parts of minority names
            that are written last.
        surname: Draws a surname.
        middle: Draws a middle name, by sex and cohort.
        given: Draws a given name, by sex.
        middles: Number of middle names, by sex.
        givens: Number of given names, by sex.
        given_texts: The given names, by sex.
        rest_start: Where the middle and given names start in `rest`, by sex.
        cohort: Cohort of each year of birth from 1900.
        minorities: Where the name parts of each minority are in the pools.
        minority_of: Draws a group by province; 0 is none, k is minority k - 1.
    """

    first: pa.Array
    rest: pa.Array
    surname: Array
    middle: list[list[Array]]
    given: list[Array]
    middles: list[int]
    givens: list[int]
    given_texts: list[pa.Array]
    rest_start: list[int]
    cohort: Array
    minorities: list[Minority]
    minority_of: Array

    @property
    def foreign(self) -> int:
        """Number of the group of foreigners' names."""
        return len(self.minorities)


@dataclass(frozen=True)
class Minority:
    """Where the name parts of a group are in the pools.

    Attributes:
        family_first: Whether the family's part is written first.
        family: Start and number of the family parts, in `first` or `rest`.
        own: Start and number of the person's own parts by sex, in the other pool.
    """

    family_first: bool
    family: tuple[int, int]
    own: tuple[tuple[int, int], tuple[int, int]]


@cache
def parts() -> Parts:
    """Returns the pools of name parts."""
    rows = reference.read_csv("etl.domain.data", "name_frequencies.csv")
    shape = reference.toml_table("name_shape.toml")
    surnames = [
        row
        for row in rows
        if row["part"] == "surname" and row["value"] not in shape["not_surnames"]
    ]
    first: list[str | None] = [row["value"] for row in surnames]
    rest: list[str | None] = []
    tables: dict[str, list[Any]] = {
        key: [] for key in ("middle", "given", "middles", "givens", "given_texts", "rest_start")
    }
    for sex in SEXES:
        middle, given = (
            [row for row in rows if row["part"] == part and row["sex"] == sex]
            for part in ("middle", "given")
        )
        given_names = [row["value"] for row in given]
        tables["rest_start"].append(len(rest))
        rest += [f"{row['value']} {name}".strip() for row in middle for name in given_names]
        tables["middle"].append(_middle_tables(middle, sex, shape))
        tables["given"].append(sampling_table([float(row["share_percent"]) for row in given]))
        tables["middles"].append(len(middle))
        tables["givens"].append(len(given))
        tables["given_texts"].append(arrow.from_texts(given_names))
    minorities = [
        _place_minority(group, first, rest)
        for group in reference.toml_table("minority_names.toml").values()
    ]
    return Parts(
        first=arrow.from_texts(first),
        rest=arrow.from_texts(rest),
        surname=sampling_table([float(row["share_percent"]) for row in surnames]),
        cohort=_cohort_of_year(shape["cohorts"]),
        minorities=minorities,
        minority_of=_minority_tables(),
        **tables,
    )


def _middle_tables(rows: list[dict[str, str]], sex: str, shape: dict[str, Any]) -> list[Array]:
    """Returns one sampling table per cohort, raked to the wanted lengths and share of Thị or Văn.

    Raking (iterative proportional fitting) keeps the reference shares within each class.
    """
    base = np.array([float(row["share_percent"]) for row in rows])
    syllables = np.array([len(row["value"].split()) for row in rows])
    marked = np.array([row["value"].split()[:1] == [_MARKER[sex]] for row in rows])
    key = "thi" if sex == "F" else "van"
    tables = []
    for cohort in shape["cohorts"]:
        weights = base.copy()
        for _ in range(_RAKING_ROUNDS):
            for length, share in enumerate(shape["middle_syllables"][sex]):
                weights[syllables == length] *= share / weights[syllables == length].sum()
            for class_, share in ((marked, cohort[key]), (~marked, 1 - cohort[key])):
                weights[class_] *= share / weights[class_].sum()
        tables.append(sampling_table(weights))
    return tables


def _cohort_of_year(cohorts: list[dict[str, Any]]) -> Array:
    starts = [cohort["born_from"] for cohort in cohorts]
    return np.searchsorted(starts, np.arange(1900, 2030), side="right") - 1


def _place_minority(
    group: dict[str, Any], first: list[str | None], rest: list[str | None]
) -> Minority:
    """Appends a group's parts to the pools and returns where they are."""
    family_first = group["order"] == "family own"
    family_pool, own_pool = (first, rest) if family_first else (rest, first)

    def place(pool: list[str | None], texts: list[str]) -> tuple[int, int]:
        pool.extend(text or None for text in texts)
        return len(pool) - len(texts), len(texts)

    family = place(family_pool, group["family"])
    own = place(own_pool, group["male"]), place(own_pool, group["female"])
    return Minority(family_first, family, own)


def _minority_tables() -> Array:
    """Returns, for each province, a table of 65,536 groups to draw from."""
    groups = reference.toml_table("minority_names.toml").values()
    tables = []
    for code in reference.places().codes[: reference.places().provinces]:
        weights = [g["share"] if f"{code:03d}" in g["provinces"] else 0.0 for g in groups]
        tables.append(sampling_table([max(0.0, 1 - sum(weights)), *weights]))
    return np.stack(tables)


@dataclass
class NameDraw:
    """Names as positions in the pools, before they become text.

    Attributes:
        first: Position in the pool of first parts.
        rest: Position in the pool of last parts.
    """

    first: Array
    rest: Array


def draw_names(draws: Draws, people: People, foreign: Array) -> NameDraw:
    """Draws everybody's name; families share a surname, twins of one sex a middle name, too.

    Args:
        draws: The chunk's random numbers.
        people: Read only.
        foreign: Mask of those who bear a foreigner's name.
    """
    pools = parts()
    lineage = people.lineage
    family_bits = draws.bits16(people.size)
    group_bits = draws.bits16(people.size)
    first = pools.surname[family_bits[lineage]].astype(np.int32)
    rest = _vietnamese_rest(draws, people, pools)
    _alike(draws, people, rest, pools)
    group = pools.minority_of[people.home[lineage], group_bits[lineage]]
    group = np.where(foreign, pools.foreign, group)
    _minority_parts(draws, people, group, family_bits[lineage], NameDraw(first, rest))
    return NameDraw(first, rest)


def full_names(draw: NameDraw) -> pa.Array:
    """Returns names as text."""
    pools = parts()
    return arrow.join(
        " ", arrow.gather(pools.first, draw.first), arrow.gather(pools.rest, draw.rest)
    )


def _vietnamese_rest(draws: Draws, people: People, pools: Parts) -> Array:
    """Draws middle and given names by sex and cohort."""
    middle_bits, given_bits = draws.bits16(people.size), draws.bits16(people.size)
    cohort = pools.cohort[people.birth_year - 1900]
    rest = np.empty(people.size, dtype=np.int32)
    for sex in range(2):
        tables = np.stack(pools.middle[sex])
        rows = np.flatnonzero(people.sex == sex)
        middle = tables[cohort[rows], middle_bits[rows]].astype(np.int32)
        given = pools.given[sex][given_bits[rows]]
        rest[rows] = pools.rest_start[sex] + middle * pools.givens[sex] + given
    return rest


def _alike(draws: Draws, people: People, rest: Array, pools: Parts) -> None:
    """Gives some sons their father's name, and twins of one sex the same middle name."""
    share = reference.shape_share("son_named_as_father")
    son = (people.father >= 0) & (people.sex == 0) & (people.twin < 0)
    named = np.flatnonzero(son & draws.chance(share, people.size))
    eldest_first = named[np.argsort(people.birth_day[named], kind="stable")]
    rest[eldest_first] = rest[people.father[eldest_first]]
    second = second_twins(people.twin)
    second = second[people.sex[second] == people.sex[second - 1]]
    givens = np.array(pools.givens)[people.sex[second]]
    start = np.array(pools.rest_start)[people.sex[second]]
    middle, given = np.divmod(rest[second - 1] - start, givens)
    other = (given + 1 + draws.below(5, len(second))) % givens
    rest[second] = start + middle * givens + other


def _minority_parts(
    draws: Draws, people: People, group: Array, family_bits: Array, names: NameDraw
) -> None:
    """Replaces the names of people whose group has its own names; twins get different ones."""
    pools = parts()
    own_bits = draws.bits16(people.size)
    second = second_twins(people.twin)
    own_bits[second] = own_bits[second - 1] ^ 0x8000
    for number, minority in enumerate(pools.minorities, start=1):
        rows = np.flatnonzero(group == number)
        family = _pick(minority.family, family_bits[rows])
        own = np.where(
            people.sex[rows] == 0,
            _pick(minority.own[0], own_bits[rows]),
            _pick(minority.own[1], own_bits[rows]),
        )
        first, rest = (family, own) if minority.family_first else (own, family)
        names.first[rows], names.rest[rows] = first, rest


def _pick(span: tuple[int, int], bits: Array) -> Array:
    start, count = span
    return start + (bits.astype(np.int32) * count >> 16)
