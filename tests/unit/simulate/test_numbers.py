from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.simulate import numbers


@settings(max_examples=30)
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


@pytest.mark.parametrize("citizens", [1, 50_000, 1_000_000])
def test_crowded_serials_are_few_and_all_over_the_million(citizens: int) -> None:
    serials = numbers.Serials.crowded(citizens)
    pairs = np.arange(serials.pairs)

    digits = np.concatenate([serials.six_digits(pairs, np.int64(odd)) for odd in (0, 1)])

    assert len(np.unique(digits)) == max(1000, citizens // 100)
    assert 0 <= digits.min() < 10_000
    assert 990_000 < digits.max() < 1_000_000


def test_a_crowded_cmnd_ends_in_the_digits_of_a_personal_number() -> None:
    serials = numbers.Serials.crowded(50_000)
    pairs = np.arange(serials.pairs)
    ends = {int(end) for odd in (0, 1) for end in serials.six_digits(pairs, np.int64(odd))}

    cmnd = serials.seven_digits(np.arange(10_000), np.ones(10_000, np.uint8), salt=3)

    assert len(np.unique(cmnd)) == 10_000
    assert {int(number) % 1_000_000 for number in cmnd} <= ends
