"""Properties that hold for any name, and for any string at all."""

from __future__ import annotations

import csv
import heapq
import re
import unicodedata
from datetime import date
from importlib.resources import files
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from etl.normalise import (
    compare_births,
    compare_names,
    parse_birth,
    parse_flag,
    parse_gender,
    parse_name,
    parse_number,
)

TODAY = date(2026, 11, 22)
LETTERS = (
    "aăâbcdđeêghiklmnoôơpqrstuưvxyàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ"
)


def frequencies() -> list[dict[str, str]]:
    text = (files("etl.domain.data") / "name_frequencies.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


ROWS = frequencies()
SURNAMES = sorted({r["value"] for r in ROWS if r["part"] == "surname"})
MIDDLES = sorted({r["value"] for r in ROWS if r["part"] == "middle"})
GIVENS = sorted({r["value"] for r in ROWS if r["part"] == "given"})

names = st.builds(
    lambda *parts: " ".join(part for part in parts if part),
    st.sampled_from(SURNAMES),
    st.sampled_from(MIDDLES),
    st.sampled_from(GIVENS),
)
mixed = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(LETTERS + LETTERS.upper() + " '-.()|/,;0123456789ðÐßıİª\u00ad\u00a0\u200b"),
        st.characters(min_codepoint=0x300, max_codepoint=0x36F),
        st.characters(min_codepoint=0x80, max_codepoint=0xFF),
    ),
    max_size=40,
)
thorough = settings(max_examples=250)


@thorough
@given(mixed)
def test_any_string_returns_and_the_canonical_form_is_stable(raw):
    once = parse_name(raw)
    assert (once.canonical is None) == (once.reject is not None)
    if once.canonical is not None:
        twice = parse_name(once.canonical)
        assert (twice.canonical, twice.key) == (once.canonical, once.key)


@thorough
@given(mixed)
def test_any_string_reads_the_same_composed_and_decomposed(raw):
    composed = parse_name(unicodedata.normalize("NFC", raw))
    assert parse_name(unicodedata.normalize("NFD", raw)).canonical == composed.canonical


@thorough
@given(
    names,
    st.sampled_from(["NFC", "NFD"]),
    st.sampled_from(["upper", "lower", "title", "capitalize"]),
    st.sampled_from([" ", "  ", "\u00a0", " \u200b", "\t", "\u3000"]),
)
def test_writing_does_not_change_the_name(name, form, case, space):
    written = space.join(unicodedata.normalize(form, getattr(name, case)()).split())
    expected, found = parse_name(name), parse_name(f" {written}{space}")
    assert (found.canonical, found.key) == (expected.canonical, expected.key)
    assert (found.surname, found.middle, found.given) == (
        expected.surname, expected.middle, expected.given,
    )  # fmt: skip
    assert compare_names(name, written).level in ("same", "format")


SPELLINGS = (
    str, str.upper, str.lower, lambda name: unicodedata.normalize("NFD", name),
    lambda name: name.replace("Đ", "Ð"), lambda name: name.replace("oà", "òa"),
    lambda name: re.sub("^Nguyễn ", "Ng. ", name), lambda name: f"{name};",
    lambda name: f"{name} 2",
)  # fmt: skip


@thorough
@given(names, st.sampled_from(SPELLINGS), st.sampled_from(SPELLINGS))
def test_keys_are_equal_when_canonicals_are(name, one, other):
    left, right = parse_name(one(name)), parse_name(other(name))
    assert left.canonical == right.canonical
    assert left.key == right.key


@thorough
@given(names, names)
def test_comparison_does_not_depend_on_the_order(a, b):
    assert compare_names(a, b) == compare_names(b, a)


anything = st.text(st.characters(), max_size=300)  # surrogates, controls, every plane
VERY_LONG = st.builds(lambda unit, times: unit * times, st.text(min_size=1, max_size=6),
                      st.integers(1, 900))  # fmt: skip


