"""Simulated registers with known truth, by seed: on them the reconciliation is tested and measured.

Belongs here: the package's public names, loaded when first used, so that importing the package
costs nothing. The parts: people, families and names make a population; population and insurance
make the two registers; the faults_* modules put faults into the insurance register and note them;
chunks puts one chunk together, running makes all chunks; writing, parquet and databases write them.
Shares and rates are data: ``tables/`` and ``fault_rates.toml``. Does not belong here: reconciling.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl.simulate.spec import SimulatedBatch, SimulationReport, SimulationSpec

if TYPE_CHECKING:
    from etl.simulate.databases import write_database
    from etl.simulate.parquet import write_parquet
    from etl.simulate.running import simulate_batches

__all__ = [
    "SimulatedBatch",
    "SimulationReport",
    "SimulationSpec",
    "simulate_batches",
    "write_database",
    "write_parquet",
]

_HOME = {
    "simulate_batches": "etl.simulate.running",
    "write_database": "etl.simulate.databases",
    "write_parquet": "etl.simulate.parquet",
}


def __getattr__(name: str) -> Any:
    """Loads numpy and pyarrow only when something is simulated."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
