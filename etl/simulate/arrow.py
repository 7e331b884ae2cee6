"""Arrow arrays straight from numpy arrays and Python texts.

Belongs here: the few conversions that the simulator needs. ``pyarrow.array`` and
``pyarrow.scalar`` would do the same, but import pandas on the way, which every worker process
would have to wait for. Does not belong here: anything about registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.simulate.draws import Array


def from_numpy(values: Array, missing: Array | None = None) -> pa.Array:
    """Returns an array over the same memory.

    Args:
        values: Integers, or times of a unit that Arrow has.
        missing: Mask of nulls.
    """
    values = np.ascontiguousarray(values)
    bitmap = None if missing is None else _bitmap(~missing)
    buffers = [bitmap, pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def from_mask(mask: Array) -> pa.Array:
    """Returns a boolean array."""
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, _bitmap(mask)])


def to_mask(values: pa.Array) -> Array:
    """Returns a boolean array without nulls as a mask."""
    bits = np.frombuffer(values.buffers()[1], dtype=np.uint8)
    mask = np.unpackbits(bits, bitorder="little")[values.offset : values.offset + len(values)]
    return mask.astype(bool)


def from_texts(texts: Sequence[str | None]) -> pa.Array:
    """Returns a text array; None becomes null."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    bitmap = None
    if None in texts:
        bitmap = _bitmap(np.array([text is not None for text in texts], dtype=bool))
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)), bitmap
    )


@cache
def scalar(text: str) -> pa.Scalar:
    """Returns a text scalar."""
    return from_texts([text])[0]


def gather(pool: pa.Array, index: Array) -> pa.Array:
    """Returns the pool's values at each position; a position of -1 gives null."""
    missing = index < 0
    positions = from_numpy(index, missing if missing.any() else None)
    return pc.take(pool, positions, boundscheck=False)


def join(separator: str, *texts: pa.Array | str) -> pa.Array:
    """Returns texts joined row by row; nulls are left out, with their separator."""
    parts = [scalar(text) if isinstance(text, str) else text for text in texts]
    return pc.binary_join_element_wise(*parts, scalar(separator), null_handling="skip")


def _bitmap(mask: Array) -> pa.Buffer:
    return pa.py_buffer(np.packbits(mask, bitorder="little"))