@thorough
@given(st.one_of(anything, VERY_LONG), st.one_of(anything, st.none()))
def test_any_string_at_all_returns_from_every_parse_function(raw, gender):
    name = parse_name(raw)
    assert (name.canonical is None) == (name.reject is not None)
    assert (name.canonical is None) == (name.key is None)
    assert name.key != ""
    birth = parse_birth(raw, TODAY)
    assert (birth.year is None) == (birth.reject is not None)
    for field in ("id", "insurance", "card", "personal"):
        number = parse_number(raw, field=field, birth_year=birth.year, gender=gender)
        assert number.number or number.candidates or number.reject
    assert parse_gender(raw) in ("M", "F", None)
    assert parse_flag(raw) in (True, False, None)


@thorough
@given(mixed, mixed)
def test_every_other_function_is_total(a, b):
    parsed = parse_birth(a, TODAY)
    assert (parsed.date is not None) == (parsed.precision == "day")
    assert (parsed.year is None) == (parsed.reject is not None)
    for field in ("id", "insurance", "card", "personal"):
        number = parse_number(a, field=field, birth_year=1962, gender=b)
        assert number.reject is None or number.number is None
        assert number.number is None or number.number.isdigit()
    parse_gender(a)
    parse_flag(a)
    assert 0.0 <= compare_names(a, b).score <= 1.0
    compare_births(a, b)


@thorough
@given(
    st.dates(date(1900, 1, 2), TODAY),
    st.sampled_from(
        ["%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%d%m%Y", "%Y-%m-%d 00:00:00"]
    ),
)
def test_a_full_date_survives_every_form(day, form):
    assert parse_birth(day.strftime(form), TODAY).date == day


@thorough
@given(st.integers(1, 96), st.integers(0, 3), st.integers(0, 99), st.integers(0, 999_999))
def test_a_repaired_number_is_the_one_that_was_damaged(place, century, year, serial):
    number = f"{place:03d}{century}{year:02d}{serial:06d}"
    for damaged in (f"'{number}", f"{number}.0", f"{number[:3]} {number[3:6]} {number[6:]}",
                    number.lstrip("0")):  # fmt: skip
        parsed = parse_number(damaged)
        readings = {parsed.number, *parsed.candidates}
        assert parsed.kind == "cmnd" or parsed.reject is not None or number in readings


def commonest_names(count: int) -> list[str]:
    """The likeliest surname, middle and given names together, by the product of their shares."""

    def share(part: str, sex: str) -> list[tuple[str, float]]:
        rows = [r for r in ROWS if r["part"] == part and r["sex"] in ("", sex)]
        return [(r["value"], float(r["share_percent"])) for r in rows]

    found: dict[str, float] = {}
    for sex in "MF":
        triples = product(
            share("surname", sex)[:60], share("middle", sex)[:60], share("given", sex)
        )
        for (surname, p), (middle, q), (given_name, r) in triples:
            name = " ".join(f"{surname} {middle} {given_name}".split())
            found[name] = found.get(name, 0.0) + p * q * r
    return heapq.nlargest(count, found, key=lambda name: found[name])


def in_old_tone_style(name: str) -> str:
    """An independent implementation of the tone style, for the open rhymes that occur in names."""
    for new, old in (("oà", "òa"), ("oá", "óa"), ("oả", "ỏa"), ("uý", "úy"), ("uỳ", "ùy"),
                     ("uỷ", "ủy"), ("uỵ", "ụy")):  # fmt: skip
        name = " ".join(
            word[: -len(new)] + old if word.endswith(new) and not word.startswith("Q") else word
            for word in name.split()
        )
    return name


def test_no_two_of_the_6000_commonest_names_become_one():
    distinct = list(dict.fromkeys(in_old_tone_style(name) for name in commonest_names(7_000)))[
        :6_000
    ]
    assert len(distinct) == 6_000
    canonicals = {parse_name(name).canonical for name in distinct}
    assert None not in canonicals
    assert len(canonicals) == 6_000
