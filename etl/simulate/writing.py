"""The loop that writes batches to sinks, shared by files and databases, and its report.

Belongs here: the tables' schemas and keys, what a sink is, and the loop. Does not belong here:
Parquet (parquet.py), databases (databases.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from etl.simulate import arrow, insurance, population
from etl.simulate.chunks import TRUTH_SCHEMA
from etl.simulate.running import simulate_batches
from etl.simulate.spec import SimulationReport, SimulationSpec

Progress = Callable[[int], None]

SCHEMAS: Mapping[str, pa.Schema] = {
    "insurance": insurance.SCHEMA,
    "population": population.SCHEMA,
    "truth": TRUTH_SCHEMA,
}
KEYS = {"insurance": "record_id", "population": "personal_id", "truth": "record_id"}


class Sink(Protocol):
    """Somewhere that takes the rows of one table."""

    def write(self, table: pa.Table) -> None:
        """Takes some rows."""


def write_batches(
    spec: SimulationSpec, sinks: Mapping[str, Sink], progress: Progress | None
) -> SimulationReport:
    """Makes all batches and hands each table to its sink.

    Args:
        spec: The request.
        sinks: The sink of each table, by name; tables without a sink are dropped.
        progress: Called with the number of citizens done so far.
    """
    start = time.monotonic()
    rows: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for batch in simulate_batches(spec):
        for name, sink in sinks.items():
            sink.write(getattr(batch, name))
        rows["insurance"] += batch.insurance.num_rows
        rows["population"] += batch.population.num_rows
        rows["clean"] += pc.sum(pc.equal(batch.truth["faults"], arrow.scalar(""))).as_py()
        faults.update(batch.fault_counts)
        if progress is not None:
            progress(rows["population"])
    return SimulationReport(
        population_rows=rows["population"],
        insurance_rows=rows["insurance"],
        clean_rows=rows["clean"],
        seconds=time.monotonic() - start,
        fault_counts=dict(sorted(faults.items())),
    )
