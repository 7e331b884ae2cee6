"""Differences of two values are marked letter by letter, and no letter is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.stewards.marking import LONGEST, marked


def differing(one: str, other: str) -> tuple[str, str]:
    return tuple(  # type: ignore[return-value]
        "|".join(piece.text for piece in side if not piece.is_shared) for side in marked(one, other)
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Nguyễn Văn Hoa", "Nguyễn Văn Hòa", ("o", "ò")),
        ("NGUYỄN VĂN HÒA", "Nguyễn Văn Hòa", ("", "")),  # a capital counts as the same letter
        ("Trương Mỹ Uyên", "Trương Thị Mỹ Uyên", ("", " Thị")),
        ("Ho\u0300a", "Hòa", ("", "")),  # a letter with a separate accent counts as the same
        ("001062000012", "001062000013", ("2", "3")),
        ("017214672533", "017325399572", ("214672|33", "325399|72")),  # places matter in a number
        ("12/01/1962", "13/01/1962", ("2", "3")),
        ("", "Lê", ("", "Lê")),
    ],
)
def test_what_differs_is_marked(one: str, other: str, expected: tuple[str, str]) -> None:
    assert differing(one, other) == expected


@given(st.text(max_size=LONGEST + 50), st.text(max_size=LONGEST + 50))
def test_the_pieces_are_the_texts(one: str, other: str) -> None:
    for text, pieces in zip((one, other), marked(one, other), strict=True):
        assert "".join(piece.text for piece in pieces) == unicodedata.normalize("NFC", text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_shared_is_the_same_on_both_sides(one: str, other: str) -> None:
    ours, theirs = (
        "".join(piece.text.casefold() for piece in side if piece.is_shared)
        for side in marked(one, other)
    )
    assert ours == theirs


@given(st.text(max_size=60))
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert differing(text, text) == ("", "")
