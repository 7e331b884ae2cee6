"""The levels of agreement."""

from __future__ import annotations

import pytest

from etl.normalise import compare_births, compare_genders, compare_names, parse_birth, parse_name


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("Nguyễn Văn An", "Nguyễn Văn An", "same"),
        ("NGUYỄN VĂN AN", "Nguyễn Văn An", "format"),
        ("Nguyễn Thị Hoà", "Nguyễn Thị Hòa", "format"),
        ("NguyÔn ThÞ Hßa", "Nguyễn Thị Hòa", "format"),
        ("H Bung Mlô", "H'Bung Mlô", "format"),
        ("H'bung Mlô", "H'Bung Mlô", "format"),
        ("Lý Thị Mỹ", "Lí Thị Mĩ", "iy_variant"),
        ("Trần Quỳnh", "Trần Quình", "iy_variant"),
        ("Nguyen Van An", "Nguyễn Văn Ân", "unaccented"),
        ("Ly Thi My", "Li Thi Mi", "iy_variant"),
        ("Ly Thi My", "Lí Thị Mĩ", "unaccented"),
        ("Nguyễn Văn Hoa", "Nguyễn Văn Hòa", "accents_differ"),
        ("Nguyễn Văn Hùng", "Nguyễn Văn Hưng", "accents_differ"),
        ("Nguyen Văn Hòa", "Nguyễn Văn Hòa", "accents_differ"),
        ("Nguyễn Lan", "Nguyễn Thị Lan", "middle_missing"),
        ("Nguyễn Thị Lan", "Nguyễn Thị Ngọc Lan", "middle_missing"),
        ("Nguyen Lan", "Nguyễn Thị Lan", "middle_missing"),
        ("Nguyễn T. Lan", "Nguyễn Thị Lan", "abbreviated"),
        ("N. V. An", "Nguyễn Văn An", "abbreviated"),
        ("Lan Nguyễn Thị", "Nguyễn Thị Lan", "reordered"),
        ("Nguyễn Thị Lna", "Nguyễn Thị Lan", "one_edit"),
        ("Nguyễn Thu Yên", "Nguyễn Thuyên", "one_edit"),
        ("Nguyen Van Hunng", "Nguyễn Văn Hùng", "one_edit"),
        ("Nguyễn Quang Thắng", "Nguyễn Quang Thanh", "similar"),
        ("Nguyễn Thị Hằng", "Nguyễn Thị Hạnh", "surname_shared"),
        ("Nguyễn Thị Lan", "Nguyễn Thị Mai", "surname_shared"),
        ("Lê Thị Lan", "Võ Thị Lan", "given_shared"),
        ("Nguyễn Lan", "Nguyễn Thị Lân", "surname_shared"),
        ("Nguyễn Văn A.", "Nguyễn Văn An", "one_edit"),
        ("N. Văn Bình", "Nguyễn V. Bình", "given_shared"),
        ("Phạm Văn Đức", "Phạm Thị Đức", "given_shared"),
        ("Phạm Văn Đức", "Lê Thị Hà", "different"),
        ("Nguyễn Lan Anh", "Nguyễn Thị Lan", "surname_shared"),
        (None, "Nguyễn Thị Lan", "missing"),
        ("N/A", "Nguyễn Thị Lan", "missing"),
    ],
)
def test_the_level_says_how_two_names_differ(a, b, level):
    assert compare_names(a, b).level == level
    assert compare_names(b, a) == compare_names(a, b)


def test_parsed_names_compare_like_recorded_ones():
    a, b = parse_name("NGUYỄN VĂN AN"), parse_name("Nguyễn Văn An")
    assert compare_names(a, b).level == "format"
    assert compare_names(b, b).level == "same"


def test_the_score_is_one_where_only_the_writing_differs_and_less_elsewhere():
    assert compare_names("NGUYỄN VĂN AN", "Nguyễn Văn An").score == 1.0
    assert compare_names("Nguyen Van An", "Nguyễn Văn An").score == 1.0
    edit = compare_names("Trần Hùng", "Trần Hưng").score
    other = compare_names("Trần Hùng", "Trần Dũng").score
    assert 1.0 > edit > other > 0.0


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("05/09/1962", "1962-09-05", "same"),
        ("05/09/1962", "1962", "consistent"),
        ("05/09/1962", "09/1962", "consistent"),
        ("1962", "1962", "same_partial"),
        ("09/1962", "09/1962", "same_partial"),
        ("09/1962", "1962", "consistent"),
        ("01/01/1962", "05/09/1962", "filler"),
        ("01/01/1962", "05/09/1963", "different"),
        ("05/09/1962", "09/05/1962", "day_month_swapped"),
        ("05/09/1962", "05/09/1963", "year_off_by_one"),
        ("05/09/1969", "05/09/1970", "year_off_by_one"),
        ("1962", "05/09/1963", "year_off_by_one"),
        ("05/09/1962", "05/09/1972", "one_digit"),
        ("05/09/1962", "15/09/1962", "one_digit"),
        ("1962", "1972", "different"),
        ("09/1962", "05/10/1963", "different"),
        ("05/09/1962", "16/09/1962", "part_shared"),
        ("05/09/1962", "05/09/1985", "part_shared"),
        ("05/09/1962", "16/10/1962", "different"),
        ("05/09/1962", "10/1962", "different"),
        ("", "1962", "missing"),
        ("01/01/2999", "1962", "missing"),
    ],
)
def test_the_level_says_how_two_birth_dates_differ(a, b, level):
    assert compare_births(a, b) == level
    assert compare_births(b, a) == level
    assert compare_births(parse_birth(a), parse_birth(b)) == level


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("Nam", "1", "same"),
        ("Nam", "Nữ", "different"),
        ("Nam", "?", "missing"),
        (None, "F", "missing"),
    ],
)
def test_the_level_says_how_two_sexes_differ(a, b, level):
    assert compare_genders(a, b) == level
    assert compare_genders(b, a) == level
