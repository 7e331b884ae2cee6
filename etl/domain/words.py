"""The sentences of a record's story, in Vietnamese and English.

Belongs here: fixed words for fields, levels of agreement, reasons, severities and owners, and words
that explain a weight of evidence to a person who knows no statistics. Does not belong here:
choosing among them (``etl/explain/tell.py``), and codes that have their own labels
(``etl/domain/codes.py``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from etl.domain.codes import REASON_LABELS


class Words(NamedTuple):
    """A text in the two languages of the system's users."""

    vi: str
    en: str


FIELDS = {
    "record_id": Words("Mã hồ sơ", "Record id"),
    "insurance_number": Words("Mã số BHXH", "Insurance number"),
    "full_name": Words("Họ tên", "Name"),
    "date_of_birth": Words("Ngày sinh", "Birth date"),
    "gender": Words("Giới tính", "Sex"),
    "id_number": Words("Số định danh", "Identity number"),
    "health_card_number": Words("Số thẻ BHYT", "Health card"),
    "compulsory_si": Words("BHXH bắt buộc", "Compulsory social insurance"),
    "voluntary_si": Words("BHXH tự nguyện", "Voluntary social insurance"),
    "unemployment_insurance": Words("BH thất nghiệp", "Unemployment insurance"),
    "health_insurance": Words("BHYT", "Health insurance"),
    "status": Words("Trạng thái", "Status"),
    "employer_code": Words("Mã đơn vị", "Employer"),
    "province_code": Words("Tỉnh", "Province"),
    "commune": Words("Xã, phường", "Commune"),
    "office": Words("Cơ quan quản lý", "Office"),
    "address": Words("Địa chỉ", "Address"),
    "updated_at": Words("Cập nhật lúc", "Last change"),
    "personal_id": Words("Số định danh", "Personal number"),
    "date_of_death": Words("Ngày mất", "Date of death"),
}

COMPARED = {
    "prior": Words("Trước khi so sánh", "Before comparing"),
    "name": Words("Họ tên", "Name"),
    "birth": Words("Ngày sinh", "Birth date"),
    "gender": Words("Giới tính", "Sex"),
    "place": Words("Tỉnh", "Province"),
    "address": Words("Địa chỉ", "Address"),
    "number": Words("Các số", "Numbers"),
    "rest": Words("Các khả năng khác", "Other possibilities"),
    "total": Words("Kết luận", "Conclusion"),
}

GENDERS = {"M": Words("Nam", "male"), "F": Words("Nữ", "female")}
CITIZEN_STATUS = {
    "alive": Words("còn sống", "alive"),
    "deceased": Words("đã mất", "deceased"),
    "other": Words("khác", "another"),
}
UNREAD = Words("không đọc được", "not understood")

PRECISION = {
    "month": Words("chỉ biết tháng và năm", "only month and year are known"),
    "year": Words("chỉ biết năm", "only the year is known"),
}

