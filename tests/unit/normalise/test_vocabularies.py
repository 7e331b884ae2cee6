"""Statuses and provinces: every known spelling is read, in every encoding, and no other."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.normalise import parse_province, parse_status
from etl.normalise.files import read_rows
from etl.normalise.places import province_codes


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("79", "79"), ("079", "79"), ("1", "01"), (" 01 ", "01"), ("79.0", "79"), ("15", "15"),
        ("Tỉnh Thanh Hóa", "38"), ("T.Thanh Hoá", "38"), ("thanh hoa", "38"),
        ("TP. Hồ Chí Minh", "79"), ("TPHCM", "79"), ("tp.hcm", "79"), ("Sài Gòn", "79"),
        ("HÀ NỘI", "01"), ("Hà Tây", "01"), ("Thành phố Hà Nội", "01"),
        ("Bình Dương", "79"), ("Bà Rịa - Vũng Tàu", "79"), ("BR-VT", "79"), ("77", "79"),
        ("Thừa Thiên Huế", "46"), ("Đăk Lăk", "66"), ("Daklak", "66"), ("Kontum", "51"),
        ("01 - Hà Nội", "01"), ("Hà Nội (01)", "01"), ("77 - TP. Hồ Chí Minh", "79"),
        ("Quận 1, TP. Hồ Chí Minh", "79"), ("BHXH tỉnh Bình Dương", "79"),
        ("Thµnh phè Hµ Néi", "01"), ("ThÃ nh phá»‘ HÃ  Ná»™i", "01"),
        # The code of a district is not read as a province's, and code and name must agree.
        ("0101", None), ("00079", None), ("101", None), ("02 - Hà Nội", None), ("03", None),
        ("", None), (None, None), ("không rõ", None), ("xx", None), ("9" * 500, None),
    ],
)  # fmt: skip
def test_a_province_is_read_by_code_or_name(raw: str | None, code: str | None):
    assert parse_province(raw) == code


@pytest.mark.parametrize(
    "row", read_rows("province_codes.csv", "etl.domain"), ids=lambda r: r["cccd_code"]
)
def test_every_province_is_known_by_both_codes_and_both_names(row: dict[str, str]):
    ours = row["code_2025"]
    assert parse_province(row["cccd_code"]) == ours
    assert parse_province(ours) == ours
    for name in (row["province_2004_2025"], row["province_2025"]):
        bare = name.removeprefix("Tỉnh ").removeprefix("Thành phố ")
        for spelt in (name, bare, name.upper(), unicodedata.normalize("NFD", name)):
            assert parse_province(spelt) == ours


@pytest.mark.parametrize(
    ("register", "raw", "value"),
    [
        ("population", "ĐÃ CHẾT", "deceased"), ("population", "da chet", "deceased"),
        ("population", "§· chÕt", "deceased"), ("population", "tử vong", "deceased"),
        ("population", "Còn sống", "alive"), ("population", "0.0", "deceased"),
        ("population", "mất tích", "other"), ("population", "active", None),
        ("insurance", "Đang tham gia", "active"), ("insurance", "§ang tham gia", "active"),
        ("insurance", "đã dừng", "ended"), ("insurance", "bảo lưu", "other"),
        ("insurance", "alive", None), ("insurance", None, None),
        # A single letter means different things in different registers.
        ("population", "D", None), ("population", "S", None), ("insurance", "D", None),
    ],
)  # fmt: skip
def test_a_status_is_read_in_its_register(register, raw: str | None, value: str | None):
    assert parse_status(raw, register) == value


def test_no_spelling_means_two_things():
    for register in ("insurance", "population"):
        rows = [
            r for r in read_rows("status_spellings.csv", "etl.domain") if r["register"] == register
        ]
        assert all(parse_status(row["raw"], register) == row["value"] for row in rows)


@given(st.text(max_size=60))
def test_any_text_returns_and_a_province_is_one_of_34(text: str):
    assert parse_province(text) in (None, *province_codes())
    assert parse_status(text, "population") in (None, "alive", "deceased", "other")
    assert len(province_codes()) == 34
