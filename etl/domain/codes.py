"""The words of the reconciliation: statuses, steps, agreement levels, mismatch codes, rejects.

Belongs here: every code that the system publishes, with its meaning, owner, severity and labels in
Vietnamese and English, one row each. Does not belong here: the rules that decide when a code
applies (they are SQL, in ``etl/reconcile/sql`` and ``etl/clean/sql``), nor anything with I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args


class Status(StrEnum):
    """The result of the reconciliation for one insurance record."""

    VERIFIED = "VERIFIED"
    MISMATCH = "MISMATCH"
    REVIEW = "REVIEW"
    NOT_FOUND = "NOT_FOUND"
    REJECTED = "REJECTED"


class MatchStep(StrEnum):
    """The steps of the waterfall, in the order in which they are tried."""

    STEWARD = "steward"
    PERSONAL_ID = "personal_id"
    FORMER_ID = "former_id"
    REPAIRED_ID = "repaired_id"
    DEMOGRAPHIC = "demographic"
    PROBABILISTIC = "probabilistic"


class Severity(StrEnum):
    """How much a mismatch or a failed rule matters.

    ``info`` needs no action; ``warning`` needs a correction; ``error`` needs a correction before
    the record is relied upon.
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Owner(StrEnum):
    """Who can correct a mismatch, or the cause of a failed quality rule."""

    INSURANCE = "insurance"
    POPULATION = "population"
    CITIZEN = "citizen"
    ENGINEERING = "engineering"

    @property
    def words(self) -> str:
        """The owner in words, for a person who does not know the codes."""
        return _OWNERS[self]


_OWNERS = {
    Owner.INSURANCE: "the insurance register's office",
    Owner.POPULATION: "the population register's office (police)",
    Owner.CITIZEN: "the citizen, asked by the insurance office",
    Owner.ENGINEERING: "whoever runs doisoat",
}


class Scheme(StrEnum):
    """The insurance schemes, each a flag column of the insurance contract."""

    COMPULSORY_SI = "compulsory_si"
    VOLUNTARY_SI = "voluntary_si"
    UNEMPLOYMENT_INSURANCE = "unemployment_insurance"
    HEALTH_INSURANCE = "health_insurance"


VOCABULARIES: dict[str, tuple[str, ...]] = {
    "sex": ("M", "F"),
    "flag": ("true", "false"),
    "insurance_status": ("active", "ended", "other"),
    "population_status": ("alive", "deceased", "other"),
    "province": (),
}
"""What the words of a register may mean. ``other`` is a word that is understood but means neither
of the others. A word for a province means one of the codes of 2025, which are not listed here: see
``etl.normalise.parse_province``."""

ALL = "all"
"""The label of a total in the counting tables."""

UNKNOWN_PROVINCE = "unknown"
"""The province of a record that names no existing province."""


@dataclass(frozen=True, slots=True)
class Label:
    """A code of the system, with its label in the two languages of the users."""

    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class MismatchCode:
    """One way in which a record and its citizen can disagree.

    Attributes:
        code: The stable name, as published.
        owner: Who can correct it.
        severity: ``info`` leaves a record VERIFIED; ``warning`` and ``error`` make it MISMATCH.
        portal_code: The nearest result code of the insurer's card portal, or empty.
        field: The contract column that disagrees.
        vi: Vietnamese label.
        en: English label.
    """

    code: str
    owner: Owner
    severity: Severity
    portal_code: str
    field: str
    vi: str
    en: str


_I, _P, _C = Owner.INSURANCE, Owner.POPULATION, Owner.CITIZEN
_INFO, _WARN, _ERR = Severity.INFO, Severity.WARNING, Severity.ERROR

