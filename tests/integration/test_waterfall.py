"""The waterfall, rule by rule: each case is a few citizens and one record among a crowd.

All cases are in one pair of registers, which is reconciled once: cases must not disturb each other,
as the people of one country do not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import pytest

from etl.domain import codes
from etl.explain.gather import read_story
from etl.explain.tell import tell
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from tests.support import Registers, citizen, decide, from_warehouse, memory_folder, record

CROWD = range(1, 400)


def person(number: str, name: str, born: str, gender: str = "Nam", **changes: Any) -> dict:
    return (
        citizen(0, personal_id=number, full_name=name, date_of_birth=born, gender=gender) | changes
    )


def insured(
    case: str, name: str, born: str | None, gender: str | None = "Nam", **changes: Any
) -> dict:
    blank = record(0, record_id=case, full_name=name, date_of_birth=born, gender=gender)
    # Numbers that occur nowhere else, so that no two cases share one by accident.
    blank |= {"insurance_number": f"99{crc32(case.encode()) % 10**8:08d}", "id_number": None}
    return blank | changes


PEOPLE = [
    person("001080900101", "Nguyễn Hữu Khánh", "05/09/1980", former_id_numbers="012345671;001080999999"),
    person("001180900102", "Lý Thị Thủy", "12/03/1980", "Nữ"),
    # A father and a son with one name.
    person("001060900103", "Đinh Công Tráng", "01/02/1960"),
    person("001085900104", "Đinh Công Tráng", "17/08/1985"),
    # Twins.
    person("001190900105", "Mai Thị Hồng Lan", "20/11/1990", "Nữ"),
    person("001190900106", "Mai Thị Hồng Loan", "20/11/1990", "Nữ"),
    # Two holders of one CMND (old identity card number).
    person("001070900107", "Tạ Quang Bửu", "03/04/1970", former_id_numbers="111222333"),
    person("001072900108", "Cao Bá Quát", "09/10/1972", former_id_numbers="111222333"),
    # Two people with one name, birth date and sex, in two provinces.
    person("001075900109", "Lưu Trọng Lư", "06/07/1975", province_code="79"),
    person("001075900110", "Lưu Trọng Lư", "06/07/1975", province_code="48"),
    person("001065900111", "Tô Ngọc Vân", "15/12/1965"),
    person("001088900112", "Hồ Quý Ly", "25/06/1988", status="deceased", date_of_death="2024-05-01"),
    person("001077900113", "Kim Ngọc Hưng", "1977"),
    person("001091900114", "José Müller", "14/02/1991"),
    person("001182900115", "H'Bung Mlô", "30/01/1982", "Nữ"),
    person("001068900116", "Chu Văn An", "21/05/1968"),
    person("001066900117", "Phùng Khắc Khoan", "11/11/1966"),
    person("001093900118", "Vương Đình Huệ", "10/10/1993"),
    person("001041900126", "Mạc Đĩnh Chi", "07/07/1941"),
    # A family of three.
    person("001070900123", "Bùi Thế Mỹ", "02/09/1970"),
    person("001173900124", "Quách Thị Trang", "19/05/1973", "Nữ"),
    person("001205900125", "Bùi Minh Khang", "30/04/2005"),
    # Each uses another given name in daily life, or has a twin who is in no register.
    person("001155900131", "Đoàn Thị Điểm", "04/06/1955", "Nữ"),
    person("001056900132", "Đoàn Hữu Trưng", "05/07/1956"),
    person("001057900133", "Đoàn Nguyễn Tuấn", "06/08/1957"),
    person("001059900134", "Đoàn Minh Huyên", "07/09/1959"),
    person("001161900135", "Đoàn Lệ Giang", "08/10/1961", "Nữ", former_id_numbers="111222444"),
    # Twins, both in the register; of the first pair both are insured, of the second one.
    person("001062900136", "Khuất Duy Tiến", "09/11/1962"),
    person("001062900137", "Khuất Duy Quân", "09/11/1962"),
    person("001063900138", "Khuất Quang Chiến", "10/12/1963"),
    person("001063900139", "Khuất Quang Thắng", "10/12/1963"),
    person("001069900144", "Trịnh Đình Thảo", "14/04/1969"),
    person("001071900145", "Trịnh Đình Cửu", "15/05/1971"),
    person("001074900146", "Trịnh Xuân Thanh", "16/06/1974", former_id_numbers="111222555"),
    person("001074900147", "Trịnh Xuân Ngạn", "16/06/1974"),
    person("001078900151", "Trịnh Hoài Nam", "18/08/1978"),
    person("001078900152", "Trịnh Hoài Phương", "18/08/1978"),
    person("001076900150", "Trịnh Minh Thế", "17/07/1976"),
    # A man and a woman with one name and birth date.
    person("001090900148", "Ngô Ngọc Minh", "01/02/1990"),
    person("001190900149", "Ngô Ngọc Minh", "01/02/1990", "Nữ"),
    person("001068900143", "Đoàn Chuẩn", "12/02/1968"),
    person("001066900142", "Đoàn Mạnh Phương", "11/01/1966"),
    person("001067900141", "Thân Nhân Trung", "12/02/1967"),
    person("001064900140", "Ngụy Như Kon", "11/01/1964"),
    # Two with one name and birth year, one of them really born on New Year's Day.
    person("001058900121", "Tống Duy Tân", "23/04/1958"),
    person("001058900122", "Tống Duy Tân", "01/01/1958"),
]  # fmt: skip

RECORDS = [
    insured("clean", "Nguyễn Hữu Khánh", "05/09/1980", id_number="001080900101"),
    insured("capitals", "LÝ THỊ THỦY", "12/03/1980", "Nữ", id_number="001180900102"),
    insured("iy", "Lí Thị Thuỷ", "12/03/1980", "nữ", id_number="001180900102"),
    insured("no_accents", "Ly Thi Thuy", "1980-03-12", "F", id_number="001 180 900 102"),
    insured("number_in_insurance_column", "Tô Ngọc Vân", "15/12/1965", insurance_number="001065900111"),
    insured("other_person", "Trịnh Hoài Đức", "09/01/1951", id_number="001065900111"),
    insured("son_with_fathers_number", "Đinh Công Tráng", "17/08/1985", id_number="001060900103"),
    insured("family_father", "Bùi Thế Mỹ", "02/09/1970", id_number="001070900123"),
    insured("family_mother", "Quách Thị Trang", "19/05/1973", "Nữ", id_number="001070900123"),
    insured("family_child", "Bùi Minh Khang", "30/04/2005", id_number="001070900123"),
    insured("filler_and_a_namesake", "Tống Duy Tân", "01/01/1958", id_number="001058900121"),
    insured("twin_with_twins_number", "Mai Thị Hồng Lan", "20/11/1990", "Nữ", id_number="001190900106"),
    insured("cmnd_of_two", "Cao Bá Quát", "09/10/1972", id_number="111222333"),
    insured("former", "Nguyễn Hữu Khánh", "05/09/1980", id_number="012345671"),
    insured("cancelled", "Nguyễn Hữu Khánh", "05/09/1980", id_number="001080999999"),
    insured("lost_zeros", "Chu Văn An", "21/05/1968", id_number="1068900116"),
    insured("wrong_digit", "Lưu Trọng Lư", "06/07/1975", id_number="001075900150"),
    insured("wrong_digit_or_swapped", "Lưu Trọng Lư", "06/07/1975", id_number="001075900190"),
    insured("swapped_digits", "Mạc Đĩnh Chi", "07/07/1941", id_number="001041900162"),
    insured("wrong_digit_other_name", "Trương Hán Siêu", "07/07/1941", id_number="001041900162"),
    insured("lost_zeros_and_a_typo", "Chu Văn Am", "21/05/1968", id_number="1068900116"),
    insured("lost_zeros_and_a_slip", "Thân Nhân Trug", "12/02/1967", id_number="1067900141"),
    insured("demographic", "Phùng Khắc Khoan", "11/11/1966"),
    insured("homonyms_without_place", "Lưu Trọng Lư", "06/07/1975", province_code=None),
    insured("homonyms_with_place", "Lưu Trọng Lư", "06/07/1975", province_code="48"),
    insured("year_only", "Vương Đình Huệ", "1993"),
    insured("dead", "Hồ Quý Ly", "25/06/1988", id_number="001088900112"),
    insured("year_on_both_sides", "Kim Ngọc Hưng", "1977", id_number="001077900113"),
    insured("foreigner", "JOSÉ MÜLLER", "14/02/1991", id_number="001091900114"),
    insured("highlander", "H Bung Mlo", "30/01/1982", "Nữ", id_number="001182900115"),
    insured("wrong_day", "Hồ Quý Ly", "26/06/1988", id_number="001088900112"),
    insured("birth_wholly_wrong", "Hồ Quý Ly", "14/02/1951", id_number="001088900112"),
    insured("wrong_sex", "Hồ Quý Ly", "25/06/1988", "Nữ", id_number="001088900112"),
    insured("only_the_surname", "Hồ Đình Phương", "25/06/1988", id_number="001088900112"),
    insured("daily_name", "Đoàn Thị Hồng", "04/06/1955", "Nữ", id_number="001155900131"),
    insured("daily_name_by_cmnd", "Đoàn Lệ Hằng", "08/10/1961", "Nữ", id_number="111222444"),
    insured("daily_name_of_two_words", "Đoàn Hiệp", "12/02/1968", id_number="001068900143"),
    insured("first_of_two_names", "Trịnh Đình Bách", "14/04/1969", id_number="001069900144"),
    insured("second_of_two_names", "Trịnh Đình Tùng", "14/04/1969", id_number="001069900144"),
    insured("daily_name_and_a_strangers_number", "Trịnh Đình Khôi", "15/05/1971",
            id_number="001071900145", insurance_number="001080900101"),
    insured("decided_by_a_steward", "Trinh Thé", "1976"),
    insured("daily_name_of_the_decided", "Trịnh Minh Long", "17/07/1976", id_number="001076900150"),
    insured("twin_mistyped", "Trịnh Hoài Phươn", "18/08/1978", id_number="001078900151"),
    insured("both_numbers_of_one_twin", "Trịnh Xuân Ngạn", "16/06/1974",
            id_number="111222555 / 001074900146"),
    insured("lost_zeros_of_a_man", "Ngô Ngọc Minh", "01/02/1990", "Nữ", id_number="1090900148"),
    insured("name_of_another_row", "Đoàn Phú Tứ", "11/01/1966", id_number="001066900142"),
    insured("daily_name_no_sex", "Đoàn Minh Phụng", "07/09/1959", None, id_number="001059900134"),
    insured("daily_name_lost_zeros", "Ngụy Như Phi", "11/01/1964", id_number="1064900140"),
    insured("owner_by_number", "Đoàn Hữu Trưng", "05/07/1956", id_number="001056900132"),
    insured("twin_of_owner", "Đoàn Hữu Ái", "05/07/1956", id_number="001056900132"),
    insured("owner_without_number", "Đoàn Nguyễn Tuấn", "06/08/1957"),
    insured("twin_of_unnumbered", "Đoàn Nguyễn Thục", "06/08/1957", id_number="001057900133"),
    insured("first_twin", "Khuất Duy Tiến", "09/11/1962", id_number="001062900136"),
    insured("second_twin_first_ones_number", "Khuất Duy Quân", "09/11/1962", id_number="001062900136"),
    insured("only_one_twin_insured", "Khuất Quang Thắng", "10/12/1963", id_number="001063900138"),
    insured("number_and_no_name", None, "25/06/1988", id_number="001088900112"),
    insured("two_odd_numbers", "Lê Văn Duyệt", "03/03/1999", id_number="001060900103", insurance_number="001085900104"),
    insured("ghost", "Trương Vĩnh Ký", "06/12/1937"),
    insured("nothing", "?", None),
    insured("name_alone", "Chu Văn An", None),
    insured("missing_sex", "Kim Ngọc Hưng", "1977", None, id_number="001077900113"),
    insured("old_province", "Tô Ngọc Vân", "15/12/1965", id_number="001065900111", province_code="15"),
    insured("card", "Tô Ngọc Vân", "15/12/1965", id_number="001065900111",
            insurance_number="0123456781", health_card_number="HT2010123456780"),
]  # fmt: skip


DECISIONS = [("decided_by_a_steward", "001076900150")]


@dataclass
class Verdicts:
    """The result of each case."""

    registers: Registers

    def ask(self, query: str) -> list[dict[str, object]]:
        return from_warehouse(self.registers.settings, query)

    def of(self, case: str) -> tuple[object, object, object]:
        """Status, citizen and step of a case."""
        rows = self.ask(f"select * from core.reconciled where record_id = '{case}'")
        assert len(rows) == 1
        return rows[0]["status"], rows[0]["personal_id"], rows[0]["match_step"]

    def codes(self, case: str) -> set[object]:
        return {
            row["code"]
            for row in self.ask(f"select code from core.mismatches where record_id = '{case}'")
        }

    def candidates(self, case: str) -> list[object]:
        return [
            row["personal_id"]
            for row in self.ask(
                f"select * from core.candidates where record_id = '{case}' order by candidate_rank"
            )
        ]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[Verdicts]:
    folder = memory_folder("doisoat-waterfall-")
    registers = Registers(
        folder,
        [record(n) for n in CROWD] + RECORDS,
        [citizen(n) for n in CROWD] + PEOPLE,
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()
    settings = registers.settings
    for record_id, personal_id in DECISIONS:
        decide(settings, record_id, personal_id)
    with warehouse_for(settings, Run("waterfall")) as warehouse:
        runner.run(warehouse, settings)
    release_lock(settings)
    yield Verdicts(registers)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_crowd_is_verified_by_its_own_numbers(verdicts: Verdicts):
    rows = verdicts.ask(
        "select status, match_step, count(*) as n from core.reconciled "
        "where record_id like 'R0%' group by all"
    )
    assert rows == [{"status": "VERIFIED", "match_step": "personal_id", "n": len(CROWD)}]


@pytest.mark.parametrize(
    ("case", "number", "step"),
    [
        ("clean", "001080900101", "personal_id"),
        ("capitals", "001180900102", "personal_id"),
        ("iy", "001180900102", "personal_id"),
        ("no_accents", "001180900102", "personal_id"),
        ("number_in_insurance_column", "001065900111", "personal_id"),
        ("foreigner", "001091900114", "personal_id"),
        ("highlander", "001182900115", "personal_id"),
        ("year_on_both_sides", "001077900113", "personal_id"),
        ("former", "001080900101", "former_id"),
        ("cancelled", "001080900101", "former_id"),
        ("cmnd_of_two", "001072900108", "former_id"),
        ("wrong_digit", "001075900110", "repaired_id"),
        ("swapped_digits", "001041900126", "repaired_id"),
        ("demographic", "001066900117", "demographic"),
    ],
)
def test_a_record_is_linked_by_the_first_step_that_settles_it(
    verdicts: Verdicts, case: str, number: str, step: str
):
    status, personal_id, match_step = verdicts.of(case)
    assert (personal_id, match_step) == (number, step)
    assert status in ("VERIFIED", "MISMATCH")


def test_a_number_of_somebody_who_looks_different_names_nobody(verdicts: Verdicts):
    status, personal_id, _ = verdicts.of("other_person")
    assert (status, personal_id) == ("NOT_FOUND", None)
    assert "ID_OTHER_PERSON" in verdicts.codes("other_person")
    assert verdicts.candidates("other_person") == []
    shown = verdicts.ask("select * from core.mismatches where record_id = 'other_person'")
    assert all(row["population_value"] is None for row in shown)


def test_a_son_with_his_fathers_number_and_name_is_not_his_father(verdicts: Verdicts):
    assert verdicts.of("son_with_fathers_number")[1:] == ("001085900104", "demographic")
    assert "ID_OTHER_PERSON" in verdicts.codes("son_with_fathers_number")


def test_a_family_that_shares_one_typed_number_is_told_apart(verdicts: Verdicts):
    assert verdicts.of("family_father") == ("VERIFIED", "001070900123", "personal_id")
    assert verdicts.of("family_mother")[1:] == ("001173900124", "demographic")
    assert verdicts.of("family_child")[1:] == ("001205900125", "demographic")
    for case in ("family_mother", "family_child"):
        assert {"ID_SHARED", "ID_OTHER_PERSON"} <= verdicts.codes(case)
    assert not verdicts.codes("family_father") & {"ID_SHARED", "ID_OTHER_PERSON"}


def test_a_filler_that_a_namesake_was_really_born_on_goes_to_a_person(verdicts: Verdicts):
    assert verdicts.of("filler_and_a_namesake")[0] == "REVIEW"
    assert set(verdicts.candidates("filler_and_a_namesake")) == {"001058900121", "001058900122"}
    assert "ID_OTHER_PERSON" not in verdicts.codes("filler_and_a_namesake")


def test_a_twin_with_her_twins_number_is_not_her_twin(verdicts: Verdicts):
    assert verdicts.of("twin_with_twins_number")[1:] == ("001190900105", "demographic")
    assert "ID_OTHER_PERSON" in verdicts.codes("twin_with_twins_number")


def test_a_cmnd_of_two_people_is_no_sign_of_another_person(verdicts: Verdicts):
    assert verdicts.codes("cmnd_of_two") >= {"ID_FORMER"}
    assert "ID_OTHER_PERSON" not in verdicts.codes("cmnd_of_two")


def test_lost_zeros_are_repaired_only_with_full_agreement(verdicts: Verdicts):
    assert verdicts.of("lost_zeros")[1:] == ("001068900116", "repaired_id")
    # Without it the number is one piece of evidence: here enough for a link, but not if another
    # record is already linked to the citizen.
    assert verdicts.of("lost_zeros_and_a_slip")[1:] == ("001067900141", "probabilistic")
    assert "ID_REPAIRED" in verdicts.codes("lost_zeros_and_a_slip")
    assert verdicts.of("lost_zeros_and_a_typo")[0] == "REVIEW"
    assert verdicts.candidates("lost_zeros_and_a_typo") == ["001068900116"]


def test_a_wrong_digit_is_repaired_only_where_one_citizen_of_name_and_birth_fits(
    verdicts: Verdicts,
):
    assert verdicts.of("wrong_digit_or_swapped")[0] == "REVIEW"
    assert set(verdicts.candidates("wrong_digit_or_swapped")) == {"001075900109", "001075900110"}
    assert verdicts.of("wrong_digit_other_name")[0] == "NOT_FOUND"
    assert "ID_REPAIRED" in verdicts.codes("swapped_digits")
    assert "ID_INVALID" not in verdicts.codes("swapped_digits")
    assert "ID_INVALID" in verdicts.codes("wrong_digit_other_name")


def test_homonyms_go_to_a_person_unless_the_place_tells_them_apart(verdicts: Verdicts):
    assert verdicts.of("homonyms_without_place")[0] == "REVIEW"
    assert set(verdicts.candidates("homonyms_without_place")) == {"001075900109", "001075900110"}
    # Here two records have one name and birth date, so even with the place there is a doubt.
    assert verdicts.of("homonyms_with_place")[0] == "REVIEW"
    assert verdicts.candidates("homonyms_with_place")[0] == "001075900110"


def test_a_year_without_a_number_is_for_a_person(verdicts: Verdicts):
    assert verdicts.of("year_only")[0] == "REVIEW"
    assert verdicts.candidates("year_only") == ["001093900118"]


@pytest.mark.parametrize("case", ["birth_wholly_wrong", "only_the_surname", "number_and_no_name"])
def test_a_number_with_one_half_agreement_is_for_a_person(verdicts: Verdicts, case: str):
    assert verdicts.of(case)[:2] == ("REVIEW", None)
    assert verdicts.candidates(case) == ["001088900112"]
    assert "AMBIGUOUS" in verdicts.codes(case)


@pytest.mark.parametrize(
    ("case", "number", "step"),
    [
        ("daily_name", "001155900131", "personal_id"),
        ("daily_name_by_cmnd", "001161900135", "former_id"),
        ("daily_name_of_two_words", "001068900143", "personal_id"),
    ],
)
def test_another_given_name_is_linked_where_nobody_else_is_the_owner(
    verdicts: Verdicts, case: str, number: str, step: str
):
    assert verdicts.of(case) == ("MISMATCH", number, step)
    assert "NAME_DIFFERENT" in verdicts.codes(case)


@pytest.mark.parametrize(
    ("case", "owner"),
    [
        # The owner's own record carries the number, or name and birth date without the number.
        ("twin_of_owner", "001056900132"),
        ("twin_of_unnumbered", "001057900133"),
        # Two records carry the owner's number, neither of them the owner's name.
        ("first_of_two_names", "001069900144"),
        ("second_of_two_names", "001069900144"),
        # A steward decided that another record is the owner's.
        ("daily_name_of_the_decided", "001076900150"),
        # A citizen with that birth date, perhaps a twin, has the recorded name apart from a slip.
        ("twin_mistyped", "001078900151"),
        # The record's other number is somebody else's.
        ("daily_name_and_a_strangers_number", "001071900145"),
        # Only the surname agrees, which may be chance.
        ("name_of_another_row", "001066900142"),
        # A second doubt: no sex, or a number that had to be repaired.
        ("daily_name_no_sex", "001059900134"),
        ("daily_name_lost_zeros", "001064900140"),
    ],
)
def test_another_given_name_is_for_a_person_where_it_may_be_a_twins(
    verdicts: Verdicts, case: str, owner: str
):
    assert verdicts.of(case)[:2] == ("REVIEW", None)
    assert verdicts.candidates(case) == [owner]


def test_a_twin_is_not_the_other_whose_record_carries_the_same_number(verdicts: Verdicts):
    assert verdicts.of("first_twin") == ("VERIFIED", "001062900136", "personal_id")
    assert verdicts.of("second_twin_first_ones_number")[1:] == ("001062900137", "demographic")


def test_either_twin_may_be_meant_where_one_has_the_name_and_one_the_number_and_no_other_record(
    verdicts: Verdicts,
):
    for case, twins in {
        "only_one_twin_insured": {"001063900138", "001063900139"},
        "both_numbers_of_one_twin": {"001074900146", "001074900147"},
    }.items():
        assert verdicts.of(case)[:2] == ("REVIEW", None)
        assert set(verdicts.candidates(case)) == twins
        assert "ID_OTHER_PERSON" not in verdicts.codes(case)


def test_a_repaired_number_is_not_forgotten_where_a_namesake_was_born_that_day(verdicts: Verdicts):
    case = "lost_zeros_of_a_man"
    assert verdicts.of(case)[:2] == ("REVIEW", None)
    assert verdicts.candidates(case)[0] == "001090900148"


def test_a_stewards_decision_comes_before_all_else(verdicts: Verdicts):
    assert verdicts.of("decided_by_a_steward")[1:] == ("001076900150", "steward")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("daily_name", "only the given name differs, and no other record is this citizen's"),
        ("lost_zeros_and_a_slip", "the number had to be repaired and not all agrees"),
        ("only_one_twin_insured", "either may be meant"),
    ],
)
def test_explain_says_why_the_number_counted_as_it_did(verdicts: Verdicts, case: str, said: str):
    settings = verdicts.registers.settings
    told = tell(read_story(settings, record_id=case, record_key=None, command="test"))
    assert said in " ".join(words.en for step in told.steps for words in step.found)


def test_a_record_like_nobody_is_not_found(verdicts: Verdicts):
    assert verdicts.of("ghost")[0] == "NOT_FOUND"
    assert "NOT_IN_POPULATION" in verdicts.codes("ghost")


@pytest.mark.parametrize("case", ["nothing", "name_alone"])
def test_a_record_with_nothing_to_compare_is_rejected_with_its_reason(
    verdicts: Verdicts, case: str
):
    assert verdicts.of(case)[0] == "REJECTED"
    reasons = verdicts.ask(f"select reason from clean.rejects where record_id = '{case}'")
    assert reasons == [{"reason": "nothing_to_compare"}]


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("capitals", "NAME_FORMAT"),
        ("iy", "NAME_FORMAT"),
        ("no_accents", "NAME_UNACCENTED"),
        ("former", "ID_FORMER"),
        ("cancelled", "ID_FORMER"),
        ("demographic", "ID_MISSING"),
        ("lost_zeros", "ID_REPAIRED"),
        ("wrong_day", "BIRTH_DIFFERENT"),
        ("wrong_sex", "GENDER_DIFFERENT"),
        ("missing_sex", "GENDER_MISSING"),
        ("dead", "DECEASED_ACTIVE"),
        ("dead", "DUPLICATE_INSURANCE"),
        ("old_province", "PROVINCE_DIFFERENT"),
        ("card", "CARD_CONFLICT"),
        ("other_person", "ID_SHARED"),
        ("son_with_fathers_number", "ID_ATTRIBUTE_CONFLICT"),
    ],
)
def test_what_disagrees_is_said(verdicts: Verdicts, case: str, code: str):
    assert code in verdicts.codes(case)


def test_a_code_of_a_linked_record_shows_both_sides(verdicts: Verdicts):
    """This is for each code about a column of both registers; a value may be missing."""
    from etl.domain.codes import MISMATCH_CODES
    from etl.domain.contract import REGISTERS

    of_both = set.intersection(*({column.name for column in REGISTERS[r]} for r in REGISTERS))
    codes = {code.code for code in MISMATCH_CODES if code.field in of_both}
    shown = verdicts.ask(
        "select code, count(insurance_value) as ours, count(population_value) as theirs "
        "from core.mismatches semi join core.links using (record_id) group by code"
    )
    sides = {str(row["code"]): (row["ours"], row["theirs"]) for row in shown}

    assert {"BIRTH_DIFFERENT", "GENDER_DIFFERENT", "NAME_DIFFERENT", "PROVINCE_DIFFERENT"} <= codes
    assert not [code for code in codes & sides.keys() if not sides[code][1]]
    # For a missing value the insurance register has nothing to show.
    written = {code for code in codes & sides.keys() if not code.endswith("_MISSING")}
    assert not [code for code in written if not sides[code][0]]


def test_what_agrees_is_not_said(verdicts: Verdicts):
    # Three records of one citizen are duplicates; the first has no other mismatch.
    assert verdicts.codes("clean") == {"DUPLICATE_INSURANCE"}
    # The same year on both sides agrees, because a birth date with only a year is legal.
    assert not verdicts.codes("year_on_both_sides") & {"BIRTH_PARTIAL", "BIRTH_DIFFERENT"}


def test_a_code_is_said_once_whatever_the_number_of_reasons(verdicts: Verdicts):
    assert "ID_ATTRIBUTE_CONFLICT" in verdicts.codes("two_odd_numbers")
    twice = verdicts.ask(
        "select record_id, code from core.mismatches group by all having count(*) > 1"
    )
    assert twice == []


def test_the_owner_of_a_number_that_others_use_has_nothing_to_correct(verdicts: Verdicts):
    assert "ID_SHARED" not in verdicts.codes("number_in_insurance_column")


def test_a_code_that_only_informs_leaves_a_record_verified(verdicts: Verdicts):
    assert verdicts.of("foreigner")[0] == "VERIFIED"
    assert verdicts.codes("foreigner") == {"NAME_FORMAT"}


def test_corrections_propose_the_population_registers_value(verdicts: Verdicts):
    rows = verdicts.ask(
        "select field, recorded_value, proposed_value from core.corrections "
        "where record_id = 'no_accents' and authority = 'population'"
    )
    assert rows == [
        {"field": "full_name", "recorded_value": "Ly Thi Thuy", "proposed_value": "Lý Thị Thủy"}
    ]


def test_every_code_that_is_found_is_a_code_that_is_explained(verdicts: Verdicts):
    found = {row["code"] for row in verdicts.ask("select distinct code from core.mismatches")}
    assert found <= {code.code for code in codes.MISMATCH_CODES}


def test_every_step_adds_up(verdicts: Verdicts):
    rows = verdicts.ask(
        "select * from publish.waterfall where province_code = 'all' order by step_order"
    )
    assert [row["match_step"] for row in rows] == [step.value for step in codes.MatchStep]
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        assert row["came_in"] == row["linked"] + row["to_review"] + row["went_on"]
        assert following is None or following["came_in"] == row["went_on"]
