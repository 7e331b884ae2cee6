"""Random draws, many at a time.

Belongs here: the random generator of a chunk, and the ways in which the simulator uses it. Does
not belong here: any knowledge of people or registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TABLE_SIZE = 1 << 16


def sampling_table(weights: Sequence[float] | Array) -> Array:
    """Returns a table in which each outcome occurs in proportion to its weight.

    A random 16-bit number used as an index then draws from the distribution, at the cost of one
    memory access. Shares are exact to 1/65,536.

    Args:
        weights: One weight per outcome, not all zero.
    """
    shares = np.asarray(weights, dtype=np.float64)
    edges = np.rint(np.cumsum(shares) / shares.sum() * TABLE_SIZE).astype(np.int64)
    counts = np.diff(edges, prepend=0)
    kind = np.uint8 if len(shares) <= 256 else np.uint16
    return np.repeat(np.arange(len(shares), dtype=kind), counts)


class Draws:
    """The random numbers of one chunk.

    Each chunk has its own stream, derived from the seed and the chunk's number, so that chunks
    can be made in any order and in any process.

    Attributes:
        salt: A number below 2**64 that all chunks of a seed share.
    """

    def __init__(self, seed: int, *key: int) -> None:
        self.salt = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        self._rng = np.random.Generator(
            np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key))
        )

    def bits16(self, size: int) -> Array:
        """Returns random 16-bit numbers, to index a sampling table."""
        return self._rng.integers(0, TABLE_SIZE, size, dtype=np.uint16)

    def outcome(self, table: Array, size: int) -> Array:
        """Returns draws from a sampling table."""
        return table[self.bits16(size)]

    def unit(self, size: int) -> Array:
        """Returns uniform numbers from 0 (inclusive) to 1 (exclusive)."""
        return self._rng.random(size, dtype=np.float32)

    def below(self, high: int | Array, size: int) -> Array:
        """Returns uniform integers from 0 to `high` - 1."""
        if isinstance(high, int):
            return self._rng.integers(0, high, size, dtype=np.int32)
        return (self._rng.random(size) * high).astype(np.int64)

    def chance(self, probability: float | Array, size: int) -> Array:
        """Returns a mask that is true with the given probability."""
        return self.unit(size) < probability

    def rows(self, probability: float, size: int) -> Array:
        """Returns the rows, ascending, in which an event of some probability occurs.

        For rare events the gaps between hits are drawn, which costs nothing for the rows between.
        """
        if probability <= 0 or not size:
            return np.empty(0, dtype=np.int64)
        if probability > 0.1:
            return np.flatnonzero(self.unit(size) < probability)
        expected = size * probability
        block = int(expected + 6 * expected**0.5 + 16)
        hits = np.cumsum(self._rng.geometric(probability, block)) - 1
        while hits[-1] < size:
            more = np.cumsum(self._rng.geometric(probability, block)) + hits[-1]
            hits = np.concatenate([hits, more])
        return hits[: np.searchsorted(hits, size)]

    def order(self, size: int) -> Array:
        """Returns a random permutation of 0 to `size` - 1."""
        return self._rng.permutation(size)

    def one_of(self, rates: Mapping[str, float], size: int) -> dict[str, Array]:
        """Draws at most one of several kinds for each row.

        Args:
            rates: Probability of each kind; together at most 1.
            size: Number of rows.

        Returns:
            The row numbers of each kind, ascending.
        """
        kinds = [kind for kind, rate in rates.items() if rate > 0]
        if not kinds:
            return {}
        edges = np.cumsum([rates[kind] for kind in kinds])
        rows = self.rows(float(edges[-1]), size)
        which = np.searchsorted(edges, self._rng.random(len(rows)) * edges[-1], side="right")
        return {kind: rows[which == position] for position, kind in enumerate(kinds)}
