"""A record's story in words, for a person who knows no statistics.

Belongs here: which sentences express what was found. Does not belong here: finding it
(``etl/explain/gather.py``), the sentences' fixed parts (``etl/domain/words.py``), and layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from etl.domain import codes
from etl.domain import words as said
from etl.domain.words import Words
from etl.explain.gather import COMPARISONS, Person, Row, Story, Tried
from etl.normalise import describe

Side = Literal["for", "against", "partly", "nothing"]


@dataclass(frozen=True)
class Field:
    """One field: as recorded, as understood, and what was done to it."""

    field: str
    label: Words
    recorded: str
    understood: Words
    notes: tuple[Words, ...]


@dataclass(frozen=True)
class Step:
    """One step: its name, how it ended, and what it found."""

    step: str
    label: Words
    outcome: str
    ended: Words
    found: tuple[Words, ...]


@dataclass(frozen=True)
class Evidence:
    """What one comparison says for or against a citizen."""

    comparison: str
    side: Side
    label: Words
    level: Words
    strength: Words


@dataclass(frozen=True)
class Candidate:
    """A citizen, with the evidence and the conclusion."""

    rank: int
    title: Words
    facts: tuple[tuple[Words, Words], ...]
    evidence: tuple[Evidence, ...]
    conclusion: tuple[Words, ...]


@dataclass(frozen=True)
class Wrong:
    """A mismatch: what it is, how much it matters, who puts it right."""

    code: str
    severity: str
    label: Words
    matters: Words
    owner: Words
    recorded: str
    population: str


@dataclass(frozen=True)
class Proposal:
    """What to write where, and why; a dash is proposed where a person must look."""

    label: Words
    recorded: str
    proposed: str
    because: Words


@dataclass(frozen=True)
class Decided:
    """What a person decided, who and why, and whether it counts."""

    what: Words
    who: str
    why: str
    counts: Words


@dataclass(frozen=True)
class Telling:
    """The whole story in words."""

    status: str
    verdict: Words
    because: tuple[Words, ...]
    fields: tuple[Field, ...]
    decisions: tuple[Decided, ...]
    steps: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    mismatches: tuple[Wrong, ...]
    corrections: tuple[Proposal, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns the words as plain values, for JSON: each text as vi and en."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Words):
        return value._asdict()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def tell(story: Story) -> Telling:
    """Puts a story into words."""
    labels = codes.labels()
    return Telling(
        status=story.status,
        verdict=Words(labels[story.status].vi, labels[story.status].en),
        because=tuple(_because(story)),
        fields=tuple(_fields(story)),
        decisions=tuple(map(_decided, story.decisions)),
        steps=tuple(_step(tried, story) for tried in story.steps),
        candidates=tuple(_candidate(person, story) for person in story.people),
        mismatches=tuple(_wrong(row) for row in story.mismatches),
        corrections=tuple(map(_proposal, story.corrections)),
    )


def text(value: object, field: str = "") -> str:
    """Writes a value for a person: dates as they are written here, nothing as a dash."""
    if value is None or value == "":
        return "—"
    if isinstance(value, datetime):
        return f"{value:%d/%m/%Y %H:%M:%S}"
    if isinstance(value, date):
        return f"{value:%d/%m/%Y}"
    if field == "gender" and str(value) in said.GENDERS:
        return said.GENDERS[str(value)].vi
    if field == "date_of_birth" and len(str(value)) == 10 and str(value)[4] == "-":
        return "/".join(reversed(str(value).split("-")))
    return str(value)


# --- the verdict -------------------------------------------------------------------------------


def _because(story: Story) -> Iterator[Words]:
    """Says in a sentence or two why the status is what it is."""
    if story.status == codes.Status.REVIEW:
        yield Words(
            f"Có {len(story.people)} công dân có thể là người này; cần một người lựa chọn.",
            f"{_people(len(story.people))} may be this person; somebody must choose.",
        )
    elif story.status == codes.Status.NOT_FOUND:
        yield Words(
            "Không bước nào tìm được công dân đủ giống.",
            "No step found a citizen who comes near enough.",
        )
    elif story.match_step:
        step = codes.labels()[story.match_step]
        yield Words(
            f"Đã ghép với một công dân ở bước “{step.vi}”.",
            f"Linked to a citizen at the step “{step.en}”.",
        )
    if story.status == codes.Status.MISMATCH:
        yield Words("Có thông tin cần sửa, xem bên dưới.", "Something is to be corrected, below.")
    for reject in story.rejects:
        label = codes.labels()[reject["reason"]]
        many = f" ({reject['rows']})" if reject["rows"] > 1 else ""
        yield Words(f"{label.vi}{many}.", f"{label.en}{many}.")


def _people(number: int) -> str:
    return "1 citizen" if number == 1 else f"{number} citizens"


# --- the fields --------------------------------------------------------------------------------


def _fields(story: Story) -> Iterator[Field]:
    for recorded in story.recorded:
        for name, value in recorded.items():
            yield Field(
                name,
                said.FIELDS[name],
                text(value),
                _understood(name, story.understood),
                tuple(
                    Words(describe(code, "vi"), describe(code, "en"))
                    for code in story.notes.get(name, ())
                ),
            )


def _understood(field: str, row: Row | None) -> Words:
    """Says what a field was understood to be."""
    if row is None:
        return Words("—", "—")
    special: dict[str, Callable[[], Words | None]] = {
        "gender": lambda: said.GENDERS.get(row["gender"]),
        "date_of_birth": lambda: born(row),
        "id_number": lambda: _candidates_of_number(row),
        "insurance_number": lambda: _personal_number(row),
        "health_card_number": lambda: _alike(
            " ".join(filter(None, (row["card_code"], row["card_insurance_number"])))
        ),
        "province_code": lambda: _alike(row["province"]),
    }
    found = special[field]() if field in special else None
    if found is None and isinstance(row.get(field), bool):
        return Words("có", "yes") if row[field] else Words("không", "no")
    return found or _alike(row.get(field) if field != "gender" else None)


def _alike(value: object) -> Words:
    """A value that is the same in both languages."""
    return Words(text(value), text(value))


def _candidates_of_number(row: Row) -> Words | None:
    several = row["id_candidates"].replace(";", ", ")
    return Words(f"có thể là {several}", f"could be {several}") if several else None


def _personal_number(row: Row) -> Words | None:
    number = row["insurance_personal_id"]
    return Words(f"{number} (số định danh)", f"{number} (a personal number)") if number else None


def born(row: Row) -> Words:
    """Says a birth date and how much of it is known."""
    if row["birth_year"] is None:
        return Words("—", "—")
    shown = {
        "day": text(row["birth_date"]),
        "month": f"{row['birth_month'] or 0:02d}/{row['birth_year']}",
        "year": str(row["birth_year"]),
    }[row["birth_precision"]]
    if row["birth_precision"] == "day":
        return Words(shown, shown)
    precision = said.PRECISION[row["birth_precision"]]
    return Words(f"{shown} ({precision.vi})", f"{shown} ({precision.en})")


# --- the steps ---------------------------------------------------------------------------------

_ENDED = {
    "linked": Words("đã ghép, dừng ở đây", "linked: it stops here"),
    "review": Words("cần người lựa chọn, dừng ở đây", "a person must choose: it stops here"),
    "decided": Words(
        "cán bộ quyết định không phải của ai, dừng ở đây",
        "a steward decided that it is nobody's: it stops here",
    ),
    "went_on": Words("đi tiếp", "it goes on"),
    "not_reached": Words("không cần đến", "not needed"),
}

_STEWARD = {
    "none": Words("Cán bộ: không phải của công dân nào.", "A steward: it is no citizen's."),
    "citizen_gone": Words(
        "Công dân mà cán bộ đã chọn không còn trong CSDL dân cư.",
        "The citizen whom a steward chose is no longer in the population register.",
    ),
    "decision_outdated": Words(
        "Cán bộ: không phải của công dân nào; nhưng hồ sơ đã thay đổi sau đó, nên được tìm lại.",
        "A steward: it is no citizen's; but the record has changed since, so all steps look again.",
    ),
    "decisions_contradict": Words(
        "Hai quyết định cùng lúc nói khác nhau, cần quyết định lại.",
        "Two decisions of one moment say different things: decide again.",
    ),
}

_NO_STEP_LEFT = Words("không tìm thấy, hết các bước", "nothing found, and no step is left")

_NOTHING_TO_LOOK_WITH = {
    "personal_id": Words(
        "Hồ sơ không có số định danh 12 chữ số dùng được.",
        "The record has no usable 12-digit number.",
    ),
    "former_id": Words("Hồ sơ không có số nào để tra.", "The record has no number to look up."),
    "repaired_id": Words(
        "Không có số nào cần sửa, và đổi một chữ số cũng không ra người cùng họ tên, ngày sinh.",
        "No number needed a repair, nor does one digit lead to somebody of this name and birth.",
    ),
}

_NOTHING_FOUND = {
    "steward": Words(
        "Chưa có cán bộ nào quyết định về hồ sơ này.", "No steward has decided on this record."
    ),
    "personal_id": Words(
        "Không công dân nào mang số này.", "The number is no citizen's personal number."
    ),
    "former_id": Words(
        "Không công dân nào từng mang số này.", "No citizen is known to have carried the number."
    ),
    "repaired_id": Words(
        "Số sau khi sửa không phải của công dân nào.", "The repaired number is no citizen's."
    ),
    "demographic": Words(
        "Không công dân nào có cùng họ tên và ngày sinh đầy đủ.",
        "No citizen has this name and this full birth date.",
    ),
    "probabilistic": Words(
        "Không công dân nào đủ gần để cân nhắc.", "No citizen comes near enough to be weighed."
    ),
}

_CROWD = Words(
    "Quá nhiều công dân có cùng họ tên và ngày sinh này: không thể biết là ai.",
    "So many citizens have this name and this full birth date that they tell nobody apart.",
)

_FILLER = Words(
    "Quá nhiều công dân khai số này: không thể biết là ai.",
    "So many citizens list the number that it tells nobody apart.",
)

_NO_NAME = Words("Hồ sơ không có họ tên dùng được.", "The record has no usable name.")


def _step(tried: Tried, story: Story) -> Step:
    label = codes.labels()[tried.step]
    is_last = tried is story.steps[-1] and tried.outcome == "went_on"
    return Step(
        tried.step,
        Words(label.vi, label.en),
        tried.outcome,
        _NO_STEP_LEFT if is_last else _ENDED[tried.outcome],
        tuple(dict.fromkeys(_found(tried, story))),
    )


def _found(tried: Tried, story: Story) -> Iterator[Words]:
    if tried.outcome == "not_reached":
        return
    if not tried.looked and not tried.pairs and tried.step != "steward":
        yield _NOTHING_TO_LOOK_WITH.get(tried.step, _NO_NAME)
    elif not tried.pairs:
        by_filler = tried.step != "personal_id" and any(n["is_filler"] for n in tried.numbers)
        yield _FILLER if by_filler else _NOTHING_FOUND[tried.step]
    elif tried.step == "probabilistic":
        yield from _weighed(tried, story)
    else:
        for pair in tried.pairs:
            yield _pair(tried.step, pair)


def _weighed(tried: Tried, story: Story) -> Iterator[Words]:
    number = len(tried.pairs)
    yield Words(
        f"Đã cân nhắc mọi bằng chứng với {number} công dân.",
        f"All evidence was weighed for {_people(number)}.",
    )
    if tried.outcome == "went_on" and story.weighed["best"] is not None:
        best = said.chance(story.weighed["best"])
        yield Words(
            f"Người gần nhất: khả năng {best.vi}, quá thấp để nêu tên ai.",
            f"The nearest: {best.en}, too little to name anybody.",
        )
    for pair in tried.pairs:
        if pair["verdict"] in ("link", "review"):
            yield _pair(tried.step, pair)


def _pair(step: str, pair: Row) -> Words:
    """Says what came of one citizen that a step found, without saying who that is."""
    if pair["reason"] == "too_many_citizens":
        return _CROWD
    agreeing = _agreement(pair)
    reason = said.REASONS[pair["reason"]]
    if step == "steward" and pair["verdict"] in ("none", "other"):
        return _STEWARD["none" if pair["verdict"] == "none" else pair["reason"]]
    if pair["verdict"] == "link":
        if step == "probabilistic":
            reason = said.REASONS["overwhelming"]
        return Words(
            f"Tìm thấy một công dân: {agreeing.vi}. Ghép, vì {reason.vi}.",
            f"One citizen found: {agreeing.en}. Linked, because {reason.en}.",
        )
    if pair["verdict"] == "review":
        return Words(
            f"Một công dân có thể là người này: {agreeing.vi}. Không tự động ghép: {reason.vi}.",
            f"One citizen may be this person: {agreeing.en}. Not linked by itself: {reason.en}.",
        )
    by_number = step in ("personal_id", "former_id", "repaired_id")
    if by_number and pair["reason"] != "repaired_number":
        return _other_person(pair, agreeing)
    return Words(
        f"Một công dân khớp ({agreeing.vi}), nhưng {reason.vi}.",
        f"One citizen agrees ({agreeing.en}), but {reason.en}.",
    )


def _other_person(pair: Row, agreeing: Words) -> Words:
    """Says that a number is somebody else's: how the fields differ, never what they are."""
    if pair["reason"] == "somebody_fits_better":
        return Words(
            f"Người mang số này có thể là người này ({agreeing.vi}), nhưng có một công dân khác "
            "mang đúng họ tên và ngày sinh đã ghi: có thể là một trong hai.",
            f"The number's owner may be this person ({agreeing.en}), but another citizen carries "
            "exactly the recorded name and birth date: either may be meant.",
        )
    if pair["reason"] == "partial_agreement":
        return Words(
            f"Số này cũng là của một người khớp ít hơn ({agreeing.vi}).",
            f"The number is also that of somebody who agrees less ({agreeing.en}).",
        )
    return Words(
        f"Số này thuộc về người khác: {agreeing.vi}. Người đó không được nêu tên.",
        f"The number belongs to somebody else: {agreeing.en}. That person is not named.",
    )