MISMATCH_CODES: tuple[MismatchCode, ...] = (
    MismatchCode(
        "ID_MISSING", _I, _WARN, "", "id_number",
        "Thiếu số định danh cá nhân", "No identity number recorded",
    ),
    MismatchCode(
        "ID_INVALID", _I, _WARN, "051", "id_number",
        "Số định danh không hợp lệ hoặc không có trong CSDL dân cư",
        "Identity number is malformed or is no citizen's",
    ),
    MismatchCode(
        "ID_FORMER", _I, _WARN, "", "id_number",
        "Số cũ (CMND hoặc số đã hủy), cần thay bằng số định danh",
        "A former number (CMND or cancelled), to be replaced by the personal number",
    ),
    MismatchCode(
        "ID_REPAIRED", _I, _WARN, "", "id_number",
        "Số ghi sai hình thức, đã hiểu được sau khi sửa",
        "Number was understood only after a repair",
    ),
    MismatchCode(
        "ID_OTHER_PERSON", _I, _ERR, "051", "id_number",
        "Số định danh thuộc về người khác", "The number belongs to somebody else",
    ),
    MismatchCode(
        "ID_SHARED", _I, _ERR, "", "id_number",
        "Nhiều người dùng chung một số", "Several different people carry this number",
    ),
    MismatchCode(
        "ID_ATTRIBUTE_CONFLICT", _I, _INFO, "", "id_number",
        "Cấu trúc số không khớp năm sinh hoặc giới tính đã ghi",
        "The number's structure disagrees with the recorded birth year or sex",
    ),
    MismatchCode(
        "INSURANCE_NUMBER_MISSING", _I, _WARN, "", "insurance_number",
        "Thiếu mã số BHXH", "No insurance number recorded",
    ),
    MismatchCode(
        "INSURANCE_NUMBER_INVALID", _I, _WARN, "051", "insurance_number",
        "Mã số BHXH không hợp lệ", "Insurance number is malformed",
    ),
    MismatchCode(
        "INSURANCE_NUMBER_SHARED", _I, _ERR, "", "insurance_number",
        "Nhiều hồ sơ dùng chung một mã số BHXH", "Several records carry this insurance number",
    ),
    MismatchCode(
        "CARD_CONFLICT", _I, _WARN, "051", "health_card_number",
        "Số thẻ BHYT không khớp mã số BHXH", "Health card and insurance number disagree",
    ),
    MismatchCode(
        "NAME_FORMAT", _I, _INFO, "", "full_name",
        "Cùng tên, khác cách viết (dấu, hoa thường, bảng mã)",
        "Same name, other spelling (tone style, case, encoding)",
    ),
    MismatchCode(
        "NAME_UNACCENTED", _I, _WARN, "061", "full_name",
        "Tên ghi không dấu", "Name recorded without its accents",
    ),
    MismatchCode(
        "NAME_DIFFERENT", _C, _ERR, "060", "full_name",
        "Họ tên khác với CSDL dân cư", "Name differs from the population register",
    ),
    MismatchCode(
        "BIRTH_PARTIAL", _I, _WARN, "", "date_of_birth",
        "Ngày sinh thiếu ngày hoặc tháng", "Birth date is incomplete on one side",
    ),
    MismatchCode(
        "BIRTH_DIFFERENT", _C, _ERR, "070", "date_of_birth",
        "Ngày sinh khác với CSDL dân cư", "Birth date differs from the population register",
    ),
    MismatchCode(
        "GENDER_MISSING", _I, _WARN, "", "gender",
        "Thiếu giới tính", "Sex not recorded",
    ),
    MismatchCode(
        "GENDER_DIFFERENT", _I, _ERR, "08", "gender",
        "Giới tính khác với CSDL dân cư", "Sex differs from the population register",
    ),
    MismatchCode(
        "PROVINCE_DIFFERENT", _C, _INFO, "", "province_code",
        "Tỉnh tham gia khác tỉnh cư trú", "Province differs from the place of residence",
    ),
    MismatchCode(
        "DUPLICATE_INSURANCE", _I, _ERR, "", "record_id",
        "Một công dân có nhiều hồ sơ bảo hiểm", "One citizen has several insurance records",
    ),
    MismatchCode(
        "DECEASED_ACTIVE", _I, _ERR, "120", "status",
        "Người đã chết nhưng hồ sơ còn hiệu lực", "Deceased, yet the record is active",
    ),
    MismatchCode(
        "NOT_IN_POPULATION", _C, _ERR, "05", "record_id",
        "Không tìm thấy trong CSDL dân cư", "Not found in the population register",
    ),
    MismatchCode(
        "AMBIGUOUS", _I, _ERR, "09", "record_id",
        "Có nhiều khả năng, cần người xem xét", "Uncertain: a person must choose",
    ),
)  # fmt: skip

