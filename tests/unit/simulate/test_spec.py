from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from etl.simulate import SimulationSpec, simulate_batches

from .conftest import collect


@pytest.mark.parametrize(
    "wrong",
    [
        {"citizens": 0},
        {"citizens": 10, "seed": -1},
        {"citizens": 10, "workers": 0},
        {"citizens": 10, "birth_window_days": 0},
        {"citizens": 10, "reference_date": date(2031, 1, 1)},
    ],
)
def test_a_request_out_of_range_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="must"):
        SimulationSpec(**wrong)


def test_equal_requests_give_equal_registers() -> None:
    first, second = (collect(SimulationSpec(3_000, seed=4)) for _ in range(2))
    assert first.insurance.equals(second.insurance)
    assert first.population.equals(second.population)
    assert first.truth.equals(second.truth)


def test_another_seed_gives_other_registers() -> None:
    first, second = (collect(SimulationSpec(500, seed=seed)) for seed in (1, 2))
    assert not set(first.population["personal_id"].to_pylist()) & set(
        second.population["personal_id"].to_pylist()
    )


def test_the_number_of_workers_changes_nothing() -> None:
    alone = simulate_batches(SimulationSpec(210_000, seed=9, workers=1))
    together = simulate_batches(SimulationSpec(210_000, seed=9, workers=2))
    for one, other in zip(alone, together, strict=True):
        assert one.insurance.equals(other.insurance)
        assert one.population.equals(other.population)
        assert one.truth.equals(other.truth)
        assert one.fault_counts == other.fault_counts


@pytest.mark.parametrize("citizens", [1, 2, 3, 7, 50])
def test_the_smallest_registers_work(citizens: int) -> None:
    for seed in range(5):
        assert collect(SimulationSpec(citizens, seed=seed)).population.num_rows == citizens


def test_an_unknown_fault_kind_is_refused_by_name(rates_file) -> None:
    spec = SimulationSpec(10, fault_rates=rates_file(name_upper=0.1, name_uper=0.1))
    with pytest.raises(ValueError, match="name_uper"):
        collect(spec)


def test_a_rate_above_one_is_refused(rates_file) -> None:
    with pytest.raises(ValueError, match="name_upper"):
        collect(SimulationSpec(10, fault_rates=rates_file(name_upper=1.5)))


def test_an_empty_rates_file_gives_a_faultless_register(rates_file) -> None:
    clean = collect(SimulationSpec(2_000, fault_rates=rates_file()))
    assert clean.fault_counts == {}
    assert set(clean.truth["faults"].to_pylist()) == {""}


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, etl.simulate\n"
        "print([m for m in ('numpy', 'pyarrow', 'pandas', 'sqlalchemy') if m in sys.modules])\n"
        "list(etl.simulate.simulate_batches(etl.simulate.SimulationSpec(100)))\n"
        "print([m for m in ('pandas', 'dagster', 'sqlalchemy') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_memory_does_not_grow_with_the_number_of_citizens() -> None:
    code = (
        "import resource, etl.simulate as s\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "peaks = []\n"
        "for batch in s.simulate_batches(s.SimulationSpec(700_000, workers=1)):\n"
        "    peaks.append(peak())\n"
        "print(peaks[2], peaks[-1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late = map(int, done.stdout.split())
    assert late < early * 1.15