def _agreement(pair: Row) -> Words:
    parts = [
        (said.COMPARED[name], said.LEVELS[name, str(pair[f"{name}_agreement"])])
        for name in ("name", "birth", "gender")
    ]
    return Words(
        "; ".join(f"{label.vi.lower()} {level.vi}" for label, level in parts),
        "; ".join(f"{label.en.lower()} {level.en}" for label, level in parts),
    )


# --- the candidates ----------------------------------------------------------------------------


def _candidate(person: Person, story: Story) -> Candidate:
    title = (
        Words("Công dân đã ghép", "The citizen it is linked to")
        if person.rank == 0
        else Words(f"Ứng viên {person.rank}", f"Candidate {person.rank}")
    )
    return Candidate(
        person.rank,
        title,
        tuple(_facts(person.citizen)),
        tuple(_evidence(person)),
        tuple(_conclusion(person, story)),
    )


def _facts(citizen: Row) -> Iterator[tuple[Words, Words]]:
    for field in ("personal_id", "full_name"):
        yield said.FIELDS[field], _alike(citizen[field])
    yield said.FIELDS["date_of_birth"], born(citizen)
    yield said.FIELDS["gender"], said.GENDERS.get(citizen["gender"], Words("—", "—"))
    yield said.FIELDS["province_code"], _alike(citizen["province"])
    yield said.FIELDS["address"], _alike(citizen["address"])
    yield said.FIELDS["status"], _citizen_status(citizen)


