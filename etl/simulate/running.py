"""Chunks in order, made here or in other processes.

Belongs here: how many processes there are, how far they may run ahead, and how a chunk travels
between them. Does not belong here: what a chunk holds (chunks.py) or where it goes (writing.py).
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from etl.simulate import reference
from etl.simulate.chunks import simulate_chunk
from etl.simulate.spec import SimulatedBatch, SimulationSpec

_POOL_FROM_CHUNKS = 6
"""With fewer chunks the start of processes costs more than they save."""


@dataclass(frozen=True)
class _Parcel:
    """A chunk as Arrow IPC streams, which pickle as plain bytes."""

    insurance: pa.Buffer
    population: pa.Buffer
    truth: pa.Buffer
    fault_counts: dict[str, int]


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
    ahead: deque[Future[_Parcel]] = deque()
    try:
        for chunk in range(spec.chunks):
            ahead.append(pool.submit(_make_parcel, spec, chunk))
            if len(ahead) > workers * 2 - 1:
                yield _open_parcel(ahead.popleft().result())
        while ahead:
            yield _open_parcel(ahead.popleft().result())
    finally:
        pool.shutdown(cancel_futures=True)


def _make_parcel(spec: SimulationSpec, chunk: int) -> _Parcel:
    batch = simulate_chunk(spec, chunk)
    return _Parcel(
        insurance=_to_stream(batch.insurance),
        population=_to_stream(batch.population),
        truth=_to_stream(batch.truth),
        fault_counts=batch.fault_counts,
    )


def _open_parcel(parcel: _Parcel) -> SimulatedBatch:
    return SimulatedBatch(
        insurance=pa.ipc.open_stream(parcel.insurance).read_all(),
        population=pa.ipc.open_stream(parcel.population).read_all(),
        truth=pa.ipc.open_stream(parcel.truth).read_all(),
        fault_counts=parcel.fault_counts,
    )


def _to_stream(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()