STATUS_LABELS: tuple[Label, ...] = (
    Label("VERIFIED", "Đã xác thực", "Verified: linked, all compared fields agree"),
    Label("MISMATCH", "Lệch thông tin", "Mismatch: linked, something to correct"),
    Label("REVIEW", "Cần xem xét", "Review: a person must choose"),
    Label("NOT_FOUND", "Không tìm thấy", "Not found in the population register"),
    Label("REJECTED", "Không dùng được", "Rejected: nothing usable to compare"),
)

STEP_LABELS: tuple[Label, ...] = (
    Label("steward", "Cán bộ quyết định", "A steward's decision"),
    Label("personal_id", "Số định danh", "Personal number, cross-checked"),
    Label("former_id", "Số cũ (CMND, số đã hủy)", "Former number, cross-checked"),
    Label("repaired_id", "Số sau một lần sửa", "Repaired number, full agreement"),
    Label("demographic", "Họ tên, ngày sinh, giới tính", "Name, birth date and sex, unique"),
    Label("probabilistic", "Bằng chứng tổng hợp", "Everything weighed together"),
    Label("unsettled", "Chưa xác định", "Unsettled by any step"),
)

REJECT_LABELS: tuple[Label, ...] = (
    Label("record_id_missing", "Thiếu khóa hồ sơ", "The row has no record id"),
    Label(
        "record_id_conflict",
        "Nhiều dòng khác nhau dùng chung một khóa",
        "Different rows share one record id: which is right cannot be told",
    ),
    Label(
        "row_repeated",
        "Dòng lặp lại y hệt, chỉ giữ một",
        "The same row again: one copy is kept, the others are set aside",
    ),
    Label(
        "nothing_to_compare",
        "Không đủ thông tin để so sánh (cần tên với ngày sinh hoặc địa chỉ, hoặc một số)",
        "Nothing usable to compare: needs a name with a birth date or an address, or a number",
    ),
    Label(
        "personal_id_invalid",
        "Số định danh của công dân không đủ 12 chữ số",
        "The citizen's personal number is not 12 digits",
    ),
    Label(
        "personal_id_conflict",
        "Nhiều công dân khác nhau dùng chung một số định danh",
        "Different citizens share one personal number: which is right cannot be told",
    ),
)