def _citizen_status(citizen: Row) -> Words:
    """Says whether a citizen is alive, or quotes the register's status if it was not understood."""
    if citizen["status"] == "deceased":
        died = text(citizen["date_of_death"])
        return Words(f"đã mất, {died}", f"deceased, {died}")
    recorded = citizen["recorded_status"]
    if citizen["status_unread"]:
        return Words(f"{recorded} ({said.UNREAD.vi})", f"{recorded} ({said.UNREAD.en})")
    if not recorded:
        return _alike(None)
    meaning = said.CITIZEN_STATUS[citizen["status"]]
    if citizen["status"] == "other":
        return Words(f"{recorded} ({meaning.vi})", f"{recorded} ({meaning.en})")
    return meaning


def _evidence(person: Person) -> Iterator[Evidence]:
    for name in COMPARISONS:
        if name not in person.levels:
            continue
        level = person.levels[name]
        weighs = person.weights[name] if person.weights else None
        yield Evidence(
            name,
            _side(level, weighs, weighed=person.weights is not None),
            said.COMPARED[name],
            said.LEVELS[name, level],
            said.strength(weighs) if person.weights else Words("", ""),
        )


def _side(level: str, weighs: float | None, *, weighed: bool) -> Side:
    if level in ("missing", "unread"):
        return "nothing"
    if weighed:
        if weighs is None or abs(weighs) < 0.58:
            return "nothing"
        return "for" if weighs > 0 else "against"
    if level in said.AGREEING:
        return "for"
    return "against" if level in said.CONTRADICTING else "partly"


