"""Making one chunk of the two registers, from the request and the chunk's number alone.

Belongs here: the order in which people, names, registers and faults are drawn. Does not belong
here: how each of these is drawn, and how chunks are spread over processes (running.py).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from etl.simulate import arrow, calendar, reference
from etl.simulate.columns import FaultLog
from etl.simulate.draws import Array, Draws
from etl.simulate.families import link_families
from etl.simulate.faults_facts import apply_birth_faults, apply_gender_faults, apply_place_faults
from etl.simulate.faults_names import apply_name_faults
from etl.simulate.faults_numbers import (
    apply_card_faults,
    apply_id_faults,
    apply_insurance_number_faults,
)
from etl.simulate.faults_rows import apply_junk, note_row_faults
from etl.simulate.insurance import Records, insurance_table, make_records, record_ids
from etl.simulate.names import draw_names, full_names
from etl.simulate.numbers import Serials
from etl.simulate.people import draw_birth_places, draw_people
from etl.simulate.population import identify, population_table
from etl.simulate.spec import SimulatedBatch, SimulationSpec

TRUTH_SCHEMA = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("personal_id", pa.string()),
        pa.field("faults", pa.string(), nullable=False),
    ]
)


def simulate_chunk(spec: SimulationSpec, chunk: int) -> SimulatedBatch:
    """Returns one chunk.

    Args:
        spec: The request.
        chunk: The chunk's number, from 0.
    """
    kinds = reference.fault_kinds(spec.fault_rates)
    rates = {name: kind.rate for name, kind in kinds.items()}
    draws = Draws(spec.seed, chunk)
    citizens = spec.chunk_citizens(chunk)
    ghosts = int(draws.chance(rates["ghost"], int(citizens * 0.92)).sum())
    people = draw_people(spec, draws, citizens, ghosts)
    link_families(draws, people, calendar.day_number(spec.reference_date))
    draw_birth_places(draws, people)
    names = full_names(draw_names(draws, people, _foreigners(draws, citizens, ghosts)))
    serials = Serials.crowded(spec.citizens) if spec.crowded_numbers else Serials()
    identity = identify(draws, people, chunk, spec.chunks, serials)
    population = population_table(spec, draws, people, names, identity)
    records = make_records(spec, draws, people, names, identity, chunk=chunk, rates=rates)
    log = FaultLog(list(kinds))
    _apply_faults(draws, records, rates, log)
    return SimulatedBatch(
        insurance=insurance_table(spec, draws, records, chunk),
        population=population,
        truth=_truth_table(records, log, chunk),
        fault_counts=log.counts(),
    )


def _foreigners(draws: Draws, citizens: int, ghosts: int) -> Array:
    foreign = np.zeros(citizens + ghosts, dtype=bool)
    share = reference.shares("insurance")["foreign_ghost"]
    foreign[citizens:] = draws.chance(share, ghosts)
    return foreign


def _apply_faults(draws: Draws, records: Records, rates: dict[str, float], log: FaultLog) -> None:
    """Applies all faults; in the end, being junk is the only fault of a junk row."""
    for apply in (
        apply_name_faults,
        apply_id_faults,
        apply_birth_faults,
        apply_gender_faults,
        apply_insurance_number_faults,
        apply_card_faults,
        apply_place_faults,
    ):
        apply(draws, records, rates, log)
    note_row_faults(records, log)
    log.forget(records.junk)
    apply_junk(draws, records, log)


def _truth_table(records: Records, log: FaultLog, chunk: int) -> pa.Table:
    nobody = records.ghost | records.junk
    personal = arrow.gather(records.identity.personal_ids, np.where(nobody, -1, records.person))
    columns = [
        record_ids(chunk, records.size),
        personal,
        log.build(records.size),
    ]
    return pa.Table.from_arrays(columns, schema=TRUTH_SCHEMA)
