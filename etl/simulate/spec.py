"""What a simulation is asked for, and what it returns.

Belongs here: the request (SimulationSpec), one chunk of the result (SimulatedBatch), the summary
(SimulationReport), and how citizens are cut into chunks. Does not belong here: how anything is
drawn. Nothing heavy is imported, so that a command line can show its options at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_CITIZENS = 100_000
"""Citizens of one chunk. No family spans two chunks. Changing it changes every result."""

REFERENCE_DATE = date(2026, 11, 1)
"""The simulated today: ages, deaths and change times are counted from it."""

BIRTH_WINDOW_END = date(1990, 6, 30)
"""The last birth date of a simulation that is asked for a window of births."""

MAX_CITIZENS = 200_000_000
"""With more, the six digits of a personal number do not suffice for the largest provinces."""


@dataclass(frozen=True)
class SimulationSpec:
    """A request for two registers.

    Equal requests give equal registers, byte for byte, whatever `workers` is.

    Attributes:
        citizens: Rows of the population register, 1 to 200 million.
        seed: Any integer from 0.
        birth_window_days: All citizens are born within so many days up to 30/6/1990, which
            gives a small register the crowding of the national one (about 3,000 births a day).
            Such a register has no parents and children. None: births follow the age pyramid.
        crowded_numbers: Whether as many citizens share the last six digits of their personal and
            former numbers as among 100 million: about a hundred and sixty. With fewer than 100,000
            citizens it is fewer.
        fault_rates: A TOML file to use instead of `etl/simulate/fault_rates.toml`.
        workers: Processes that generate chunks; None: one per processor for large requests.
        reference_date: The simulated today. The clock is never read.
    """

    citizens: int
    seed: int = 0
    birth_window_days: int | None = None
    crowded_numbers: bool = False
    fault_rates: Path | None = None
    workers: int | None = None
    reference_date: date = REFERENCE_DATE

    def __post_init__(self) -> None:
        """Refuses a request that cannot be met.

        Raises:
            ValueError: A value is out of its range.
        """
        if not 1 <= self.citizens <= MAX_CITIZENS:
            raise ValueError(f"citizens must be 1 to {MAX_CITIZENS:,}, not {self.citizens:,}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, but is {self.seed}")
        if self.birth_window_days is not None and not 1 <= self.birth_window_days <= 3650:
            raise ValueError(f"birth_window_days must be 1 to 3650, not {self.birth_window_days}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, not {self.workers}")
        if not date(2000, 1, 1) <= self.reference_date <= date(2026, 12, 31):
            raise ValueError("reference_date must lie in the years 2000 to 2026")

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return -(-self.citizens // CHUNK_CITIZENS)

    def chunk_citizens(self, chunk: int) -> int:
        """Returns the number of citizens of one chunk, counted from 0."""
        return min(CHUNK_CITIZENS, self.citizens - chunk * CHUNK_CITIZENS)


@dataclass(frozen=True)
class SimulatedBatch:
    """One chunk of the registers, with the truth about its insurance records.

    Attributes:
        insurance: Insurance records, in random order.
        population: The citizens of this chunk.
        truth: record_id, personal_id (null for a ghost or a junk row), faults.
        fault_counts: Records per fault kind.
    """

    insurance: pa.Table
    population: pa.Table
    truth: pa.Table
    fault_counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SimulationReport:
    """What was written.

    Attributes:
        population_rows: Rows of the population register.
        insurance_rows: Rows of the insurance register, and of the truth.
        clean_rows: Insurance rows without any fault.
        seconds: Wall-clock time.
        fault_counts: Records per fault kind, by name.
    """

    population_rows: int
    insurance_rows: int
    clean_rows: int
    seconds: float
    fault_counts: dict[str, int]