LEVELS = {
    ("name", "same"): Words("giống hệt", "the same"),
    ("name", "format"): Words("cùng tên, khác cách viết", "the same name, written otherwise"),
    ("name", "iy_variant"): Words("cùng tên, khác i/y", "the same name but for i and y"),
    ("name", "unaccented"): Words("cùng tên, một bên không dấu", "the same without its accents"),
    ("name", "accents_differ"): Words("cùng chữ, khác dấu", "the same letters, other accents"),
    ("name", "middle_missing"): Words("một bên thiếu tên đệm", "one side lacks a middle name"),
    ("name", "abbreviated"): Words("một bên viết tắt", "one side is abbreviated"),
    ("name", "reordered"): Words("cùng chữ, khác thứ tự", "the same words in another order"),
    ("name", "one_edit"): Words("khác một chữ cái", "one letter differs"),
    ("name", "similar"): Words("gần giống", "similar"),
    ("name", "given_shared"): Words("chỉ chung tên gọi", "only the given name is shared"),
    ("name", "surname_shared"): Words("cùng họ, khác tên", "same surname, another given name"),
    ("name", "different"): Words("khác hẳn", "different"),
    ("name", "missing"): Words("một bên không ghi", "not recorded on one side"),
    ("birth", "same"): Words("giống hệt", "the same"),
    ("birth", "same_partial"): Words(
        "giống nhau, hai bên đều ghi thiếu", "the same, incomplete on both sides"
    ),
    ("birth", "consistent"): Words(
        "không mâu thuẫn, một bên ghi thiếu", "no contradiction, one side says less"
    ),
    ("birth", "filler"): Words(
        "cùng năm, một bên ghi 01/01 cho đủ", "same year, one side fills in 1 January"
    ),
    ("birth", "day_month_swapped"): Words("đảo ngày và tháng", "day and month are swapped"),
    ("birth", "year_off_by_one"): Words("lệch một năm", "one year apart"),
    ("birth", "one_digit"): Words("khác một chữ số", "one digit differs"),
    ("birth", "part_shared"): Words(
        "trùng hai trong ba phần ngày, tháng, năm", "two of day, month and year agree"
    ),
    ("birth", "different"): Words("khác hẳn", "different"),
    ("birth", "missing"): Words("một bên không ghi", "not recorded on one side"),
    ("gender", "same"): Words("giống nhau", "the same"),
    ("gender", "different"): Words("khác nhau", "different"),
    ("gender", "missing"): Words("một bên không ghi", "not recorded on one side"),
    ("place", "same"): Words("cùng tỉnh", "the same province"),
    ("place", "different"): Words("khác tỉnh", "another province"),
    ("place", "missing"): Words("một bên không ghi", "not recorded on one side"),
    ("place", "unread"): Words("một bên ghi không đọc được", "unreadable on one side"),
    ("address", "same"): Words("giống hệt", "the same"),
    ("address", "near"): Words("gần như giống", "nearly the same"),
    ("address", "partly"): Words("giống một phần", "partly the same"),
    ("address", "different"): Words("khác", "different"),
    ("address", "missing"): Words("một bên không ghi", "not recorded on one side"),
    ("number", "same"): Words("có một số trùng nhau", "one number is the same"),
    ("number", "one_edit"): Words("có hai số chỉ khác một chữ số", "two numbers are a digit apart"),
    ("number", "different"): Words("khác nhau", "different"),
    ("number", "missing"): Words("hồ sơ không có số dùng được", "the record has no usable number"),
}

AGREEING = frozenset({"same", "format", "iy_variant", "unaccented", "same_partial"})
CONTRADICTING = frozenset({"given_shared", "surname_shared", "different"})
"""Levels that count for and against a link if there are no weights; the others count partly."""

REASONS = {label.code: Words(label.vi, label.en) for label in REASON_LABELS}

UNTRAINED = Words(
    "Mô hình so sánh là mô hình kèm theo doisoat, chưa học từ các CSDL này. Lệnh “doisoat train” "
    "đo tần suất dữ liệu của cùng một người khớp nhau ở đây; từ lần chạy sau, khả năng ở bước "
    "“bằng chứng tổng hợp” được tính theo đó.",
    "The linkage model is the one that ships with doisoat and has learnt nothing of these "
    "registers. 'doisoat train' measures how often one person's data agree here; from the next "
    "run on, the probabilities of the probabilistic step rest on that.",
)

SEVERITIES = {
    "info": Words("để biết", "for information"),
    "warning": Words("cần sửa", "to be corrected"),
    "error": Words("phải sửa trước khi dùng", "to be corrected before the record is relied upon"),
}

OWNERS = {
    "insurance": Words("cơ quan BHXH sửa hồ sơ", "the insurer corrects the record"),
    "population": Words(
        "cơ quan quản lý dân cư sửa CSDL dân cư", "the population register is corrected"
    ),
    "citizen": Words(
        "người dân xác nhận và đề nghị điều chỉnh", "the citizen confirms and asks for a correction"
    ),
}


def keep(record: str, kept: str, because: Words) -> Words:
    """Says which of one citizen's records to keep, on the page of one of these records."""
    if record == kept:
        return Words(
            f"Giữ hồ sơ này, gộp các hồ sơ khác của công dân vào đây, vì {because.vi}",
            f"Keep this record and merge the citizen's others into it, because {because.en}",
        )
    return Words(
        f"Giữ hồ sơ {kept} và gộp hồ sơ này vào đó, vì {because.vi}",
        f"Keep record {kept} and merge this one into it, because {because.en}",
    )


