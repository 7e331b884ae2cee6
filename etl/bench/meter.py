"""What a piece of work takes of this process: time, processors, memory.

Belongs here: reading the system's counters. Does not belong here: what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass
class Meter:
    """What was used while it ran.

    Attributes:
        seconds: Wall time.
        processor_seconds: Of all processors together.
        peak_bytes: The most memory that the process held; None where the system does not tell.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_bytes: int | None = None


@contextmanager
def metered() -> Iterator[Meter]:
    """Measures what is done within; the peak of memory is that of this time alone (Linux)."""
    found, fresh = Meter(), _forget_peak()
    began, processor = time.perf_counter(), time.process_time()
    try:
        yield found
    finally:
        found.seconds = time.perf_counter() - began
        found.processor_seconds = time.process_time() - processor
        found.peak_bytes = _peak() if fresh else None


def _forget_peak() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int | None:
    for line in _STATUS.read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
