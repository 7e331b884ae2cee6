"""Making all chunks, in order, in this process or in several others.

Belongs here: how many processes there are. Does not belong here: how they work together
(``etl/process``), what a chunk holds (chunks.py) or where it goes (writing.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from etl.process.workers import in_processes
from etl.simulate import reference
from etl.simulate.chunks import simulate_chunk
from etl.simulate.spec import SimulatedBatch, SimulationSpec

_POOL_FROM_CHUNKS = 6
"""With fewer chunks, starting processes costs more than it saves."""


def simulate_batches(spec: SimulationSpec) -> Iterator[SimulatedBatch]:
    """Yields the two registers and the truth, chunk by chunk.

    Memory does not grow with the number of citizens. Chunks come in order, and are the same
    whatever the number of workers. More than one worker starts processes by `spawn`, so a script
    that asks for them needs the usual `if __name__ == "__main__":`.

    Args:
        spec: The request.

    Raises:
        ValueError: The fault rates are wrong, or too many people share a place and year of birth.
    """
    reference.fault_kinds(spec.fault_rates)
    yield from in_processes(partial(simulate_chunk, spec), range(spec.chunks), _workers(spec))


def _workers(spec: SimulationSpec) -> int:
    if spec.workers is not None:
        return min(spec.workers, spec.chunks)
    return (os.cpu_count() or 1) if spec.chunks >= _POOL_FROM_CHUNKS else 1
