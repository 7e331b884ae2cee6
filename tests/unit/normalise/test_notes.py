"""Every code that normalisation can give has a sentence in both languages."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from etl.normalise import describe
from etl.normalise.files import read_rows
from etl.normalise.notes import NAME_NOTE_BIT, NAME_NOTES, joined, unpack

# Texts in the source that look like codes but are not.
NOT_CODES = re.compile(r"^(number_placeholders|birth_placeholders|name_.*csv)$")


def codes_in_source() -> set[str]:
    found = set(NAME_NOTES)
    for module in ("births.py", "cards.py", "clock.py", "digits.py", "numbers.py", "names.py"):
        text = (files("etl.normalise") / module).read_text(encoding="utf-8")
        found |= set(re.findall(r'"((?:birth|name|number)_(?:[a-z0-9]+_?)+)"', text))
        found |= set(re.findall(r'"(time_\w+)"', text))
        found |= set(re.findall(r'notes\.append\("(\w+)"\)', text))
        found |= set(re.findall(r'warnings\.append\("(\w+)"\)', text))
        found |= set(re.findall(r'step\(.*"(\w+)"\)', text))
        found |= set(re.findall(r'"((?:\w+_)?(?:disagrees|zeros|numbers|card|code|future))"', text))
    return {code for code in found if not NOT_CODES.match(code)} - {"card"}


def test_every_code_has_a_vietnamese_and_an_english_sentence():
    rows = {row["code"]: row for row in read_rows("notes.csv")}
    assert codes_in_source() <= rows.keys()
    for row in rows.values():
        assert row["vi"].endswith(".")
        assert row["en"].endswith(".")


def test_describe_speaks_both_languages():
    assert describe("lost_zeros", "en") == "Lost leading zeros were put back."
    assert describe("lost_zeros") == "Đã thêm lại số 0 bị mất ở đầu."


def test_an_unknown_code_describes_itself():
    assert describe("no_such_code") == "no_such_code"


@pytest.mark.parametrize("codes", [(), ("case",), ("case", "spaces", "junk")])
def test_notes_pack_into_bits_and_back(codes):
    mask = sum(NAME_NOTE_BIT[code] for code in codes)
    assert unpack(mask) == codes
    assert joined(mask) == ";".join(codes)