CORRECTION_LABELS: tuple[Label, ...] = (
    Label(
        "register_says",
        "CSDL dân cư là căn cứ (Nghị định 43/2021, Điều 7)",
        "The population register is the authority (Decree 43/2021 Art. 7)",
    ),
    Label(
        "number_of_another",
        "Số đã ghi là của một công dân khác",
        "The number that is recorded is another citizen's",
    ),
    Label(
        "number_of_nobody",
        "Nhiều người dùng chung số đã ghi, và số đó không phải của công dân nào",
        "Several people carry the number that is recorded, and it is no citizen's",
    ),
    Label(
        "deceased",
        "Người tham gia đã mất theo CSDL dân cư: dừng hồ sơ kể từ ngày mất",
        "The population register has the participant's death: end the record from that date",
    ),
    Label(
        "deceased_without_date",
        "Người tham gia đã mất theo CSDL dân cư, chưa ghi ngày mất: xác minh ngày rồi dừng hồ sơ",
        "The population register has the participant's death without its date: find the date, "
        "then end the record",
    ),
    Label(
        "keep_active",
        "hồ sơ được giữ còn hiệu lực",
        "the record to keep is active",
    ),
    Label(
        "keep_not_ended",
        "hồ sơ kia đã dừng, hồ sơ được giữ thì không",
        "the other record has ended and the record to keep has not",
    ),
    Label(
        "keep_compulsory",
        "hồ sơ được giữ đang tham gia BHXH bắt buộc",
        "the record to keep is in compulsory social insurance",
    ),
    Label(
        "keep_more_schemes",
        "hồ sơ được giữ tham gia nhiều loại bảo hiểm hơn",
        "the record to keep is in more schemes",
    ),
    Label(
        "keep_with_number",
        "hồ sơ được giữ có mã số BHXH của riêng người này",
        "the record to keep has an insurance number that is this person's alone",
    ),
    Label(
        "keep_personal_number",
        "mã số BHXH của hồ sơ được giữ chính là số định danh cá nhân",
        "the insurance number of the record to keep is the personal number",
    ),
    Label(
        "keep_found_by_number",
        "hồ sơ được giữ ghi đúng số của công dân, hoặc cán bộ đã xác nhận",
        "the record to keep carries the citizen's number, or a steward confirmed it",
    ),
    Label(
        "keep_latest",
        "hồ sơ được giữ được cập nhật gần đây nhất",
        "the record to keep was changed last",
    ),
    Label(
        "keep_decided",
        "cán bộ đã quyết định giữ hồ sơ này",
        "a person decided which record to keep",
    ),
    Label(
        "keep_first_id",
        "các hồ sơ ngang nhau, giữ hồ sơ có khóa đứng trước",
        "the records are equal, so the one whose id comes first is kept",
    ),
    Label(
        "number_of_kept",
        "Mỗi người một mã số BHXH: dùng mã số được giữ",
        "One person has one insurance number: the one that is kept",
    ),
    Label(
        "card_of_another",
        "Số trên thẻ là mã số BHXH của người khác",
        "The number on the card is the insurance number of another person",
    ),
    Label(
        "number_of_another_record",
        "Mã số BHXH đã ghi cũng có ở hồ sơ của người khác, số trên thẻ thì không",
        "The recorded insurance number is also in another person's record, the card's number is "
        "not",
    ),
    Label(
        "look_both_elsewhere",
        "Cần người xem xét: cả số trên thẻ và mã số BHXH đều có ở hồ sơ của người khác",
        "A person must look: the card's number and the insurance number are both in other people's "
        "records",
    ),
    Label(
        "look_at_card",
        "Cần người xem xét: đối chiếu thẻ với hồ sơ, không có căn cứ để biết số nào đúng",
        "A person must look at card and file: nothing tells which of the two numbers is right",
    ),
    Label(
        "number_on_card",
        "Số trên thẻ BHYT của hồ sơ, không hồ sơ nào khác ghi số này",
        "The number on the record's health card, which no other record carries",
    ),
    Label(
        "personal_number_replaces",
        "Từ 1/8/2025 số định danh cá nhân thay mã số BHXH (công văn 1804/BHXH-QLT)",
        "Since 1/8/2025 the personal number replaces the insurance number (letter 1804/BHXH-QLT)",
    ),
    Label(
        "look_number_of_several",
        "Cần người xem xét: hồ sơ của nhiều người dùng chung mã số BHXH này",
        "A person must look: records of different people carry this insurance number",
    ),
    Label(
        "look_same_person",
        "Cần người xem xét: các hồ sơ cùng mã số là của một người, gộp hồ sơ thì hết trùng",
        "A person must look: the records with this number are one person's: merge them",
    ),
    Label(
        "look_for_the_citizen",
        "Cần người xem xét: chưa biết là công dân nào, đề nghị người tham gia xuất trình CCCD",
        "A person must look: whose record it is is not known; ask the participant for the identity "
        "card",
    ),
    Label(
        "look_at_candidates",
        "Cần người xem xét: chọn công dân trong danh sách đề cử, rồi mới biết giá trị đúng",
        "A person must look: choose among the candidates; then the right value is known",
    ),
    Label(
        "look_birth_incomplete",
        "Cần người xem xét: CSDL dân cư không đủ ngày sinh, xem giấy khai sinh, báo công an xã",
        "A person must look: the population register's own birth date is incomplete; compare the "
        "birth certificate and tell the police of the commune",
    ),
    Label(
        "look_register_lacks",
        "Cần người xem xét: CSDL dân cư cũng thiếu thông tin này, báo công an xã bổ sung",
        "A person must look: the population register lacks it, too; tell the police of the commune",
    ),
)
"""Why a correction is proposed; those that begin with ``look_`` leave the choice to a person."""


