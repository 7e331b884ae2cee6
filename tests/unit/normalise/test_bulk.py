"""The functions for columns give, row for row, what the functions for single values give."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.normalise import bulk, parse_birth, parse_name, parse_number
from etl.normalise.bulk import (
    normalise_births,
    normalise_flags,
    normalise_genders,
    normalise_names,
    normalise_numbers,
)

TODAY = date(2026, 11, 22)
UNHARMED = Path(__file__).parent / "data" / "names_that_pass_unharmed.csv"
DIRTY = [
    "NGUYỄN VĂN AN", "  Nguyễn   Văn An ", "Nguyễn\u00a0Văn\u00a0An", "Nguyễn \u200bVăn An", "",
    " ", "NguyÔn ThÞ Hßa", "Nguyeãn Thò Hoøa", "Ng. Thị Lan", "Nguyen Van An", "N/A", "x" * 5000,
    "Nguyễn " * 30, "H Bung Mlô", "V\u00a0 Minh", "HoÃ\u00a0ng Văn", "Không Có", "A", "\x00", "'",
    "Nguyễn" + " " * 900 + "An", " " * 6000 + "An", "\u0323\u0301" * 200,
    "Nguyễn Văn An" + "\u200b" * 900,
]  # fmt: skip


def rows_one_by_one(values: list[str | None]) -> list[dict[str, object]]:
    rows = []
    for raw in values:
        parsed = parse_name(raw)
        rows.append({
            "raw": raw, "canonical": parsed.canonical, "name_key": parsed.key,
            "notes": ";".join(parsed.notes), "reject": parsed.reject,
        })  # fmt: skip
    return rows


def corpus() -> list[str | None]:
    with UNHARMED.open(encoding="utf-8") as stream:
        return [*(row["name"] for row in csv.DictReader(stream)), *DIRTY, None]


def test_a_column_of_names_gives_what_each_name_gives():
    assert normalise_names(pa.array(corpus())).to_pylist() == rows_one_by_one(corpus())


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.sampled_from(DIRTY), st.text(max_size=20)), max_size=12))
def test_any_column_of_strings_gives_what_each_string_gives(values):
    assert normalise_names(pa.array(values, pa.string())).to_pylist() == rows_one_by_one(values)


# Words damaged by several encodings, good words, and others.
WORDS = [
    "Nguyễn", "Thị", "Hòa", "Đặng", "Quốc", "Đức", "Nguyê", "José", "Müller", "NguyÔn", "ThÞ",
    "Hßa", "Ph\xad¬ng", "TrÇn", "Hïng", "NguyÔ", "Nguyeãn", "Thò", "Hoaøng", "Phöông", "PhÕm",
    "Tr¥n", "Sß½ng", "H°ng", "Nguyá»…n", "Thá»‹", "HoÃ", "Tra^`n", "Nguye^~n", "®Æng", "TH\xd0",
    "\x16", "\xad", "µ", "ÿ", "Ã", "H", "Ng.", "ABC", "an", "ş", "Leâ", "Thaùi", "Lª", "Phƣơng",
    "Vǎn", "Phuơng", "Noé", "Botella", "V¿n", "Nguyá»n", "Tráş§n", "KiĂŞn", "V\x1an",
    "Nguy\\u1ec5n", "Con", "bà", "(con)", "Vô", "danh", "Vò", "Giàng", "2", "Hòà", "Byǎ", "Niê",
    "A\u0302\u0301n", "?",
]  # fmt: skip
MIXED = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).flatmap(
    lambda words: st.sampled_from([" ", " ", " ", "  ", "\u00a0"]).map(lambda gap: gap.join(words))
)


@settings(max_examples=400)
@given(st.lists(MIXED, min_size=1, max_size=20))
def test_a_column_in_many_encodings_gives_what_each_name_gives(values):
    assert normalise_names(pa.array(values)).to_pylist() == rows_one_by_one(values)


def test_threads_do_not_change_the_rows(monkeypatch):
    monkeypatch.setattr(bulk, "_CHUNK", 100)
    many = pa.array([name for name in corpus() if name is not None] * 3)
    assert normalise_names(many, workers=2).equals(normalise_names(many, workers=1))


@pytest.mark.parametrize(
    "make",
    [
        pa.array,
        lambda values: pa.chunked_array([values[:2], values[2:]]),
        lambda values: pa.array(values).dictionary_encode(),
        lambda values: pa.array(values, pa.large_string()),
        pd.Series,
        lambda values: pd.Series(values, dtype="object", index=range(5, 5 + len(values))),
        lambda values: pd.Series(values, dtype="category"),
        list,
        iter,
    ],
)
def test_arrow_arrays_pandas_series_and_lists_are_accepted(make):
    values = ["NGUYỄN VĂN AN", "Trần Lý", None, "Lê Hoà"]
    table = normalise_names(make(values))
    assert table["canonical"].to_pylist() == ["Nguyễn Văn An", "Trần Lý", None, "Lê Hòa"]
    assert table["raw"].to_pylist() == values


def test_an_empty_column_gives_an_empty_table():
    nothing = pa.array([], pa.string())
    assert normalise_names(nothing).num_rows == 0
    assert normalise_births(nothing).num_rows == 0
    assert normalise_numbers(nothing, "id").num_rows == 0


DATE_PARTS = ["0", "00", "1", "01", "5", "12", "13", "29", "30", "31", "32", "62", "1879", "1880",
              "1899", "1900", "1962", "2000", "2026", "2027", "9999", "11", "22", "23"]  # fmt: skip
dates = st.one_of(
    st.builds(
        lambda parts, sep, last, time: f"{parts[0]}{sep}{parts[1]}{last}{parts[2]}{time}",
        st.tuples(*[st.sampled_from(DATE_PARTS)] * 3),
        st.sampled_from(["/", "-", ".", "", " "]),
        st.sampled_from(["/", "-", ".", "", " "]),
        st.sampled_from(["", "", " 00:00:00", "T00:00:00", " 12:30:00", "T00:00:00Z", " ", "\n"]),
    ),
    st.sampled_from([*DATE_PARTS, "N/A", "1900-01-01", "01/01/1900", "1111-11-11", "11/11/1111"]),
    st.text(max_size=12),
    st.none(),
)


def rows_of_births(values: list[str | None]) -> list[dict[str, object]]:
    rows = []
    for raw in values:
        parsed = parse_birth(raw, TODAY)
        rows.append({
            "raw": raw, "birth_date": parsed.date, "birth_year": parsed.year,
            "birth_month": parsed.month, "precision": parsed.precision,
            "notes": ";".join(parsed.notes), "reject": parsed.reject,
        })  # fmt: skip
    return rows


@settings(max_examples=300)
@given(st.lists(dates, max_size=30))
def test_a_column_of_births_gives_what_each_birth_gives(values):
    table = normalise_births(pa.array(values, pa.string()), TODAY)
    assert table.schema == bulk.BIRTH_SCHEMA
    assert table.to_pylist() == rows_of_births(values)


def test_every_day_of_the_calendar_is_read_alike_in_every_form():
    days = [
        date.fromordinal(n) for n in range(date(1879, 12, 1).toordinal(), TODAY.toordinal(), 17)
    ]
    forms = ["{0.day:02d}/{0.month:02d}/{0.year}", "{0.year}-{0.month:02d}-{0.day:02d} 00:00:00",
             "{0.year}{0.month:02d}{0.day:02d}", "{0.day}.{0.month}.{0.year}"]  # fmt: skip
    for form in forms:
        values = [form.format(day) for day in days]
        assert normalise_births(values, TODAY).to_pylist() == rows_of_births(values)


FIELDS = ("id", "insurance", "card", "personal")


@pytest.mark.parametrize("field", FIELDS)
def test_a_column_of_numbers_gives_what_each_number_gives(field):
    values = [
        "001062000001", "1162000001", "1.09E+11", "DN4797912345678", "116123456", None, "",
        "003062000001", "001962000001", "000000000000", "123456789012", "123456789", "7912345678",
        "111111111", "012345679", "00106200000１", "001062000001\n",
    ]  # fmt: skip
    for row, raw in zip(
        normalise_numbers(pa.array(values), field).to_pylist(), values, strict=True
    ):
        parsed = parse_number(raw, field=field)
        assert (row["kind"], row["number"], row["card_code"], row["reject"]) == (
            parsed.kind, parsed.number, parsed.card_code, parsed.reject,
        )  # fmt: skip
        assert row["candidates"] == ";".join(parsed.candidates)
        assert row["repairs"] == ";".join(parsed.repairs)
        assert row["warnings"] == ";".join(parsed.warnings)


written_numbers = st.lists(
    st.one_of(
        st.sampled_from(["001062000001", "012345678", "7912345678", "1162000001", "000", "GD4"]),
        st.sampled_from(list("0123456789OoIlLi|SBEe-./ ,:_'\"=`x\u200b\u2019\n")),
        st.sampled_from([".0", ".00", " ", "'"]),
    ),
    max_size=6,
).map("".join)


@settings(max_examples=300)
@given(st.lists(st.one_of(written_numbers, st.none()), max_size=40), st.sampled_from(FIELDS))
def test_a_column_of_written_numbers_gives_what_each_number_gives(values, field):
    parsed = [parse_number(raw, field=field) for raw in values]
    assert normalise_numbers(pa.array(values, pa.string()), field).to_pylist() == [
        {
            "raw": raw, "kind": p.kind, "number": p.number, "card_code": p.card_code,
            "repairs": ";".join(p.repairs), "warnings": ";".join(p.warnings),
            "candidates": ";".join(p.candidates), "reject": p.reject,
        }
        for raw, p in zip(values, parsed, strict=True)
    ]  # fmt: skip


def test_columns_of_sex_and_flags():
    assert normalise_genders(pa.array(["Nam", "nu", "?"]))["value"].to_pylist() == ["M", "F", None]
    assert normalise_flags(pa.array(["1", "0", ""]))["value"].to_pylist() == [True, False, None]


def test_the_single_value_functions_need_neither_arrow_nor_pandas():
    heavy = {"pyarrow", "pandas", "duckdb", "dagster"}
    script = f"import sys, etl.normalise; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
