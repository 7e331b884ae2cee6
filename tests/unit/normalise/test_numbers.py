"""How personal numbers, CMND, insurance numbers and cards are read."""

from __future__ import annotations

import pytest

from etl.normalise import ParsedNumber, decode_personal_number, parse_number


def test_a_twelve_digit_number_is_a_personal_number():
    assert parse_number("001062000001") == ParsedNumber("personal", "001062000001")


@pytest.mark.parametrize(
    ("raw", "number", "repair"),
    [
        ("001062000001.0", "001062000001", "decimal_point"),
        ("'001062000001", "001062000001", "apostrophe"),
        ("\u2019001062000001", "001062000001", "apostrophe"),
        ("001 062 000001", "001062000001", "separators"),
        ("001.062.000.001", "001062000001", "separators"),
        ("001-062-000001", "001062000001", "separators"),
        ("O01062000001", "001062000001", "letter_for_digit"),
        ("00l062O00001", "001062000001", "letter_for_digit"),
        ("００１０６２０００００１", "001062000001", "full_width"),
        ("\u200b001062000001", "001062000001", "invisible_characters"),
        ("79062000001", "079062000001", "lost_zeros"),
        ("79062000001.0", "079062000001", "lost_zeros"),
        ("001062000001|012345678|Nguyễn Văn An|05091962|Nam|Hà Nội|01012022",
         "001062000001", "qr_text"),
        ("001062000001||Nguyễn Văn An|05091962|Nam|Hà Nội|01012022", "001062000001", "qr_text"),
    ],
)  # fmt: skip
def test_a_damaged_personal_number_is_repaired_and_says_how(raw, number, repair):
    parsed = parse_number(raw)
    assert (parsed.kind, parsed.number) == ("personal", number)
    assert repair in parsed.repairs


@pytest.mark.parametrize(
    ("raw", "number"),
    [("012345679", "012345679"), ("12345679", "012345679"), ("295 726 526", "295726526"),
     ("258978004.0", "258978004"), ("'219852699", "219852699")],
)  # fmt: skip
def test_nine_digits_are_a_cmnd_and_eight_one_that_lost_its_zero(raw, number):
    parsed = parse_number(raw)
    assert (parsed.kind, parsed.number) == ("cmnd", number)


@pytest.mark.parametrize("raw", ["1.09E+11", "1.09e11", "1,09E+11", "4.40601E+10", "'3.5E+10",
                                 "3.50686E+10.0"])  # fmt: skip
def test_scientific_notation_is_refused_for_what_it_is(raw):
    assert parse_number(raw).reject == "number_scientific"


