"""Chunks in order, made here or in other processes.

Belongs here: how many processes there are, and how far they may run
ahead. Does not belong here: what a chunk holds (chunks.py) or where it goes (writing.py).
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from etl.simulate import reference
from etl.simulate.chunks import simulate_chunk
from etl.simulate.spec import SimulatedBatch, SimulationSpec

_POOL_FROM_CHUNKS = 6
"""With fewer chunks the start of processes costs more than they save."""


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
    workers = _workers(spec)
    if workers == 1:
        for chunk in range(spec.chunks):
            yield simulate_chunk(spec, chunk)
    else:
        yield from _from_processes(spec, workers)


def _workers(spec: SimulationSpec) -> int:
    if spec.workers is not None:
        return min(spec.workers, spec.chunks)
    return (os.cpu_count() or 1) if spec.chunks >= _POOL_FROM_CHUNKS else 1


def _from_processes(spec: SimulationSpec, workers: int) -> Iterator[SimulatedBatch]:
    """Keeps each worker busy and at most one chunk per worker waiting."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context)
    ahead: deque[Future[SimulatedBatch]] = deque()
    try:
        for chunk in range(spec.chunks):
            ahead.append(pool.submit(simulate_chunk, spec, chunk))
            if len(ahead) > workers * 2 - 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
