"""Serial numbers that are unique although no list of them is kept, and their digits.

Belongs here: the division of a number range among chunks, the permutation that makes it look
random, and turning integers into text. Does not belong here: what a number means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from etl.simulate.draws import Array

_ROUNDS = 4
_STRIDE = 7919
"""Has no divisor in common with 500,000, so multiplying by it keeps pairs different."""


@dataclass(frozen=True)
class Serials:
    """The six digits that numbers may end in: all there are, or so few that many people share them.

    Attributes:
        pairs: How many pairs of neighbouring endings are used; twins share a pair.
        stride: Spreads the pairs over all endings from 000000 to 999999.
    """

    pairs: int = 500_000
    stride: int = 1

    @classmethod
    def crowded(cls, citizens: int) -> Serials:
        """Returns so few endings that a hundred citizens share each, as among 100 million."""
        return cls(max(10, citizens // 10_000) * 50, _STRIDE)

    @property
    def cancelled_pairs(self) -> int:
        """How many pairs of each cell are reserved for cancelled numbers."""
        return self.pairs * 3 // 50

    def choose(self, positions: Array, cells: Array, salt: int) -> Array:
        """Returns a pair for each position: no pair twice in a cell; cells differ in order."""
        base = 1000 if self.pairs % 1000 == 0 else 50
        return scatter(positions, cells, self.pairs // base, base, salt)

    def six_digits(self, pairs: Array, odd: Array) -> Array:
        """Returns the first or the second ending of each pair."""
        return pairs * self.stride % 500_000 * 2 + odd

    def seven_digits(self, positions: Array, prefixes: Array, salt: int) -> Array:
        """Returns the digits of CMND after the province's: one digit, then an ending of six."""
        slots = 20 * self.pairs
        base = 4000 if slots % 4000 == 0 else 1000
        slot = scatter(positions % slots, prefixes, slots // base, base, salt)
        if self.stride == 1:
            return slot
        first, rest = np.divmod(slot, 2 * self.pairs)
        return first * 1_000_000 + self.six_digits(rest // 2, rest % 2)


def rank_within(groups: Array) -> Array:
    """Returns each row's rank among the rows of its group, in row order.

    Args:
        groups: Group of each row, unsigned integers of at most 16 bits (sorted by radix).
    """
    order = np.argsort(groups, kind="stable")
    counts = np.bincount(groups)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, counts)
    return ranks


def chunk_positions(groups: Array, chunk: int, chunks: int, capacity: int) -> Array:
    """Returns positions that no other row of the group has, in this chunk or any other.

    Chunk c of C owns the positions c, c + C, c + 2C and so on of every group.

    Args:
        groups: Group of each row.
        chunk: This chunk's number.
        chunks: How many chunks there are.
        capacity: How many positions a group has.

    Raises:
        ValueError: A group has more rows than positions.
    """
    positions = rank_within(groups) * chunks + chunk
    if len(positions) and int(positions.max()) >= capacity:
        raise ValueError(
            "Too many people share one place, sex and year of birth for the digits of a personal "
            "number: ask for fewer citizens or a wider birth_window_days."
        )
    return positions


def scatter(positions: Array, keys: Array, left: int, right: int, salt: int = 0) -> Array:
    """Permutes 0 .. left*right - 1, differently for each key, so that neighbours are scattered.

    A Feistel network over two digits of mixed base: one to one by construction, so that unique
    positions stay unique.

    Args:
        positions: Numbers below `left` * `right`.
        keys: Chooses the permutation; any integers.
        left: Base of the upper digit.
        right: Base of the lower digit.
        salt: Chooses among the permutations of every key; below 2**64.
    """
    upper, lower = np.divmod(positions.astype(np.uint64), np.uint64(right))
    choice = (keys.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    for number in range(_ROUNDS):
        if number % 2:
            lower = (lower + _mix(upper + choice, number)) % np.uint64(right)
        else:
            upper = (upper + _mix(lower + choice, number)) % np.uint64(left)
    return (upper * np.uint64(right) + lower).astype(np.int64)


def _mix(values: Array, number: int) -> Array:
    mixed = (values + np.uint64(number + 1)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x94D049BB133111EB)
    return mixed >> np.uint64(33)


@cache
def _four_digits() -> Array:
    """Returns the texts 0000 to 9999, each as one 32-bit word."""
    digits = np.char.zfill(np.arange(10_000).astype("S4"), 4)
    return digits.view(np.uint32)


def fixed_width(numbers: Array, width: int) -> pa.Array:
    """Returns numbers as text with leading zeros.

    Args:
        numbers: Non-negative integers below 10 to the power of `width`.
        width: Digits, at most 12.
    """
    words = np.empty((len(numbers), 3), dtype=np.uint32)
    rest, low = np.divmod(numbers, 10_000)
    high, middle = np.divmod(rest, 10_000)
    table = _four_digits()
    words[:, 0], words[:, 1], words[:, 2] = table[high], table[middle], table[low]
    characters = np.ascontiguousarray(words.view(np.uint8)[:, 12 - width :])
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(
        len(numbers), pa.py_buffer(offsets), pa.py_buffer(characters)
    )