@pytest.mark.parametrize(
    ("raw", "reject"),
    [
        (None, "number_missing"), ("", "number_missing"), ("  ", "number_missing"),
        ("N/A", "number_placeholder"), ("0", "number_placeholder"), ("-", "number_placeholder"),
        ("000000000000", "number_placeholder"), ("111111111", "number_placeholder"),
        ("123456789", "number_placeholder"), ("không có", "number_placeholder"),
        ("-5", "number_malformed"), ("abc", "number_malformed"), ("0740924136", "number_malformed"),
        ("1234567", "number_malformed"), ("0010620000011", "number_malformed"),
        ("1" * 40, "number_too_long"), ("9" * 2000, "number_too_long"),
        ("99062000001", "number_malformed"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_reason(raw, reject):
    parsed = parse_number(raw)
    assert parsed.reject == reject
    assert parsed.number is None


def test_ten_digits_in_the_id_field_are_only_a_candidate():
    parsed = parse_number("1162000001")
    assert parsed.number is None
    assert parsed.candidates == ("001162000001",)
    assert parsed.reject is None


def test_the_record_settles_an_ambiguous_repair():
    parsed = parse_number("1162000001", birth_year=1962, gender="Nữ")
    assert (parsed.kind, parsed.number) == ("personal", "001162000001")
    assert parsed.repairs == ("lost_zeros",)
    assert parse_number("1162000001", birth_year=1963, gender="Nữ").number is None
    assert parse_number("1162000001", birth_year=1962, gender="Nam").number is None
    assert parse_number("1162000001", birth_year=1962).number is None


def test_two_numbers_in_one_cell_are_told_apart():
    parsed = parse_number("012345679 / 001062000001")
    assert parsed.number == "001062000001"
    assert parsed.candidates == ("012345679",)
    assert parse_number("001062000001;001062000002").number is None


def test_structure_against_the_record_is_a_warning_with_the_reason():
    assert parse_number("001062000001", birth_year=1962, gender="Nam").warnings == ()
    assert parse_number("001062000001", gender="Nữ").warnings == ("sex_digit_disagrees",)
    assert parse_number("001062000001", birth_year=1963).warnings == ("birth_year_disagrees",)
    assert parse_number("001062000001", birth_year=2062).warnings == ("century_digit_disagrees",)
    assert parse_number("003062000001").warnings == ("unknown_place_code",)
    assert parse_number("001962000001").warnings == ("century_in_future",)


def test_the_insurance_column_holds_both_forms():
    assert parse_number("7912345678", field="insurance").kind == "insurance"
    assert parse_number("001062000001", field="insurance").kind == "personal"
    assert parse_number("79062000001", field="insurance").number == "079062000001"


def test_nine_digits_in_the_insurance_column_are_only_a_candidate():
    parsed = parse_number("116123456", field="insurance")
    assert parsed.number is None
    assert parsed.candidates == ("0116123456",)


def test_a_card_is_taken_apart():
    parsed = parse_number("DN4797912345678", field="card")
    assert (parsed.kind, parsed.number, parsed.card_code) == ("card", "7912345678", "DN479")
    assert parsed.warnings == ()


@pytest.mark.parametrize(
    "raw", ["dn 4 79 7912345678", "DN-4-79-79.123.456.78", " DN4797912345678 "]
)
def test_a_card_is_read_through_its_separators(raw):
    assert parse_number(raw, field="card").number == "7912345678"


def test_a_card_of_ten_digits_is_the_insurance_number():
    assert parse_number("7912345678", field="card").number == "7912345678"


def test_unknown_card_codes_are_warnings_only():
    assert parse_number("ZZ4797912345678", field="card").warnings == ("unknown_object_code",)
    assert parse_number("DN1797912345678", field="card").warnings == ("benefit_level_disagrees",)
    assert parse_number("DN4037912345678", field="card").warnings == ("unknown_place_code",)
    assert parse_number("TE1797912345678", field="card").warnings == ()


def test_a_card_without_its_letters_is_only_a_candidate():
    assert parse_number("4797912345678", field="card").candidates == ("7912345678",)


def test_a_card_in_the_insurance_column_gives_its_number():
    parsed = parse_number("DN4797912345678", field="insurance")
    assert (parsed.kind, parsed.number) == ("insurance", "7912345678")
    assert "taken_from_card" in parsed.repairs


@pytest.mark.parametrize("raw", ["XX", "DN3960000000000", "DN47979123456789", "DN4"])
def test_what_is_no_card_is_refused(raw):
    assert parse_number(raw, field="card").reject is not None


@pytest.mark.parametrize(
    ("digit", "sex", "year"),
    [("0", "M", 1962), ("1", "F", 1962), ("2", "M", 2062), ("3", "F", 2062), ("4", "M", 2162),
     ("5", "F", 2162), ("8", "M", 2362), ("9", "F", 2362)],
)  # fmt: skip
def test_the_fourth_digit_is_century_and_sex(digit, sex, year):
    decoded = decode_personal_number(f"001{digit}62000001")
    assert (decoded.sex, decoded.birth_year) == (sex, year)


# Codes that since 1 July 2025 stand for another province.
@pytest.mark.parametrize(
    ("code", "province_2004", "province_2025"),
    [
        ("015", "Tỉnh Yên Bái", "Tỉnh Lào Cai"),
        ("024", "Tỉnh Bắc Giang", "Tỉnh Bắc Ninh"),
        ("052", "Tỉnh Bình Định", "Tỉnh Gia Lai"),
        ("080", "Tỉnh Long An", "Tỉnh Tây Ninh"),
        ("082", "Tỉnh Tiền Giang", "Tỉnh Đồng Tháp"),
        ("091", "Tỉnh Kiên Giang", "Tỉnh An Giang"),
    ],
)
def test_the_six_trap_codes_are_read_with_the_table_of_2004(code, province_2004, province_2025):
    decoded = decode_personal_number(f"{code}062000001")
    assert decoded.place_name == province_2004
    assert decoded.place_name_2025 == province_2025


def test_a_foreign_birthplace_is_a_country():
    assert decode_personal_number("231062000001").place_name == "Nga"
    assert decode_personal_number("999062000001").place_name is None


def test_a_wrong_length_is_an_error_that_does_not_repeat_the_value():
    with pytest.raises(ValueError, match="12 digits") as caught:
        decode_personal_number("1234567")
    assert "1234567" not in str(caught.value)
