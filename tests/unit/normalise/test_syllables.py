"""Vietnamese syllables, and the place of the tone mark."""

from __future__ import annotations

import unicodedata

import pytest

from etl.normalise.syllables import (
    TONE_MARKS,
    fold_iy,
    standard_syllable,
    syllable_bases,
    unaccent,
)


def toned(letter: str, mark: str) -> str:
    return unicodedata.normalize("NFC", letter + mark)


def new_style_pairs() -> list[tuple[str, str]]:
    """(new style, old style) for every syllable in -oa, -oe, -uy that carries a tone."""
    pairs = []
    for base in syllable_bases():
        if base.endswith(("oa", "oe", "uy")) and not base.startswith("q"):
            for mark in TONE_MARKS[1:]:
                pairs.append(
                    (
                        base[:-1] + toned(base[-1], mark),
                        base[:-2] + toned(base[-2], mark) + base[-1],
                    )
                )
    return pairs


def test_every_syllable_that_differs_between_the_styles_goes_to_one_form():
    pairs = new_style_pairs()
    assert len(pairs) >= 149
    for new, old in pairs:
        assert standard_syllable(new) == old
        assert standard_syllable(old) == old


@pytest.mark.parametrize(
    ("typed", "standard"),
    [
        ("hoà", "hòa"), ("khoẻ", "khỏe"), ("thuý", "thúy"), ("qúy", "quý"), ("hùynh", "huỳnh"),
        ("hòai", "hoài"), ("khóan", "khoán"), ("gía", "giá"), ("thủơ", "thuở"), ("tìên", "tiền"),
        ("nguỹên", "nguyễn"), ("xuýên", "xuyến"), ("gì", "gì"), ("giếng", "giếng"),
        ("quốc", "quốc"),
    ],
)  # fmt: skip
def test_a_misplaced_tone_mark_moves_to_its_letter(typed, standard):
    assert standard_syllable(typed) == standard


@pytest.mark.parametrize(
    "letters",
    ["müller", "josé", "smith", "niê", "byă", "quoc", "nguyen", "hốá", "bàp", "kà", "ngìa", "ghà",
     "cỉ", "loïc", "ðào"],
)  # fmt: skip
def test_what_cannot_be_a_syllable_is_not_one(letters):
    assert standard_syllable(letters) is None


def test_the_table_is_of_a_size_with_the_language():
    assert 2_500 < len(syllable_bases()) < 4_000


@pytest.mark.parametrize(
    ("plain", "folded"),
    [("ly", "li"), ("my", "mi"), ("quy", "qui"), ("quynh", "quinh"), ("y", "i"), ("thuy", "thuy"),
     ("hay", "hay"), ("nguyen", "nguyen"), ("quyen", "quyen"), ("yen", "yen"), ("henry", "henry")],
)  # fmt: skip
def test_y_is_folded_only_where_it_is_a_variant(plain, folded):
    assert fold_iy(plain) == folded


@pytest.mark.parametrize(
    ("text", "plain"),
    [("đặng", "dang"), ("müller", "muller"), ("þórður", "thordur"), ("øyvind", "oyvind"),
     ("strauß", "strauss"), ("łukasz", "lukasz"), ("krơ̆ng", "krong")],
)  # fmt: skip
def test_accents_go_and_letters_stay(text, plain):
    assert unaccent(text) == plain
