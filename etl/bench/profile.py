"""What each table of a run takes: time, processor time, rows, disk space and memory.

Belongs here: building every table from the raw files to ``publish``, and measuring each. Does not
belong here: extraction and publishing, whose time depends on other people's databases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from etl.bench.memory import forget_peak, peak_bytes
from etl.bench.registers import fresh_warehouse, land
from etl.domain.errors import ConfigError
from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from etl.settings import Engine
from etl.simulate import SimulationSpec, write_parquet

REGISTERS = ("insurance", "population")


@dataclass(frozen=True)
class Taken:
    """What one table took.

    Attributes:
        table: Its name.
        kind: What its rows depend on.
        rows: How many rows it has; for a dictionary, how many strings were new.
        seconds: Wall time.
        processor_seconds: Processor time of all cores together.
        peak_bytes: The most memory of the process meanwhile; None where the system does not tell.
        bytes: Disk space.
    """

    table: str
    kind: str
    rows: int
    seconds: float
    processor_seconds: float
    peak_bytes: int | None
    bytes: int


def registers_of(home: Path, spec: SimulationSpec) -> dict[str, Path]:
    """Returns the files of simulated registers in a home."""
    folder = home / f"registers-{spec.citizens}-{spec.seed}"
    return {name: folder / f"{name}.parquet" for name in REGISTERS}


def simulated(home: Path, spec: SimulationSpec) -> dict[str, Path]:
    """Makes registers in a folder of the home, or uses those that are there already."""
    files = registers_of(home, spec)
    if not all(file.is_file() for file in files.values()):
        write_parquet(spec, files["insurance"].parent, replace=True)
    return files


def claim(home: Path) -> None:
    """Marks a folder as the home of measurements: a new or empty one, or one that has the mark.

    A measurement deletes the warehouse and the snapshots in its home, so that must not be a home
    in which somebody works.

    Raises:
        ConfigError: The folder has no mark and is not empty.
    """
    mark = home / "of-doisoat-bench"
    if home.exists() and any(home.iterdir()) and not mark.exists():
        raise ConfigError(
            "This folder is not empty, and no measurement made it.",
            where=str(home),
            remedy="Name a new folder with --home: what is in it is deleted by a measurement.",
        )
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.touch()


def profile(
    home: Path,
    registers: Mapping[str, Path],
    engine: Engine | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Taken]:
    """Builds every table from registers in Parquet, and measures each.

    Args:
        home: Where the warehouse is made; one that is there is deleted (see ``claim``).
        registers: The file of each register.
        engine: Limits of memory and threads, where they are not the default.
        progress: Called with the table, how many are done, and how many there are.

    Returns:
        What each took, in the order of building.
    """
    tables = pipeline().of("clean", "core", "publish")
    taken = []
    with fresh_warehouse(home, engine) as warehouse:
        land(warehouse, registers)
        for done, table in enumerate(tables):
            if progress:
                progress(table.name.sql, done, len(tables))
            fresh = forget_peak()
            (built,) = runner.build_all(warehouse, [table])
            taken.append((table, built, peak_bytes() if fresh else None))
        sizes = warehouse.sizes()
    return [
        Taken(
            table.name.sql, table.kind.value, built.rows,
            built.seconds, built.processor_seconds, peak, sizes.get(table.name, 0),
        )
        for table, built, peak in taken
    ]  # fmt: skip