REASON_LABELS: tuple[Label, ...] = (
    Label("agrees", "mọi điều cần khớp đều khớp", "all that must agree agrees"),
    Label(
        "nobody_else",
        "số, ngày sinh và giới tính đều khớp, họ tên chỉ khác ở tên gọi, "
        "và không hồ sơ nào khác là của công dân này",
        "number, birth date and sex agree, only the given name differs, "
        "and no other record is this citizen's",
    ),
    Label(
        "repaired_number",
        "số phải sửa mới đọc được và không phải mọi điều đều khớp: "
        "được cân nhắc cùng các bằng chứng khác",
        "the number had to be repaired and not all agrees: it is weighed with all other evidence",
    ),
    Label("overwhelming", "bằng chứng áp đảo", "the evidence is overwhelming"),
    Label("decided", "cán bộ đã quyết định", "a steward decided so"),
    Label(
        "decisions_contradict",
        "hai quyết định cùng lúc nói khác nhau, cần quyết định lại",
        "two decisions of one moment say different things: decide again",
    ),
    Label(
        "decision_outdated",
        "dữ liệu đã thay đổi sau quyết định của cán bộ, cần xem lại",
        "the data have changed since a person decided: look again",
    ),
    Label(
        "citizen_gone",
        "công dân không còn trong CSDL dân cư",
        "the citizen is no longer registered",
    ),
    Label(
        "decided_not",
        "cán bộ đã quyết định không phải người này",
        "a person decided that it is not this citizen",
    ),
    Label(
        "near_twin",
        "tên gọi khác và cũng là một tên thường dùng: có thể là người song sinh chưa đăng ký",
        "the given name differs and is a name in use: it may be a twin who is not registered",
    ),
    Label(
        "several_citizens",
        "có người khác cũng khớp gần như vậy",
        "somebody else fits nearly as well",
    ),
    Label(
        "several_records",
        "có hồ sơ khác cũng khớp với công dân này",
        "another record fits this citizen as well",
    ),
    Label(
        "citizen_already_linked",
        "công dân này đã có hồ sơ khác",
        "another record is already linked to this citizen",
    ),
    Label(
        "common_name",
        "tên quá phổ biến: có thể chỉ là trùng hợp",
        "the name is so common that this may be chance",
    ),
    Label(
        "partial_agreement",
        "chỉ khớp một phần, chưa đủ để tự động ghép",
        "only some of it agrees: not enough to link without a person",
    ),
    Label(
        "weak_evidence",
        "bằng chứng chưa đủ mạnh để tự động ghép",
        "the evidence is not strong enough to link without a person",
    ),
    Label(
        "somebody_fits_better",
        "có người khác mang đúng họ tên và ngày sinh đã ghi",
        "somebody else carries exactly the recorded name and birth date",
    ),
    Label("looks_different", "người này trông khác hẳn", "that person looks different"),
)
"""Why a citizen who was found is linked, sent to a person, or not linked; parts of a sentence."""

FIELD_LABELS: tuple[Label, ...] = (
    Label("full_name", "Họ và tên", "Full name"),
    Label("date_of_birth", "Ngày sinh", "Birth date"),
    Label("gender", "Giới tính", "Sex"),
    Label("id_number", "Số định danh/CCCD/CMND", "Identity number"),
    Label("insurance_number", "Mã số BHXH", "Insurance number"),
    Label("health_card_number", "Số thẻ BHYT", "Health card number"),
    Label("province_code", "Tỉnh, thành phố", "Province"),
    Label("record_id", "Hồ sơ", "Record"),
    Label("status", "Tình trạng", "Status"),
)
"""The field that a mismatch or a correction is about."""

ROUTE_LABELS: tuple[Label, ...] = (
    Label("insurance", "Cơ quan BHXH", "The insurance office"),
    Label(
        "police",
        "Công an cấp xã nơi cư trú (Nghị định 70/2024, Điều 6)",
        "The police of the commune of residence (Decree 70/2024 Art. 6)",
    ),
    Label("citizen", "Người tham gia xuất trình giấy tờ", "The participant, who brings papers"),
)
"""Who can correct a row of a worklist."""