def count(number: int) -> Words:
    """Writes a whole number as each language does."""
    return Words(f"{number:,}".replace(",", "."), f"{number:,}")


def share(part: int, whole: int) -> Words:
    """Writes a share; a small one is not rounded to 0%, and one below the whole not to 100%."""
    percent = 100 * part / whole if whole else 0.0
    if part and percent < 0.01:
        return Words("dưới 0,01%", "below 0.01%")
    if part < whole and percent > 99.99:
        return Words("trên 99,99%", "above 99.99%")
    digits = 2 if 0 < percent < 1 or 99 < percent < 100 else 1
    shown = f"{percent:.{digits}f}%"
    return Words(shown.replace(".", ","), shown)


def times(bits: float) -> Words:
    """Writes 2 to the power of some bits as a round number: 30, 1,000, 5 million."""
    value = 2 ** min(abs(bits), 60)
    size = 10 ** math.floor(math.log10(value))
    rounded = round(value / size) * size
    for limit, vi, en in ((10**12, "nghìn tỷ", "trillion"), (10**9, "tỷ", "billion"),
                          (10**6, "triệu", "million")):  # fmt: skip
        if rounded >= limit:
            many = count(round(rounded / limit))
            return Words(f"{many.vi} {vi}", f"{many.en} {en}")
    return count(round(rounded))


def strength(bits: float | None) -> Words:
    """Explains a weight: with w bits, such evidence is 2^w times more probable for one person."""
    if bits is None:
        return Words("không nói lên điều gì", "says nothing")
    if abs(bits) < 0.58:  # a factor of less than 1.5
        return Words("hầu như không nói lên điều gì", "says next to nothing")
    many = times(bits)
    if bits > 0:
        return Words(
            f"thường gặp hơn khoảng {many.vi} lần nếu là cùng một người",
            f"about {many.en} times more probable if it is the same person",
        )
    return Words(
        f"thường gặp hơn khoảng {many.vi} lần nếu là hai người khác nhau",
        f"about {many.en} times more probable if they are two people",
    )


def chance(probability: float) -> Words:
    """Writes a probability as a percentage, or as 1 in so many where it is near 0 or 1."""
    wrong = 1 - probability
    if probability <= 0:
        return Words("gần như không", "next to none")
    if 0.01 <= probability <= 0.99:
        return Words(f"khoảng {probability * 100:.0f}%", f"about {probability * 100:.0f}%")
    if probability < 0.01:
        many = times(math.log2(1 / probability))
        return Words(f"khoảng 1 trên {many.vi}", f"about 1 in {many.en}")
    many = times(math.log2(1 / max(wrong, 1e-12)))
    return Words(
        f"gần như chắc chắn (sai khoảng 1 trên {many.vi})",
        f"almost certain (wrong about once in {many.en})",
    )


DECISIONS = {
    "link": Words("hồ sơ là của công dân {}", "the record is of citizen {}"),
    "not_link": Words("hồ sơ không phải của công dân {}", "the record is not of citizen {}"),
    "not_a_person": Words("hồ sơ không phải của công dân nào", "the record is no citizen's"),
    "keep_record": Words("giữ hồ sơ {}", "record {} is kept"),
}
"""What a person may decide; {} stands for the citizen or the record."""

DECISION_STATES = {
    "stands": Words("đang có hiệu lực", "it counts"),
    "new": Words("sẽ áp dụng từ lần chạy sau", "it applies with the next run"),
    "superseded": Words("đã có quyết định sau thay thế", "a later decision takes its place"),
    "record_changed": Words(
        "hồ sơ đã thay đổi sau quyết định", "the record has changed since it was decided"
    ),
    "citizen_changed": Words(
        "thông tin công dân đã thay đổi sau quyết định",
        "the citizen's entry has changed since it was decided",
    ),
    "record_gone": Words("hồ sơ không còn", "the record is gone"),
    "citizen_gone": Words(
        "công dân không còn trong CSDL dân cư", "the citizen is no longer registered"
    ),
}
"""Whether a decision counts, and if not, why."""
