"""The population register: the columns of its contract, made from people.

Belongs here: personal numbers, former numbers, addresses and the table itself. Does not belong
here: the people (people.py), and anything of the insurance register.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from etl.simulate import arrow, calendar, numbers, reference
from etl.simulate.columns import EditedColumn
from etl.simulate.draws import Array, Draws
from etl.simulate.people import People, second_twins, share_by_birth_year
from etl.simulate.spec import SimulationSpec

SCHEMA = pa.schema(
    [
        pa.field("personal_id", pa.string(), nullable=False),
        pa.field("full_name", pa.string()),
        pa.field("date_of_birth", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("former_id_numbers", pa.string()),
        pa.field("status", pa.string()),
        pa.field("date_of_death", pa.string()),
        pa.field("province_code", pa.string()),
        pa.field("commune", pa.string()),
        pa.field("address", pa.string()),
        pa.field("updated_at", pa.timestamp("us")),
    ]
)

_HOUSES = 400
_GROUPS = 30
_SPAN_OF_YEARS = 127


@dataclass(frozen=True)
class Identity:
    """The numbers and texts of people from which both registers are made.

    Attributes:
        personal_ids: Personal number of each person; a ghost's was never issued.
        cmnd: CMND numbers, for those who have one.
        cmnd_of: Position in `cmnd` of each person's latest CMND, or -1.
        cancelled: Cancelled personal numbers.
        cancelled_of: Position in `cancelled` of each person's cancelled number, or -1.
        former: The register's column of former numbers.
        birth_text: Position of each person's birth date in the pool of the calendar.
        addresses: Address of each person.
        communes: Commune of each person.
    """

    personal_ids: pa.Array
    cmnd: pa.Array
    cmnd_of: Array
    cancelled: pa.Array
    cancelled_of: Array
    former: pa.Array
    birth_text: Array
    addresses: pa.Array
    communes: pa.Array


def identify(
    draws: Draws, people: People, chunk: int, chunks: int, serials: numbers.Serials
) -> Identity:
    """Draws the numbers and texts of all people of a chunk."""
    cancelled_rows = np.flatnonzero(
        draws.chance(reference.shares("population")["cancelled_number"], people.citizens)
    )
    personal_ids = numbers.fixed_width(_personal_numbers(draws, people, chunk, chunks, serials), 12)
    cancelled = _cancelled_numbers(draws, people, cancelled_rows, chunk, chunks, serials)
    cmnd, cmnd_of, earlier, earlier_rows = _cmnd_numbers(draws, people, chunk, chunks, serials)
    former = EditedColumn(cmnd, cmnd_of)
    former.replace(
        earlier_rows, arrow.join(";", earlier, arrow.gather(cmnd, cmnd_of[earlier_rows]))
    )
    former.replace(cancelled_rows, arrow.join(";", former.texts(cancelled_rows), cancelled))
    cancelled_of = np.full(people.size, -1, dtype=np.int32)
    cancelled_of[cancelled_rows] = np.arange(len(cancelled_rows))
    birth_text = _birth_texts(draws, people)
    addresses, communes = draw_addresses(draws, people.home, people.household)
    return Identity(
        personal_ids=personal_ids,
        cmnd=cmnd,
        cmnd_of=cmnd_of,
        cancelled=cancelled,
        cancelled_of=cancelled_of,
        former=former.build(),
        birth_text=birth_text,
        addresses=addresses,
        communes=communes,
    )


def population_table(
    spec: SimulationSpec, draws: Draws, people: People, names: pa.Array, identity: Identity
) -> pa.Table:
    """Returns the register's rows of a chunk."""
    size = people.citizens
    dead = people.death_day[:size] >= 0
    death = np.where(dead, calendar.text_position("birth_iso", people.death_day[:size]), -1)
    columns = [
        identity.personal_ids[:size],
        names[:size],
        arrow.gather(calendar.texts(), identity.birth_text[:size]),
        arrow.gather(arrow.from_texts(["Nam", "Nữ"]), people.sex[:size]),
        identity.former[:size],
        arrow.gather(arrow.from_texts(["alive", "deceased"]), dead.astype(np.int8)),
        arrow.gather(calendar.texts(), death),
        arrow.gather(arrow.from_texts(reference.places().new_codes), people.home[:size]),
        identity.communes[:size],
        identity.addresses[:size],
        change_times(spec, draws, size, reference.shares("population")["update_days"]),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def change_times(spec: SimulationSpec, draws: Draws, size: int, days: int) -> pa.Array:
    """Returns times of the last change, to the second, before the reference date."""
    end = np.datetime64(spec.reference_date).astype("M8[s]")
    seconds = end - 1 - draws.below(days * 86_400, size)
    return arrow.from_numpy(seconds.astype("M8[us]"))


def draw_addresses(draws: Draws, home: Array, household: Array) -> tuple[pa.Array, pa.Array]:
    """Returns addresses, one per household, in the household's province; and their communes."""
    pools = _address_pools()
    wards = len(reference.lines("wards.txt"))
    house_of = draws.below(len(pools.house), len(home))[household]
    ward_of = draws.below(wards, len(home))[household] + home.astype(np.int32) * wards
    address = arrow.join(
        ", ", arrow.gather(pools.house, house_of), arrow.gather(pools.ward, ward_of)
    )
    return address, arrow.gather(pools.commune, ward_of)


class _AddressPools(NamedTuple):
    """The pools of address parts: house and group; commune and province; commune alone."""

    house: pa.Array
    ward: pa.Array
    commune: pa.Array


@cache
def _address_pools() -> _AddressPools:
    house = [f"{h} Tổ {g}" for h in range(1, _HOUSES + 1) for g in range(1, _GROUPS + 1)]
    kinds = ("Phường", "Xã")
    communes = [
        (f"{kinds[(number + len(province)) % 2]} {ward}", province)
        for province in reference.places().new_names
        for number, ward in enumerate(reference.lines("wards.txt"))
    ]
    return _AddressPools(
        arrow.from_texts(house),
        arrow.from_texts([f"{commune}, {province}" for commune, province in communes]),
        arrow.from_texts([commune for commune, _ in communes]),
    )


def _cells(place: Array, sex: Array, year: Array) -> Array:
    """Returns one 16-bit number per place, sex and year of birth."""
    return ((place.astype(np.int32) * 2 + sex) * _SPAN_OF_YEARS + year - 1900).astype(np.uint16)


def _personal_numbers(
    draws: Draws, people: People, chunk: int, chunks: int, serials: numbers.Serials
) -> Array:
    """Draws personal numbers: twins of one sex get neighbouring ones."""
    cells = _cells(people.birth_place, people.sex, people.birth_year)
    second = second_twins(people.twin)
    second = second[people.sex[second] == people.sex[second - 1]]
    single = np.ones(people.size, dtype=bool)
    single[second] = False
    pairs = np.zeros(people.size, dtype=np.int64)
    capacity = serials.pairs - serials.cancelled_pairs
    positions = numbers.chunk_positions(cells[single], chunk, chunks, capacity)
    pairs[single] = serials.choose(positions, cells[single], draws.salt)
    pairs[second] = pairs[second - 1]
    odd = draws.bits16(people.size) & 1
    odd[second] = 1 - odd[second - 1]
    prefix = _prefix(people.birth_place, people.sex, people.birth_year)
    return prefix + serials.six_digits(pairs, odd)


def _prefix(place: Array, sex: Array, year: Array) -> Array:
    """Returns place, century and sex, and year of birth, with six zeros after them."""
    century_and_sex = sex.astype(np.int64) + (year >= 2000) * 2
    code = reference.places().codes[place]
    return np.asarray(((code * 10 + century_and_sex) * 100 + year % 100) * 1_000_000)


def _cancelled_numbers(
    draws: Draws,
    people: People,
    rows: Array,
    chunk: int,
    chunks: int,
    serials: numbers.Serials,
) -> pa.Array:
    """Draws numbers issued for a wrong year of birth or a wrong sex.

    They come from the upper end of each cell's range, which valid numbers never reach.
    """
    wrong_sex = draws.chance(0.3, len(rows))
    sex = np.where(wrong_sex, 1 - people.sex[rows], people.sex[rows])
    year = people.birth_year[rows] + np.where(wrong_sex, 0, 1 - 2 * draws.below(2, len(rows)))
    year = np.clip(year, 1900, 1900 + _SPAN_OF_YEARS - 1)
    place = people.birth_place[rows]
    cells = _cells(place, sex, year)
    positions = numbers.chunk_positions(cells, chunk, chunks, serials.cancelled_pairs)
    pairs = serials.choose(serials.pairs - 1 - positions, cells, draws.salt)
    serial = serials.six_digits(pairs, draws.bits16(len(rows)) & 1)
    return numbers.fixed_width(_prefix(place, sex, year) + serial, 12)


def _cmnd_numbers(
    draws: Draws, people: People, chunk: int, chunks: int, serials: numbers.Serials
) -> tuple[pa.Array, Array, pa.Array, Array]:
    """Draws CMND: the latest of everybody who has one, and an earlier one of some.

    Returns:
        The latest numbers, each person's position among them, the earlier numbers and the rows
        of those who have one.
    """
    rates, places = reference.shares("population"), reference.places()
    has = np.zeros(people.size, dtype=bool)
    has[: people.citizens] = (
        draws.unit(people.citizens) < reference.pyramid().cmnd[people.band[: people.citizens]]
    )
    rows = np.flatnonzero(has)
    earlier_rows = rows[draws.chance(rates["second_cmnd"], len(rows))]
    issued_at = np.concatenate(
        [people.home[rows], np.minimum(people.birth_place[earlier_rows], places.provinces - 1)]
    )
    prefix = places.cmnd_prefix[issued_at].astype(np.uint8)
    positions = numbers.rank_within(prefix) * chunks + chunk
    serial = serials.seven_digits(positions, prefix, draws.salt)
    repeated = draws.chance(rates["shared_cmnd"], len(serial))
    serial[repeated] = draws.below(10_000_000, int(repeated.sum()))
    texts = numbers.fixed_width(prefix * np.int64(10_000_000) + serial, 9)
    position = np.full(people.size, -1, dtype=np.int32)
    position[rows] = np.arange(len(rows))
    return texts[: len(rows)], position, texts[len(rows) :], earlier_rows


def _birth_texts(draws: Draws, people: People) -> Array:
    """Writes births as dd/mm/yyyy, and some of older people as the year alone."""
    share = share_by_birth_year("year_only_birth")[people.birth_year - 1900]
    days = people.birth_day.astype(np.int32)
    year_only = draws.unit(people.size) < share
    return np.where(
        year_only,
        calendar.text_position("birth_year_only", days),
        calendar.text_position("birth_standard", days),
    )
