"""Registers that the tests of the simulator share: they are made once, as plain Python rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from etl.simulate import SimulatedBatch, SimulationSpec, simulate_batches

Row = dict[str, Any]


@dataclass(frozen=True)
class Registers:
    """Both registers and the truth as rows, and each citizen by number."""

    insurance: list[Row]
    population: list[Row]
    truth: list[Row]
    fault_counts: dict[str, int]

    @property
    def citizens(self) -> dict[str, Row]:
        return {row["personal_id"]: row for row in self.population}

    def with_truth(self) -> list[tuple[Row, Row | None, set[str]]]:
        """Returns each record with its citizen, if any, and its faults."""
        citizens = self.citizens
        return [
            (record, citizens.get(truth["personal_id"]), set(truth["faults"].split(";")) - {""})
            for record, truth in zip(self.insurance, self.truth, strict=True)
        ]


def collect(spec: SimulationSpec) -> SimulatedBatch:
    """Returns the whole result of a simulation as one batch."""
    batches = list(simulate_batches(spec))
    counts: dict[str, int] = {}
    for batch in batches:
        for kind, count in batch.fault_counts.items():
            counts[kind] = counts.get(kind, 0) + count
    return SimulatedBatch(
        insurance=pa.concat_tables(batch.insurance for batch in batches),
        population=pa.concat_tables(batch.population for batch in batches),
        truth=pa.concat_tables(batch.truth for batch in batches),
        fault_counts=counts,
    )


def as_rows(batch: SimulatedBatch) -> Registers:
    """Returns a batch as rows."""
    return Registers(
        batch.insurance.to_pylist(),
        batch.population.to_pylist(),
        batch.truth.to_pylist(),
        batch.fault_counts,
    )


@pytest.fixture(scope="session")
def batch() -> SimulatedBatch:
    """80,000 citizens with the project's own fault rates."""
    return collect(SimulationSpec(80_000, seed=20))


@pytest.fixture(scope="session")
def registers(batch: SimulatedBatch) -> Registers:
    """The same as rows."""
    return as_rows(batch)


@pytest.fixture
def rates_file(tmp_path: Path) -> Any:
    """Returns a function that writes a file of fault rates."""

    def write(**rates: float) -> Path:
        path = tmp_path / "rates.toml"
        path.write_text("".join(f"[{kind}]\nrate = {rate}\n" for kind, rate in rates.items()))
        return path

    return write
