"""Sex and flags: how they are read."""

from __future__ import annotations

import pytest

from etl.normalise import parse_flag, parse_gender


@pytest.mark.parametrize(
    "raw", ["Nam", "NAM", "nam", " Nam ", "M", "male", "1", "1.0", "true", "TRUE"]
)
def test_male_spellings(raw):
    assert parse_gender(raw) == "M"


@pytest.mark.parametrize(
    "raw",
    ["Nữ", "NỮ", "nu", "Nu", "Nữ\u0303"[:2], "F", "female", "0", "2", "0.0", "false", "Nư\u0303"],
)
def test_female_spellings(raw):
    assert parse_gender(raw) == "F"


@pytest.mark.parametrize("raw", [None, "", "?", "x", "3", "Nam/Nữ", "a" * 1000])
def test_an_unknown_sex_stays_unknown(raw):
    assert parse_gender(raw) is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [("1", True), ("0", False), ("true", True), ("Có", True), ("KHÔNG", False), ("x", True),
     ("1.0", True), ("", None), (None, None), ("2", None), ("maybe", None)],
)  # fmt: skip
def test_flags(raw, value):
    assert parse_flag(raw) is value
