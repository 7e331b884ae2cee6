"""doisoat on simulated registers, compared with their truth.

Belongs here: simulating, reconciling and judging, seed by seed. Does not belong here: how links are
judged (``judge.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import judge, limits
from benchmarks.accuracy.report import Section, console
from etl.bench.registers import fresh_warehouse, land
from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from etl.simulate import SimulationSpec, write_parquet

REPORT_SEEDS = (101, 102, 103)
"""Seeds on which no rule was tuned. Seeds 1 to 9 are for tuning."""


@dataclass(frozen=True)
class Simulated:
    """One pair of registers with their truth, and the folder in which they are reconciled.

    Attributes:
        spec: What is simulated.
        folder: Holds the registers, the warehouse and the findings.
    """

    spec: SimulationSpec
    folder: Path

    @classmethod
    def of(cls, spec: SimulationSpec, home: Path) -> Simulated:
        """Simulates the registers, or uses those of an earlier run again."""
        window = f"_{spec.birth_window_days}d" if spec.birth_window_days else ""
        folder = home / f"{spec.citizens}_{spec.seed}{window}"
        if not (folder / "truth.parquet").exists():
            with console.status(f"simulating {spec.citizens:,} citizens, seed {spec.seed}"):
                write_parquet(spec, folder)
        return cls(spec, folder)

    @property
    def registers(self) -> dict[str, Path]:
        """The Parquet file of each register."""
        return {name: self.file(name) for name in ("insurance", "population")}

    def file(self, name: str) -> Path:
        """Returns a Parquet file of this folder."""
        return self.folder / f"{name}.parquet"


def reconcile(data: Simulated) -> list[limits.AtLimit]:
    """Reconciles and judges; keeps the judged records and clean tables for the other contenders.

    Returns:
        The results at other limits of risk.
    """
    with (
        console.status(f"reconciling, seed {data.spec.seed}"),
        fresh_warehouse(data.folder) as warehouse,
    ):
        land(warehouse, data.registers)
        runner.build_all(warehouse, pipeline().of("clean", "core"))
        judge.judge(warehouse, data.file("truth"), data.file("judged"), data.spec.seed)
        judge.weigh(warehouse, data.file("weighed"))
        for table in ("insurance", "population", "former_numbers"):
            warehouse.execute(
                f"copy clean.{table} to '{data.file(f'clean_{table}')}' (format parquet)"
            )
        return limits.sweep(warehouse, data.file("truth"), data.file("judged"))


def draw(datasets: Sequence[Simulated], folder: Path, name: str, title: str) -> None:
    """Draws precision and recall against the threshold, over all seeds together."""
    from benchmarks.accuracy import charts

    page = charts.write(folder, name, title, [data.file("weighed") for data in datasets])
    console.print(f"Charts: {page}")


def run(
    citizens: int, seeds: Sequence[int], home: Path, charts: Path | None = None
) -> list[Section]:
    """Measures doisoat on registers that are only as crowded as their size makes them."""
    datasets = [Simulated.of(SimulationSpec(citizens, seed=seed), home) for seed in seeds]
    swept = [reconcile(data) for data in datasets]
    title = f"{citizens:,} simulated citizens"
    if charts:
        draw(datasets, charts, "simulated", title)
    judged = [data.file("judged") for data in datasets]
    at_limits = limits.section(limits.pooled(swept), *judge.totals(judged))
    return [*judge.all_sections(judged, title), at_limits]
