"""Work in several processes, one for each core.

Belongs here: how many there are, how many jobs may be taken in advance, and that they end with
their parent. Does not belong here: what they do (a function at the top of a module, and what it is
given).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Iterator[Result]:
    """Yields a function's result for each job, in the order of the jobs.

    Jobs are taken as they are needed, two for each process, so that memory does not grow with
    their number. A process is made by ``spawn``, so a script that asks for more than one needs the
    usual ``if __name__ == "__main__":``. It ends when its parent does, in whatever way.

    Args:
        work: A function at the top of a module.
        jobs: What it is given, one after the other; they are pickled.
        workers: How many processes; with one the work is done in this process.

    Raises:
        Exception: What the work raised; no more jobs are begun.
    """
    if workers <= 1:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow)
    ahead: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            ahead.append(pool.submit(work, job))
            if len(ahead) > workers * 2 - 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _follow() -> None:
    """Leaves signals of the terminal to the parent, and ends when it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this is the start of a child

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
