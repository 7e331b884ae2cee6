"""Columns that are edited before they are built, and the log of the faults.

Belongs here: EditedColumn, which puts off building strings until all edits are known, and
FaultLog, which remembers which record got which fault. Does not belong here: any particular fault.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.simulate import arrow
from etl.simulate.draws import Array


class EditedColumn:
    """A text column, held as one number per row: the position of the row's text in a pool.

    An edit changes a row's number, and may add new texts to the pool; the column is built once, at
    the end, by one gather. A number of -1 stands for null.

    Attributes:
        index: For each row, the position of its text in the pool.
    """

    def __init__(self, pool: pa.Array, index: Array) -> None:
        self._base = pool
        self._added: list[pa.Array] = []
        self._size = len(pool)
        self.index = index.astype(np.int32)

    def add(self, texts: pa.Array | Sequence[str]) -> Array:
        """Adds texts to the pool and returns their positions."""
        extra = texts if isinstance(texts, pa.Array) else arrow.from_texts(texts)
        start = self._size
        self._added.append(extra)
        self._size += len(extra)
        return np.arange(start, self._size, dtype=np.int32)

    def replace(self, rows: Array, texts: pa.Array | Sequence[str]) -> None:
        """Gives each of `rows` the text at the same position of `texts`."""
        self.index[rows] = self.add(texts)

    def blank(self, rows: Array) -> None:
        """Makes `rows` null."""
        self.index[rows] = -1

    def texts(self, rows: Array) -> pa.Array:
        """Returns the present texts of `rows`.

        The base pool is large and the added texts are few, so they are not put together here.
        """
        index, size = self.index[rows], len(self._base)
        if not len(index) or int(index.max()) < size:
            return arrow.gather(self._base, index)
        self._added = [pa.concat_arrays(self._added)]
        return pc.coalesce(
            arrow.gather(self._base, np.where(index < size, index, -1)),
            arrow.gather(self._added[0], np.where(index < size, -1, index - size)),
        )

    def build(self) -> pa.Array:
        """Returns the column."""
        return arrow.gather(pa.concat_arrays([self._base, *self._added]), self.index)


class FaultLog:
    """Which record got which faults."""

    def __init__(self, kinds: Sequence[str]) -> None:
        """Starts an empty log.

        Args:
            kinds: All fault kinds that may be noted.
        """
        self._kinds = sorted(kinds)
        self._code = {kind: code for code, kind in enumerate(self._kinds)}
        self._notes: list[Array] = []

    def note(self, kind: str, rows: Array) -> None:
        """Notes that `rows` got a fault; each row at most once per kind."""
        self._notes.append(np.asarray(rows, dtype=np.int64) * len(self._kinds) + self._code[kind])

    def forget(self, records: Array) -> None:
        """Removes all notes of the records in a mask."""
        notes = self._all()
        self._notes = [notes[~records[notes // len(self._kinds)]]]

    def counts(self) -> dict[str, int]:
        """Returns the number of records per kind, for kinds that occurred."""
        codes = self._all() % len(self._kinds)
        totals = np.bincount(codes, minlength=len(self._kinds))
        return {kind: int(totals[code]) for kind, code in self._code.items() if totals[code]}

    def build(self, size: int) -> pa.Array:
        """Returns each record's kinds, sorted and joined by `;`; an empty text if it has none."""
        notes = np.sort(self._all())
        rows, codes = np.divmod(notes, len(self._kinds))
        offsets = np.zeros(size + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=size), out=offsets[1:])
        names = arrow.gather(arrow.from_texts(self._kinds), codes)
        lists = pa.ListArray.from_arrays(arrow.from_numpy(offsets), names)
        return pc.binary_join(lists, arrow.scalar(";"))

    def _all(self) -> Array:
        return np.concatenate(self._notes) if self._notes else np.empty(0, dtype=np.int64)
