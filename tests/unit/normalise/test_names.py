"""Single names: how they are read."""

from __future__ import annotations

import csv
import time
import unicodedata
from pathlib import Path

import pytest

from etl.normalise import parse_name

UNHARMED = Path(__file__).parent / "data" / "names_that_pass_unharmed.csv"


def unharmed_names() -> list[str]:
    with UNHARMED.open(encoding="utf-8") as stream:
        return [row["name"] for row in csv.DictReader(stream)]


@pytest.mark.parametrize(
    ("raw", "canonical", "note"),
    [
        ("NGUYỄN VĂN AN", "Nguyễn Văn An", "case"),
        ("nguyễn văn an", "Nguyễn Văn An", "case"),
        ("  Nguyễn   Văn  An ", "Nguyễn Văn An", "spaces"),
        ("Nguyễn\u00a0Văn\u00a0An", "Nguyễn Văn An", "spaces"),
        ("Nguyễn \u200bVăn \u200bAn", "Nguyễn Văn An", "invisible_characters"),
        (unicodedata.normalize("NFD", "Nguyễn Văn Ân"), "Nguyễn Văn Ân", "nfc"),
        ("Ðỗ Thị Ðào", "Đỗ Thị Đào", "eth"),
        ("Nguyễn Thị Hoà", "Nguyễn Thị Hòa", "tone_style"),
        ("Lê Thị Thuỷ", "Lê Thị Thủy", "tone_style"),
        ("Trần Văn Qúy", "Trần Văn Quý", "tone_style"),
        ("Phan Thị Hùynh", "Phan Thị Huỳnh", "tone_style"),
        ("Nguyen Van An", "Nguyen Van An", "unaccented"),
        ("Ｎｇｕｙễｎ Văn An", "Nguyễn Văn An", "full_width"),
        ("Nguyễn Văn \u0410n", "Nguyễn Văn An", "lookalike_letters"),
        ("Ng. Thị Lan", "Nguyễn Thị Lan", "expanded_abbreviation"),
        ("NG.THỊ LAN", "Nguyễn Thị Lan", "expanded_abbreviation"),
        ("Ng Văn Thọ", "Nguyễn Văn Thọ", "expanded_abbreviation"),
        ("Nguyễn T. Lan", "Nguyễn T Lan", "abbreviated"),
        ("Nguyễn Văn An (Tư Bé)", "Nguyễn Văn An", "alias_dropped"),
        ("Nguyễn Văn An 2", "Nguyễn Văn An", "digits"),
        ("H0àng Văn An", "Hoàng Văn An", "letter_for_digit"),
        ("Nguyễn Văn An;", "Nguyễn Văn An", "punctuation"),
        ("001062000001|012345678|Nguyễn Văn An|05091962|Nam|Hà Nội|01012022",
         "Nguyễn Văn An", "qr_text"),
    ],
)  # fmt: skip
def test_a_dirty_spelling_becomes_canonical_and_says_why(raw, canonical, note):
    parsed = parse_name(raw)
    if note is None:
        return
    assert parsed.canonical == canonical
    assert note in parsed.notes
    assert parsed.reject is None


@pytest.mark.parametrize(
    ("raw", "canonical", "note"),
    [
        ("NguyÔn ThÞ Hßa", "Nguyễn Thị Hòa", "decoded_tcvn3"),
        ("Vâ Xu©n Kh¶i", "Võ Xuân Khải", "decoded_tcvn3"),
        ("Lª Quang C\u00adêng", "Lê Quang Cường", "decoded_tcvn3"),
        ("Lª Quang C¬ng", "Lê Quang Cương", "decoded_tcvn3"),
        ("Lª Träng \x16", "Lê Trọng Ý", "decoded_tcvn3"),
        ("Lß ThÞ Nhiªn", "Lò Thị Nhiên", "decoded_tcvn3"),
        ("NguynÔ V¨n QuyÕt", "Nguynễ Văn Quyết", "decoded_tcvn3"),
        ("Nguyeãn Thò Hoøa", "Nguyễn Thị Hòa", "decoded_vni"),
        ("Nguyeãn Thò AÙnh Hoàng", "Nguyễn Thị Ánh Hồng", "decoded_vni"),
        ("Phan Thò Mai", "Phan Thị Mai", "decoded_vni"),
        ("Nguye^~n Va(n DDu+'c", "Nguyễn Văn Đức", "decoded_viqr"),
        ("Pha.m Minh Ba?o", "Phạm Minh Bảo", "decoded_viqr"),
        ("Nguye^~n\u00a0Va(n\u00a0An", "Nguyễn Văn An", "decoded_viqr"),
        ("Nguyá»…n VÄƒn HoÃ\u00a0ng", "Nguyễn Văn Hoàng", "decoded_double_utf8"),
        ("HoÃ ng VÄƒn An", "Hoàng Văn An", "decoded_double_utf8"),
        ("Nguy·ªÖn Th·ªã H√†", "Nguyễn Thị Hà", "decoded_double_utf8"),
        ("JosÃ© MÃ¼ller", "José Müller", "decoded_double_utf8"),
    ],
)
def test_mojibake_is_decoded(raw, canonical, note):
    parsed = parse_name(raw)
    assert parsed.canonical == canonical
    assert note in parsed.notes


def test_utf8_read_twice_is_undone_twice():
    once = "Nguyễn Văn Hòa".encode().decode("latin-1")
    assert parse_name(once.encode().decode("latin-1")).canonical == "Nguyễn Văn Hòa"


