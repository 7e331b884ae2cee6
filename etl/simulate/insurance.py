"""The insurance register as it would be if nobody made a mistake.

Belongs here: who has a record, in which schemes, with which employer, insurance number and card,
and the editable columns that the faults then change. Does not belong here: the faults
(faults_*.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from etl.simulate import arrow, calendar, numbers, reference
from etl.simulate.columns import EditedColumn
from etl.simulate.draws import Array, Draws, sampling_table
from etl.simulate.people import YEAR_DAYS, People
from etl.simulate.population import Identity, change_times
from etl.simulate.spec import CHUNK_CITIZENS, SimulationSpec

SCHEMA = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("insurance_number", pa.string()),
        pa.field("full_name", pa.string()),
        pa.field("date_of_birth", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("id_number", pa.string()),
        pa.field("health_card_number", pa.string()),
        pa.field("compulsory_si", pa.int16()),
        pa.field("voluntary_si", pa.int16()),
        pa.field("unemployment_insurance", pa.int16()),
        pa.field("health_insurance", pa.int16()),
        pa.field("status", pa.string()),
        pa.field("employer_code", pa.string()),
        pa.field("province_code", pa.string()),
        pa.field("commune", pa.string()),
        pa.field("office", pa.string()),
        pa.field("address", pa.string()),
        pa.field("updated_at", pa.timestamp("us")),
    ]
)

RECORDS_PER_CHUNK = CHUNK_CITIZENS * 5 // 4
"""Record numbers reserved for a chunk: more than it can need."""

GENDER_FORMS = (
    *("Nam", "Nữ", "1", "0", "nam", "nu", "NAM", "NỮ", "M", "F", "nam", "nữ"),
    *("true", "false", "1", "2", "male", "female", "Nam ", "Nu"),
)
"""Ways to write male and female, in pairs; the first pair is the correct one."""

_SEGMENTS = ("infant", "pupil", "student", "employee", "adult", "senior")


@dataclass
class Records:
    """The insurance records of one chunk while they are being made.

    A junk row is at first the record of a random person, and is overwritten later.

    Attributes:
        people: The chunk's people.
        identity: Their numbers and texts.
        person: Row of each record's person.
        duplicate: Mask of second records.
        junk: Mask of junk rows.
        ended: Mask of records that are no longer active.
        age: Age at the reference date.
        schemes: Flags by scheme: compulsory, voluntary, unemployment, health.
        own_number: The ten-digit insurance number of each record, as it should be.
        columns: The text columns by name, still editable.
    """

    people: People
    identity: Identity
    person: Array
    duplicate: Array
    junk: Array
    ended: Array
    age: Array
    schemes: dict[str, Array]
    own_number: pa.Array
    columns: dict[str, EditedColumn]

    @property
    def size(self) -> int:
        """Number of records."""
        return len(self.person)

    @property
    def ghost(self) -> Array:
        """Mask of records of people who are no citizens."""
        return self.person >= self.people.citizens


@dataclass(frozen=True)
class Participation:
    """Shares by age in years.

    Attributes:
        recorded: Has an insurance record.
        compulsory: In compulsory social insurance.
        voluntary: In voluntary social insurance.
        unemployment: In unemployment insurance, of those in compulsory social insurance.
    """

    recorded: Array
    compulsory: Array
    voluntary: Array
    unemployment: Array


@cache
def participation() -> Participation:
    """Returns the shares of insured people by age from 0 to 130."""
    rows = reference.read_csv("etl.simulate", "tables/participation.csv")
    row_of_age = np.searchsorted([int(r["age_from"]) for r in rows], np.arange(131), "right") - 1

    def by_age(column: str) -> Array:
        return np.array([float(row[column]) for row in rows], dtype=np.float32)[row_of_age]

    return Participation(
        recorded=by_age("recorded"),
        compulsory=by_age("compulsory"),
        voluntary=by_age("voluntary"),
        unemployment=by_age("unemployment_of_compulsory"),
    )


def choose_records(
    draws: Draws, people: People, today: int, rates: dict[str, float]
) -> tuple[Array, Array, Array, Array]:
    """Chooses the people who have records, and shuffles the records.

    Args:
        draws: The chunk's random numbers.
        people: The chunk's people.
        today: Day number of the simulated today.
        rates: Fault rates by kind.

    Returns:
        The person of each record, and masks of second records, junk rows and ended records.
    """
    citizens = people.citizens
    age = ages(people, today)[:citizens]
    recorded = draws.unit(citizens) < participation().recorded[age]
    dead = people.death_day[:citizens] >= 0
    fate = draws.unit(citizens)
    active = rates["deceased_active"]
    ended_share = reference.shares("insurance")["deceased_ended"] * (1 - active)
    recorded = np.where(dead, fate < active + ended_share, recorded)
    insured = np.flatnonzero(recorded)
    second = insured[draws.chance(rates["duplicate"], len(insured))]
    ghosts = np.arange(citizens, people.size)
    junk = draws.below(citizens, int(draws.chance(rates["junk"], len(insured)).sum()))
    person = np.concatenate([insured, second, ghosts, junk])
    kind = np.repeat(np.arange(4), [len(insured), len(second), len(ghosts), len(junk)])
    ended = draws.chance(reference.shares("insurance")["ended"], len(person))
    citizen = person < citizens
    is_dead = np.zeros(len(person), dtype=bool)
    is_dead[citizen] = dead[person[citizen]]
    ended[is_dead] = fate[person[is_dead]] >= active
    order = draws.order(len(person))
    kind = kind[order]
    return person[order], kind == 1, kind == 3, ended[order]


def ages(people: People, today: int) -> Array:
    """Returns ages in whole years."""
    return ((today - people.birth_day.astype(np.int32)) / YEAR_DAYS).astype(np.int16)


def make_records(
    spec: SimulationSpec,
    draws: Draws,
    people: People,
    names: pa.Array,
    identity: Identity,
    *,
    chunk: int,
    rates: dict[str, float],
) -> Records:
    """Returns a chunk's records before faults; ghosts, duplicates and junk are chosen already."""
    today = calendar.day_number(spec.reference_date)
    person, duplicate, junk, ended = choose_records(draws, people, today, rates)
    age = ages(people, today)[person]
    schemes = _draw_schemes(draws, age)
    digits = numbers.fixed_width(_insurance_numbers(draws, people, person, chunk, spec.chunks), 10)
    home = people.home[person]
    columns = {
        "full_name": EditedColumn(names, person),
        "date_of_birth": EditedColumn(calendar.texts(), identity.birth_text[person]),
        "gender": EditedColumn(arrow.from_texts(GENDER_FORMS), people.sex[person]),
        "id_number": EditedColumn(identity.personal_ids, person),
        "insurance_number": EditedColumn(digits, np.arange(len(person))),
        "province_code": EditedColumn(province_pool(), home),
        "address": EditedColumn(identity.addresses, person),
    }
    records = Records(
        people=people,
        identity=identity,
        person=person,
        duplicate=duplicate,
        junk=junk,
        ended=ended,
        age=age,
        schemes=schemes,
        own_number=digits,
        columns=columns,
    )
    columns["health_card_number"] = _cards(draws, records)
    _use_personal_numbers(draws, records)
    return records