WORKLIST_STATUS_LABELS: tuple[Label, ...] = (
    Label("sent", "Đã gửi, còn trong hạn", "Sent, not due yet"),
    Label("answered", "Đã trả lời", "Answered"),
    Label("corrected", "Đã sửa tại nguồn, không còn lệch", "Corrected at the source"),
    Label("open", "Quá hạn, chưa trả lời", "Past due and not answered"),
)
"""The state of a row of a worklist."""

ANSWER_LABELS: tuple[Label, ...] = (
    Label("confirmed", "Đúng là người này", "It is this citizen"),
    Label("link_1", "Là ứng viên 1", "It is candidate 1"),
    Label("link_2", "Là ứng viên 2", "It is candidate 2"),
    Label("link_3", "Là ứng viên 3", "It is candidate 3"),
    Label(
        "other_citizen",
        "Là công dân khác (ghi số định danh)",
        "It is another citizen (write the personal number)",
    ),
    Label("not_this_citizen", "Không phải người này", "It is not this citizen"),
    Label("no_candidate", "Không phải ứng viên nào", "It is none of the candidates"),
    Label("not_a_person", "Hồ sơ không phải của công dân nào", "The record is no citizen's"),
    Label("keep_this_record", "Giữ hồ sơ này", "Keep this record"),
    Label("corrected_at_source", "Đã sửa tại nguồn", "Corrected in the register"),
    Label(
        "cannot_be_settled",
        "Chưa giải quyết được (ghi lý do)",
        "Cannot be settled (write why)",
    ),
)
"""What an office may answer on a row of a worklist."""

NO_REMEDY = Label("none", "Để biết, không cần sửa", "For information: nothing to correct")

LABELS: dict[str, tuple[Label, ...]] = {
    "mismatch": tuple(Label(m.code, m.vi, m.en) for m in MISMATCH_CODES),
    "status": STATUS_LABELS,
    "step": STEP_LABELS,
    "reject": REJECT_LABELS,
    "remedy": (*CORRECTION_LABELS, NO_REMEDY),
    "reason": REASON_LABELS,
    "field": FIELD_LABELS,
    "route": ROUTE_LABELS,
    "worklist_status": WORKLIST_STATUS_LABELS,
    "answer": ANSWER_LABELS,
}
"""Every labelled code of the system, by kind."""


def labels() -> dict[str, Label]:
    """Returns every labelled code, by code; no two kinds share one."""
    return {label.code: label for kind in LABELS.values() for label in kind}


NameLevel = Literal[
    "same",
    "format",
    "iy_variant",
    "unaccented",
    "accents_differ",
    "middle_missing",
    "abbreviated",
    "reordered",
    "one_edit",
    "similar",
    "given_shared",
    "surname_shared",
    "different",
    "missing",
]
"""How two names agree. Each level is explained, with an example, in docs/normalisation.md."""

BirthLevel = Literal[
    "same",
    "same_partial",
    "consistent",
    "filler",
    "day_month_swapped",
    "year_off_by_one",
    "one_digit",
    "part_shared",
    "different",
    "missing",
]
"""How two birth dates agree."""

GenderLevel = Literal["same", "different", "missing"]
"""How two sexes agree."""

# The best level comes first. ``etl.normalise.compare`` is the readable reference of the levels; the
# macros ``name_agreement``, ``birth_agreement`` and ``gender_agreement`` compute the same for whole
# tables, and tests/unit/test_agreement.py checks that both agree.
NAME_LEVELS: tuple[NameLevel, ...] = get_args(NameLevel)
BIRTH_LEVELS: tuple[BirthLevel, ...] = get_args(BirthLevel)
GENDER_LEVELS: tuple[GenderLevel, ...] = get_args(GenderLevel)

PLACE_LEVELS = ("same", "different", "missing")
"""How two provinces agree; decided by the macro ``place_agreement``."""

ADDRESS_LEVELS = ("same", "near", "partly", "different", "missing")
"""How two addresses agree, best first; decided by the macro ``address_agreement``."""

NUMBER_LEVELS = ("same", "one_edit", "different", "missing")
"""How a record's numbers and a citizen's agree; decided by the macro ``number_agreement``."""