@pytest.mark.parametrize(
    "syllable",
    ["Quý", "Gì", "Giá", "Thuở", "Khuya", "Hoài", "Khoán", "Huỳnh", "Hoàng", "Xuyến", "Quỳnh",
     "Thuận", "Toản", "Giếng", "Khuỷu", "Oanh"],
)  # fmt: skip
def test_closed_and_special_syllables_keep_their_tone_mark_where_it_is(syllable):
    parsed = parse_name(f"Nguyễn Văn {syllable}")
    assert parsed.given == syllable
    assert parsed.notes == ()


@pytest.mark.parametrize(("a", "b"), [("Lý", "Lí"), ("Mỹ", "Mĩ"), ("Quý", "Quí"), ("Ý", "Í")])
def test_iy_variants_keep_their_letter_and_share_the_key(a, b):
    left, right = parse_name(f"Trần Thị {a}"), parse_name(f"Trần Thị {b}")
    assert left.canonical != right.canonical
    assert left.key == right.key


@pytest.mark.parametrize(("a", "b"), [("Thúy", "Thúi"), ("Mây", "Mâi"), ("Hay", "Hai")])
def test_y_in_other_rhymes_is_another_vowel(a, b):
    assert parse_name(f"Trần {a}").key != parse_name(f"Trần {b}").key


def test_at_least_300_foreign_and_minority_names_are_tried():
    assert len(set(unharmed_names())) >= 300


@pytest.mark.parametrize("name", unharmed_names())
def test_a_foreign_or_minority_name_passes_unharmed(name):
    parsed = parse_name(name)
    assert parsed.canonical == name
    assert parsed.reject is None
    assert not [note for note in parsed.notes if note not in ("unaccented", "abbreviated")]


@pytest.mark.parametrize("name", unharmed_names())
def test_capitals_do_not_turn_a_foreign_name_into_vietnamese(name):
    if len(name.upper()) != len(name) or name.upper().lower() != name.lower():
        pytest.skip("the capitals of this name lose letters")
    assert parse_name(name.upper()).canonical == name


@pytest.mark.parametrize(
    ("raw", "reject"),
    [
        (None, "name_missing"),
        ("", "name_missing"),
        (" \u00a0 ", "name_missing"),
        ("N/A", "name_missing"),
        ("không có", "name_missing"),
        ("CHƯA ĐẶT TÊN", "name_missing"),
        ("Con bà Nguyễn Thị Lan", "name_missing"),
        ("BÉ CON BÀ LAN", "name_missing"),
        ("😀😀", "name_junk"),
        ("12345", "name_junk"),
        ("aaaaaa", "name_junk"),
        ("\x00\x01bad", "name_junk"),
        ("'; DROP TABLE reconciled; --", "name_junk"),
        ("=cmd|' /C calc'!A0", "name_junk"),
        ("Nguy?n V?n H?ng", "name_damaged"),
        ("Nguy\ufffdn Van An", "name_damaged"),
        ("A" * 5000, "name_too_long"),
        ("Nguyễn " * 30, "name_too_long"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(raw, reject):
    parsed = parse_name(raw)
    assert parsed.reject == reject
    assert parsed.canonical is None
    assert parsed.key is None


@pytest.mark.parametrize("name", ["Võ Danh", "Na", "Lê Con", "Nguyễn Vô", "Trần Ho", "Kim Test"])
def test_a_real_name_near_a_placeholder_is_kept(name):
    assert parse_name(name).reject is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Nguyễn Thị Ngọc Lan", ("Nguyễn", "Thị Ngọc", "Lan")),
        ("Trần An", ("Trần", "", "An")),
        ("An", ("", "", "An")),
        ("H'Hen Niê", ("Niê", "", "H'Hen")),
        ("H'Bung Buôn Krông", ("Buôn Krông", "", "H'Bung")),
        ("Y Suyên Byă", ("Byă", "Y", "Suyên")),
        ("Ksor H'Bơ", ("Ksor", "", "H'Bơ")),
    ],
)
def test_a_name_splits_into_surname_middle_and_given(name, parts):
    parsed = parse_name(name)
    assert (parsed.surname, parsed.middle, parsed.given) == parts


def test_the_apostrophe_of_a_minority_name_does_not_change_the_key():
    keys = {
        parse_name(name).key for name in ("H'Bung Mlô", "H Bung Mlô", "H' Bung Mlô", "HBung Mlô")
    }
    assert keys == {"hbung mlo"}


def test_a_long_hostile_string_returns_at_once():
    hostile = ["(" * 900, "'" * 900, "Ã" * 900, "a\u0301" * 450, "-" * 999, "1 " * 450, "ñ ø" * 300]
    start = time.perf_counter()
    for raw in hostile:
        parse_name(raw)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("padding", [" " * 1_000, "\u00a0" * 400, "\u200b" * 400, " \t" * 300])
def test_a_name_in_a_padded_field_is_a_name(padding):
    for raw in (f"Nguyễn Văn An{padding}", f"{padding}Nguyễn Văn An", f"Nguyễn Văn{padding} An"):
        assert parse_name(raw).canonical == "Nguyễn Văn An"


def test_what_is_longer_than_any_name_is_refused_unread():
    for raw in ("Nguyễn " * 60, "a" * 400, "\u0301\u0323" * 100_000, " " * 1_000_000 + "An"):
        assert parse_name(raw).reject == "name_too_long"
