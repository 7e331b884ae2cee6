from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.simulate import numbers


@settings(max_examples=30, deadline=None)
@given(left=st.integers(1, 60), right=st.integers(1, 60), key=st.integers(0, 70_000))
def test_scattering_is_one_to_one_for_every_key(left: int, right: int, key: int) -> None:
    size = left * right
    scattered = numbers.scatter(np.arange(size), np.full(size, key), left, right)
    assert sorted(scattered.tolist()) == list(range(size))


def test_neighbouring_positions_are_scattered_far_apart() -> None:
    scattered = numbers.scatter(np.arange(10_000), np.full(10_000, 3), 500, 1000)
    assert np.median(np.abs(np.diff(scattered))) > 50_000


def test_chunks_never_share_a_position() -> None:
    groups = np.array([5, 5, 9, 5, 9], dtype=np.uint16)
    taken = [
        (int(group), int(position))
        for chunk in range(7)
        for group, position in zip(
            groups, numbers.chunk_positions(groups, chunk, 7, 100), strict=True
        )
    ]
    assert len(set(taken)) == len(taken)


def test_a_full_range_is_an_error_and_not_a_repeated_number() -> None:
    groups = np.zeros(11, dtype=np.uint16)
    with pytest.raises(ValueError, match="birth_window_days"):
        numbers.chunk_positions(groups, 0, 1, 10)


@given(st.lists(st.integers(0, 10**9 - 1), min_size=1, max_size=50))
def test_fixed_width_keeps_leading_zeros(values: list[int]) -> None:
    texts = numbers.fixed_width(np.array(values), 9).to_pylist()
    assert texts == [f"{value:09d}" for value in values]