def province_pool() -> pa.Array:
    """Returns the codes of 2025 of all provinces, then their codes of before 2025."""
    places = reference.places()
    return arrow.from_texts([*places.new_codes, *places.old_codes])


def insurance_table(spec: SimulationSpec, draws: Draws, records: Records, chunk: int) -> pa.Table:
    """Returns the register's rows of a chunk, as the faults have left them."""
    size = records.size
    text = {name: column.build() for name, column in records.columns.items()}
    flags = {
        name: arrow.from_numpy(mask.astype(np.int16)) for name, mask in records.schemes.items()
    }
    commune = arrow.gather(records.identity.communes, records.person)
    columns = {
        **text,
        **flags,
        "commune": commune,
        "office": arrow.join("", "BHXH cơ sở ", commune),
        "record_id": record_ids(chunk, size),
        "status": arrow.gather(
            arrow.from_texts(["active", "ended"]), records.ended.astype(np.int8)
        ),
        "employer_code": _employers(spec, draws, records),
        "updated_at": change_times(spec, draws, size, reference.shares("insurance")["update_days"]),
    }
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def record_ids(chunk: int, size: int) -> pa.Array:
    """Returns record ids: R and ten digits, in the order of the rows."""
    sequence = np.arange(size, dtype=np.int64) + chunk * RECORDS_PER_CHUNK + 1
    digits = numbers.fixed_width(sequence, 10)
    return arrow.join("", "R", digits)