def _conclusion(person: Person, story: Story) -> Iterator[Words]:
    if person.prior_weight is not None:
        register = said.count(story.citizens)
        yield Words(
            f"Trước khi so sánh, mỗi người trong {register.vi} công dân đều có thể là người này.",
            f"Before comparing, any of {register.en} citizens could be this person.",
        )
    if person.match_probability is not None:
        likely = said.chance(person.match_probability)
        yield Words(
            "Sau khi so sánh, cả với những công dân gần giống khác và với khả năng người này "
            f"không có trong CSDL dân cư, khả năng là cùng một người: {likely.vi}.",
            "After comparing, and allowing for other similar citizens and for a person who is not "
            f"in the register, the probability of one and the same person: {likely.en}.",
        )
        if not story.model_is_trained:
            yield said.UNTRAINED
    reason = said.REASONS[person.reason]
    if person.reason == "weak_evidence":
        allowed = said.count(1_000_000 // max(story.wrong_links_per_million, 1))
        yield Words(
            "Không tự động ghép: muốn tự động thì chỉ được phép sai tối đa 1 trên "
            f"{allowed.vi} lần.",
            "Not linked without a person: a link by itself may be wrong at most once in "
            f"{allowed.en}.",
        )
    elif person.rank:
        yield Words(
            f"Không tự động ghép: {reason.vi}.", f"Not linked without a person: {reason.en}."
        )


# --- what is wrong -----------------------------------------------------------------------------


def _wrong(row: Row) -> Wrong:
    label = codes.labels()[row["code"]]
    return Wrong(
        row["code"],
        row["severity"],
        Words(label.vi, label.en),
        said.SEVERITIES[row["severity"]],
        said.OWNERS[row["owner"]],
        text(row["insurance_value"], row["field"]),
        text(row["population_value"], row["field"]),
    )


def _proposal(row: Row) -> Proposal:
    reason = codes.labels()[row["reason"]]
    because = Words(reason.vi, reason.en)
    if row["code"] == "DUPLICATE_INSURANCE" and row["field"] == "record_id":
        because = said.keep(row["recorded_value"], row["proposed_value"], because)
    elif row["evidence"]:
        evidence = text(row["evidence"], "date_of_birth")
        because = Words(f"{because.vi} ({evidence})", f"{because.en} ({evidence})")
    return Proposal(
        said.FIELDS[row["field"]],
        text(row["recorded_value"], row["field"]),
        text(row["proposed_value"], row["field"]),
        because,
    )


def _decided(row: Row) -> Decided:
    whom = row["personal_id"] or row["kept_record_id"] or ""
    said_vi, said_en = said.DECISIONS[row["verdict"]]
    return Decided(
        Words(said_vi.format(whom), said_en.format(whom)),
        f"{row['decided_by']}, {row['decided_at']}",
        row["reason"],
        said.DECISION_STATES[row["state"]],
    )
