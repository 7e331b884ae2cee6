from __future__ import annotations

import unicodedata

import pytest

from etl.simulate import encodings

NAME = "Nguyễn Thị Hòa"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (encodings.tcvn3, "NguyÔn ThÞ Hßa"),
        (encodings.vni, "Nguyeãn Thò Hoøa"),
        (encodings.viqr, "Nguye^~n Thi. Ho`a"),
        (encodings.unaccented, "Nguyen Thi Hoa"),
        (encodings.other_tone_style, "Nguyễn Thị Hoà"),
        (encodings.other_i_or_y, NAME),
        (encodings.decomposed, unicodedata.normalize("NFD", NAME)),
    ],
)
def test_a_known_name_looks_as_the_domain_notes_say(change, expected: str) -> None:
    assert change(NAME) == expected


def test_accented_capitals_lose_their_case_in_tcvn3() -> None:
    assert encodings.tcvn3("HÒA") == encodings.tcvn3("HòA")


def test_double_utf8_can_be_undone() -> None:
    broken = encodings.double_utf8("Đặng Ngọc Ánh")
    back = b"".join(
        letter.encode("latin-1") if ord(letter) < 256 else letter.encode("cp1252")
        for letter in broken
    )
    assert back.decode() == "Đặng Ngọc Ánh"


@pytest.mark.parametrize("name", ["Lê Thị Thúy", "Hồ Quý", "Phan Thuỷ", "Mai Hoè"])
def test_tone_style_goes_there_and_back(name: str) -> None:
    other = encodings.other_tone_style(name)
    assert other != name
    assert encodings.other_tone_style(other) == name


@pytest.mark.parametrize("name", ["Trần Hoàng", "Lý Toàn", "Nguyễn Thị Huyền"])
def test_tone_style_leaves_closed_syllables_alone(name: str) -> None:
    assert encodings.other_tone_style(name) == name


def test_i_and_y_change_in_open_syllables_only_and_never_in_thi() -> None:
    assert encodings.other_i_or_y("Lý Thị Mỹ Quyên") == "Lí Thị Mĩ Quyên"


def test_letters_of_other_languages_survive_taking_accents_off() -> None:
    assert encodings.unaccented("Đỗ Müller Byă") == "Do Müller Bya"