def _draw_schemes(draws: Draws, age: Array) -> dict[str, Array]:
    shares = participation()
    size = len(age)
    fate = draws.unit(size)
    # The shares are of all people. Only some have a record, so among records the share is larger.
    compulsory = fate < shares.compulsory[age] / shares.recorded[age]
    voluntary = ~compulsory & (1 - fate <= shares.voluntary[age] / shares.recorded[age])
    unemployment = compulsory & (draws.unit(size) < shares.unemployment[age])
    health = draws.chance(reference.shares("insurance")["health_with_social"], size)
    return {
        "compulsory_si": compulsory,
        "voluntary_si": voluntary,
        "unemployment_insurance": unemployment,
        "health_insurance": health | ~(compulsory | voluntary),
    }


def _insurance_numbers(
    draws: Draws, people: People, person: Array, chunk: int, chunks: int
) -> Array:
    """Returns ten-digit insurance numbers, unique, the issuing province's code first."""
    province = people.home[person].astype(np.uint8)
    positions = numbers.chunk_positions(province, chunk, chunks, 100_000_000)
    serial = numbers.scatter(positions, province, 10_000, 10_000, draws.salt)
    code = reference.places().codes[province]
    return code * np.int64(100_000_000) + serial


@cache
def _card_tables() -> tuple[list[str], Array]:
    """Returns the object codes with benefit level, and one sampling table per segment."""
    rows = reference.read_csv("etl.simulate", "tables/health_cards.csv")
    codes = [row["object_code"] + row["benefit_level"] for row in rows]
    tables = [
        sampling_table([float(row["weight"]) * (row["segment"] == name) for row in rows])
        for name in _SEGMENTS
    ]
    return codes, np.stack(tables)


def _cards(draws: Draws, records: Records) -> EditedColumn:
    """Returns card numbers: ten digits, or 15 characters, or null without health insurance."""
    codes, tables = _card_tables()
    insured = records.schemes["health_insurance"]
    column = EditedColumn(records.own_number, np.where(insured, np.arange(records.size), -1))
    long_card = draws.chance(reference.shares("insurance")["long_card"], records.size)
    rows = np.flatnonzero(insured & long_card)
    segment = np.searchsorted([6, 18, 23, 60], records.age[rows], side="right")
    segment = np.array([0, 1, 2, 4, 5])[segment]
    segment[records.schemes["compulsory_si"][rows]] = 3
    code = tables[segment, draws.bits16(len(rows))]
    provinces = reference.places().new_codes
    prefixes = arrow.from_texts([code + province for code in codes for province in provinces])
    position = code.astype(np.int32) * len(provinces) + records.people.home[records.person[rows]]
    prefix = arrow.gather(prefixes, position)
    number = arrow.gather(records.own_number, rows)
    column.replace(rows, arrow.join("", prefix, number))
    return column


def _use_personal_numbers(draws: Draws, records: Records) -> None:
    """Gives some citizens' first records the personal number as insurance number."""
    share = reference.shares("insurance")["personal_number_as_insurance_number"]
    eligible = ~(records.duplicate | records.ghost | records.junk)
    rows = np.flatnonzero(eligible & draws.chance(share, records.size))
    column = records.columns["insurance_number"]
    start = column.add(records.identity.personal_ids)[0]
    column.index[rows] = start + records.person[rows]


def _employers(spec: SimulationSpec, draws: Draws, records: Records) -> pa.Array:
    """Returns employer codes: province and rank; an employer's size falls as one over its rank."""
    rows = np.flatnonzero(records.schemes["compulsory_si"])
    places = reference.places()
    residents = np.bincount(places.residents, minlength=places.provinces) / len(places.residents)
    jobs = spec.citizens * 0.16 * residents
    employers = np.maximum(jobs / reference.shares("insurance")["jobs_per_employer"], 2.0)
    home = records.people.home[records.person[rows]]
    rank = np.exp(draws.unit(len(rows)) * np.log(employers[home] + 1)).astype(np.int64)
    code = numbers.fixed_width((places.codes[home] * 1_000_000) + rank, 8)
    column = EditedColumn(code, np.full(records.size, -1))
    column.index[rows] = np.arange(len(rows))
    return column.build()
