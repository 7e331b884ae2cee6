"""Strings understood where they are: on Spark's workers, each of which writes parts of a table.

Belongs here: what a worker does. Does not belong here: which strings there are and what is made of
them (``etl/clean/dictionaries.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

WRITTEN = "part string, strings bigint"
"""The columns that a worker returns, as Spark writes types."""

_BATCHES_A_PART = 50


@dataclass(frozen=True)
class Spread:
    """The work of one worker.

    Attributes:
        folder: Where parts are written before they count: the driver puts in place only those that
            it was told of, so that parts of a task that failed or ran twice are never seen.
        make: Makes the rows of some strings.
    """

    folder: str
    make: Callable[[pa.Array], pa.Table]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Understands strings, writes the result as a part, and returns the part's name."""
        while made := [
            self.make(batch.column(0)) for batch in islice(batches, _BATCHES_A_PART) if len(batch)
        ]:
            found = pa.concat_tables(made)
            part = Path(self.folder, f"{uuid4().hex}.parquet")
            pq.write_table(found, part, compression="none", use_dictionary=True)
            told = {"part": [part.name], "strings": pa.array([found.num_rows], pa.int64())}
            yield pa.RecordBatch.from_pydict(told)
