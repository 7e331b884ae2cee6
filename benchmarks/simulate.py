"""Measures the simulator: citizens a second into Parquet, and peak memory, for two sizes.

Run it on an otherwise idle machine: ``python benchmarks/simulate.py [citizens ...]``. Each size is
run three times, each time in a new process, so that no run benefits from the one before and every
peak belongs to one run. The time includes both registers, the truth, and the start of the worker
processes.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 3
SIZES = (1_000_000, 4_000_000)


def run_once(citizens: int) -> None:
    """Simulates into a temporary folder and prints the figures as JSON."""
    from etl.simulate import SimulationSpec, write_parquet

    with tempfile.TemporaryDirectory() as directory:
        report = write_parquet(SimulationSpec(citizens, seed=1), directory)
        size = sum(file.stat().st_size for file in Path(directory).iterdir())
    own, workers = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cpu = own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime
    print(
        json.dumps(
            {
                "per_second": citizens / report.seconds,
                "cpu_microseconds": cpu / citizens * 1e6,
                "own_mib": own.ru_maxrss / 1024,
                "worker_mib": workers.ru_maxrss / 1024,
                "bytes": size / citizens,
            }
        )
    )


def measure(citizens: int) -> dict[str, float]:
    """Returns the median of each figure."""
    command = [sys.executable, __file__, "--once", str(citizens)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(RUNS)
    ]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Prints one line for each size."""
    if sys.argv[1:2] == ["--once"]:
        run_once(int(sys.argv[2]))
        return
    for citizens in [int(size) for size in sys.argv[1:]] or SIZES:
        figures = measure(citizens)
        print(
            f"{citizens:>12,} citizens: {figures['per_second']:>9,.0f} a second, "
            f"{figures['cpu_microseconds']:.1f} µs processor time each, "
            f"peak {figures['own_mib']:,.0f} MiB writing and {figures['worker_mib']:,.0f} MiB "
            f"per worker, {figures['bytes']:.0f} bytes each on disk"
        )


if __name__ == "__main__":
    main()
