"""One record's story, gathered from the warehouse: what ``doisoat explain`` tells.

Belongs here: reading everything that the last run knew and decided of one record. Does not belong
here: words (``tell.py``), layout (``text.py``, ``page.py``), and any decision: the story only
repeats what the statements in ``etl/reconcile/sql`` found.

Of a citizen who is neither linked to the record nor a candidate for it, it reads only how the
fields agree: no name, no number, no date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from etl.clean.dictionaries import refusal
from etl.domain.codes import MatchStep
from etl.domain.contract import INSURANCE
from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.places import LOOKED_UP, focus_on_citizens, focus_on_record
from etl.pipeline.snapshots import has, reading
from etl.reconcile.model import is_trained
from etl.settings import Settings
from etl.state.access import log_access
from etl.state.decisions import Decision, standing_decisions

Row = dict[str, Any]
Outcome = Literal["linked", "review", "decided", "went_on", "not_reached"]

COMPARISONS = ("name", "birth", "gender", "place", "address", "number")
"""What is compared, in the order in which it is told."""

_NUMBER_STEPS = ("personal_id", "former_id", "repaired_id")


@dataclass(frozen=True)
class Tried:
    """One step of the waterfall.

    Attributes:
        step: As in ``etl.domain.codes.MatchStep``.
        outcome: How it ended for the record; ``decided`` where a steward said that the record is
            nobody's.
        numbers: The recorded numbers that this step looked up, each with its field.
        pairs: How the record agrees with each citizen found here, and the verdict; never who that
            is.
        looked: Whether the record has what the step looks up (a name, a number of this kind).
    """

    step: str
    outcome: Outcome
    numbers: tuple[Row, ...]
    pairs: tuple[Row, ...]
    looked: bool


@dataclass(frozen=True)
class Person:
    """A citizen whom the record is linked to, or may be.

    Attributes:
        rank: Among the candidates; 0 for the citizen that the record is linked to.
        match_step: The step that found this citizen.
        reason: Why this citizen is not simply linked; ``agrees`` for the one that is linked.
        citizen: What the population register says.
        levels: How each comparison agrees, where it was made.
        weights: What each comparison weighs, in bits; None where the step weighs nothing.
        prior_weight: The weight before anything is compared.
        match_weight: All of them together.
        match_probability: How probable it is that this is the person, among all that are near.
    """

    rank: int
    match_step: str
    reason: str
    citizen: Row
    levels: dict[str, str]
    weights: dict[str, float | None] | None
    prior_weight: float | None
    match_weight: float | None
    match_probability: float | None


@dataclass(frozen=True)
class Story:
    """Everything that the last run knew of one record.

    Attributes:
        recorded: The rows of the source with this record id, as they were read.
        understood: The row of ``clean.insurance``; None where it could not be used.
        notes: What was done to each field, or why it could not be read: codes for
            ``etl.normalise.describe``, by contract column.
        decisions: What people decided on the record and did not take back, the last first;
            ``state`` says whether a decision stands, or why not, or that it is ``new`` since the
            run.
        weighed: How many citizens the probabilistic step weighed, and the best probability.
        citizens: Citizens in the population register.
        wrong_links_per_million: How many links that no person checks may be wrong.
        model_is_trained: Whether the linkage model has learnt from these registers.
    """

    run_id: str
    record_id: str
    record_key: str
    status: str
    match_step: str | None
    recorded: tuple[Row, ...]
    understood: Row | None
    notes: dict[str, tuple[str, ...]]
    steps: tuple[Tried, ...]
    people: tuple[Person, ...]
    weighed: Row
    mismatches: tuple[Row, ...]
    corrections: tuple[Row, ...]
    rejects: tuple[Row, ...]
    decisions: tuple[Row, ...]
    citizens: int
    wrong_links_per_million: int
    model_is_trained: bool

    def as_dict(self) -> dict[str, Any]:
        """Returns the story as plain values, for JSON."""
        return asdict(self)


_TOLD = tuple(TableName("core", name) for name in ("reconciled", "near_scores", "corrections"))
"""The last-built tables of a story: a snapshot that has them has all others, too."""


_READ = frozenset(
    {
        *LOOKED_UP,
        *map(
            TableName.parse,
            ("raw.insurance", "raw.population", "clean.vocabularies", "ref.provinces",
             "ref.match_model", "ops.parameters", "ops.decisions", "core.decided",
             "core.held_back", "core.register_size"),
        ),
    }
)  # fmt: skip
"""All tables from which a story is told."""


def read_story(
    settings: Settings, *, record_id: str | None, record_key: str | None, command: str
) -> Story:
    """Gathers the story of one record, and writes this into the access log.

    Args:
        settings: Which warehouse.
        record_id: The record's id in the insurance register, or None.
        record_key: Its pseudonym, where the id is not given.
        command: What the access log says was done.

    Raises:
        ConfigError: Nothing has been reconciled yet, or no record is called that.
    """
    with reading(settings, has(*_TOLD), _READ) as warehouse:
        try:
            focus_on_record(warehouse, record_id=record_id, record_key=record_key)
            verdict = find_verdict(warehouse, record_id, record_key)
            log_access(settings, [verdict["record_key"]], command)
            made = standing_decisions(settings, verdict["record_id"])
            return story_of(warehouse, settings, verdict, made)
        except warehouse.MISSING:
            raise ConfigError(
                "The warehouse was made by another version of doisoat, or its run broke off.",
                remedy="Run: doisoat sync",
            ) from None


def story_of(
    warehouse: Warehouse, settings: Settings, verdict: Row, made: Sequence[Decision]
) -> Story:
    """Gathers the story of a record whose verdict was found.

    Args:
        warehouse: A snapshot, or a desk that has the record.
        settings: In which time zone moments are told.
        verdict: What ``find_verdict`` returned.
        made: What people decided on it.
    """
    decisions = _decisions(warehouse, settings, verdict["record_id"], made)
    return replace(_gather(warehouse, verdict), decisions=decisions)


def find_verdict(warehouse: Warehouse, record_id: str | None, record_key: str | None = None) -> Row:
    """Finds the verdict on a record, by its id or its pseudonym.

    Raises:
        ConfigError: No record is called that. It does not repeat what was typed, which may be
            anything.
    """
    where, value = ("record_id = $it", record_id)
    if record_id is None:
        where, value = ("record_key(record_id) = $it", record_key)
    found = warehouse.rows(
        "select *, record_key(record_id) as record_key "  # noqa: S608 - one of two fixed texts
        f"from core.reconciled where {where} limit 1",
        {"it": value},
    )
    if not found:
        raise ConfigError(
            "The last finished run knows no such insurance record.",
            remedy="Give the record id exactly as in the insurance register, or --record-key with "
            "a key from a check of insurance records (a row of another table is shown by doisoat "
            "triage RULE --record KEY). A new record is known after: doisoat sync",
        )
    return found[0]


def _gather(warehouse: Warehouse, verdict: Row) -> Story:
    record_id = verdict["record_id"]
    citizens = warehouse.number("select citizens from core.register_size")
    focus_on_record(warehouse, record_id=record_id)
    near = _rows(
        warehouse, "select personal_id from core.candidates where record_id = $id", record_id
    )
    focus_on_citizens(
        warehouse,
        [row["personal_id"] for row in (verdict, *near) if row["personal_id"] is not None],
    )
    understood = _rows(warehouse, "select * from clean.insurance where record_id = $id", record_id)
    recorded = _recorded(warehouse, record_id, understood[0]["record"] if understood else None)
    people = (
        (
            *_linked(warehouse, verdict, understood[0]),
            *_candidates(warehouse, record_id, understood[0]),
        )
        if understood
        else ()
    )
    return Story(
        run_id=str(warehouse.value("select run_id from ops.parameters")),
        record_id=record_id,
        record_key=verdict["record_key"],
        status=verdict["status"],
        match_step=verdict["match_step"],
        recorded=recorded,
        understood=_with_place(warehouse, understood[0]) if understood else None,
        notes=_notes(recorded, understood[0] if understood else {}),
        steps=_steps(warehouse, verdict, understood[0]) if understood else (),
        people=people,
        weighed=_rows(
            warehouse,
            "select count(*) as citizens, max(match_probability) as best "
            "from core.near_scores where record_id = $id",
            record_id,
        )[0],
        mismatches=_ordered_by_severity(
            _rows(
                warehouse,
                "select code, field, insurance_value, population_value, severity, owner, "
                "portal_code from core.mismatches where record_id = $id order by code",
                record_id,
            )
        ),
        corrections=_rows(
            warehouse,
            "select field, code, recorded_value, proposed_value, authority, reason, evidence "
            "from core.corrections where record_id = $id order by field",
            record_id,
        ),
        rejects=_rows(
            warehouse,
            "select reason, column_name, raw_value, count(*) as rows from clean.rejects "
            "where register = 'insurance' and record_id = $id group by all order by all",
            record_id,
        ),
        decisions=(),
        citizens=citizens,
        wrong_links_per_million=warehouse.number(
            "select wrong_links_per_million from ops.parameters"
        ),
        model_is_trained=is_trained(warehouse.value("select min(version) from ref.match_model")),
    )


def _decisions(
    warehouse: Warehouse, settings: Settings, record_id: str, made: Sequence[Decision]
) -> tuple[Row, ...]:
    """The decisions, and what the run made of each; one that it did not know is ``new``."""
    if not made:
        return ()
    known = _rows(
        warehouse,
        "select decision_id, coalesce(decided.state, 'superseded') as state "
        "from ops.decisions left join core.decided using (decision_id) "
        "where ops.decisions.record_id = $id",
        record_id,
    )
    states = {row["decision_id"]: row["state"] for row in known}
    return tuple(
        {
            "verdict": one.verdict,
            "personal_id": one.personal_id,
            "kept_record_id": one.kept_record_id,
            "decided_by": one.decided_by,
            "decided_at": settings.schedule.local(one.decided_at).isoformat(" ", "minutes"),
            "reason": one.reason,
            "state": states.get(one.decision_id, "new"),
        }
        for one in made
    )


def _rows(warehouse: Warehouse, query: str, record_id: str) -> tuple[Row, ...]:
    return tuple(warehouse.rows(query, {"id": record_id}))


def _recorded(warehouse: Warehouse, record_id: str, row_number: int | None) -> tuple[Row, ...]:
    """The rows of the source with a record id; if the record could be used, all are alike.

    Finding a row by its number is quick; by its key, a whole column of the register is read.
    """
    names = ", ".join(column.name for column in INSURANCE)
    numbered = "" if row_number is None else "row_number = $row::uinteger and "
    values: dict[str, object] = {"id": record_id}
    return tuple(
        warehouse.rows(
            f"select distinct {names} from raw.insurance where {numbered}record_id = $id "  # noqa: S608
            "order by all",
            values if row_number is None else values | {"row": row_number},
        )
    )


_REFUSED = (
    ("names", "full_name"),
    ("births", "date_of_birth"),
    ("numbers", "id_number"),
    ("numbers", "insurance_number"),
    ("numbers", "health_card_number"),
)
"""Columns whose values may be refused, and their dictionaries."""


def _notes(recorded: tuple[Row, ...], understood: Row) -> dict[str, tuple[str, ...]]:
    """Collects what normalisation said: notes, repairs, and why it refused a string."""
    refused = {
        column: {refusal(table, column, row[column]) for row in recorded}
        for table, column in _REFUSED
    }
    done = {
        "full_name": understood.get("name_notes"),
        "date_of_birth": understood.get("birth_notes"),
        "id_number": understood.get("id_repairs"),
        "insurance_number": understood.get("insurance_number_repairs"),
    }
    return {
        field: tuple(filter(None, ";".join([done.get(field) or "", *sorted(reasons)]).split(";")))
        for field, reasons in refused.items()
    }


def _ordered_by_severity(mismatches: tuple[Row, ...]) -> tuple[Row, ...]:
    order = ("error", "warning", "info")
    return tuple(sorted(mismatches, key=lambda row: order.index(row["severity"])))


def _with_place(warehouse: Warehouse, row: Row) -> Row:
    """Adds the name of the province, which people know better than its code."""
    province = warehouse.value(
        "select min(province_2025) from ref.provinces where code_2025 = $code",
        {"code": row["province_code"]},
    )
    return {**row, "province": province}


# --- the people who may be shown ---------------------------------------------------------------


def _linked(warehouse: Warehouse, verdict: Row, understood: Row) -> tuple[Person, ...]:
    if verdict["personal_id"] is None:
        return ()
    row = {**verdict, "candidate_rank": 0, "reason": "agrees"}
    return (_person(warehouse, row, understood),)


def _candidates(warehouse: Warehouse, record_id: str, understood: Row) -> tuple[Person, ...]:
    found = _rows(
        warehouse,
        "select * from core.candidates where record_id = $id order by candidate_rank",
        record_id,
    )
    return tuple(_person(warehouse, row, understood) for row in found)


def _citizen(warehouse: Warehouse, personal_id: str) -> Row:
    """A citizen as understood, with the status as recorded."""
    (citizen,) = warehouse.rows(
        "select citizen, personal_id, recorded_name as full_name, birth_date, "
        "birth_year, birth_month, birth_precision, gender, province_code, province_unread, "
        "address, status, date_of_death from clean.population where personal_id = $id",
        {"id": personal_id},
    )
    recorded = warehouse.rows(  # (a constant finds the row; a join reads the register)
        "select recorded.status as recorded_status, "
        "words.value is null and trim(recorded.status) <> '' as status_unread "
        "from raw.population as recorded "
        "left join clean.vocabularies as words on words.register = 'population' "
        "and words.column_name = 'status' and recorded.status = words.raw "
        "where recorded.row_number = $row::uinteger",
        {"row": citizen.pop("citizen")},
    )
    return {**citizen, **recorded[0]}


def _person(warehouse: Warehouse, row: Row, understood: Row) -> Person:
    citizen = _citizen(warehouse, row["personal_id"])
    scores: Mapping[str, Any] = {}
    if row["match_step"] == "probabilistic":
        (scores,) = warehouse.rows(
            "select * from core.near_scores where record_id = $record and personal_id = $citizen",
            {"record": row["record_id"], "citizen": row["personal_id"]},
        )
    levels = {
        name: str((scores or row)[f"{name}_agreement"])
        for name in COMPARISONS
        if f"{name}_agreement" in (scores or row)
    }
    if levels.get("place") == "missing" and (
        citizen["province_unread"] or understood["province_unread"]
    ):
        levels["place"] = "unread"
    return Person(
        rank=row["candidate_rank"],
        match_step=row["match_step"],
        reason=row["reason"],
        citizen=_with_place(warehouse, citizen),
        levels=levels,
        weights={name: scores[f"{name}_weight"] for name in COMPARISONS} if scores else None,
        prior_weight=scores.get("prior_weight"),
        match_weight=scores.get("match_weight"),
        match_probability=row["match_probability"],
    )


# --- the steps ---------------------------------------------------------------------------------


def _steps(warehouse: Warehouse, verdict: Row, understood: Row) -> tuple[Tried, ...]:
    """Follows the record down the waterfall, to the step that settled it."""
    record_id = verdict["record_id"]
    claims = _rows(
        warehouse,
        "select number, field, is_repaired, is_filler from core.claims "
        "where record_id = $id order by all",
        record_id,
    ) or _plain_claims(understood)
    held_back = _rows(
        warehouse, "select reason from core.held_back where record_id = $id limit 1", record_id
    )
    told: list[Tried] = []
    settled = False
    for step in MatchStep:
        pairs = () if settled else _pairs(warehouse, record_id, step.value, held_back)
        if step is MatchStep.PERSONAL_ID and verdict["match_step"] == step.value and not pairs:
            pairs = ({**verdict, "verdict": "link", "reason": "agrees"},)  # core.settled
        numbers = tuple(c for c in claims if _looked_up_by(step.value, c))
        looked = bool(numbers) if step in _NUMBER_STEPS else understood["name_key"] is not None
        told.append(
            Tried(
                step=step.value,
                outcome="not_reached" if settled else _outcome(pairs),
                numbers=() if settled else numbers,
                pairs=pairs,
                looked=looked,
            )
        )
        settled = settled or told[-1].outcome != "went_on"
    return tuple(told)


def _plain_claims(understood: Row) -> tuple[Row, ...]:
    """The numbers of a record that is settled, or that has none: as they are, nothing repaired."""
    return tuple(
        {"number": understood[column], "field": field, "is_repaired": False, "is_filler": False}
        for field, column in (
            ("id_number", "id_number"),
            ("insurance_number", "insurance_personal_id"),
        )
        if understood[column] is not None
    )


def _looked_up_by(step: str, claim: Row) -> bool:
    if step == "personal_id":
        return not claim["is_repaired"] and len(claim["number"]) == 12
    if step == "former_id":
        return not claim["is_repaired"]
    return step == "repaired_id" and bool(claim["is_repaired"])


def _outcome(pairs: tuple[Row, ...]) -> Outcome:
    verdicts = {pair["verdict"] for pair in pairs}
    if "link" in verdicts:
        return "linked"
    if "review" in verdicts:
        return "review"
    return "decided" if "none" in verdicts else "went_on"


def _pairs(
    warehouse: Warehouse, record_id: str, step: str, held_back: tuple[Row, ...]
) -> tuple[Row, ...]:
    """How the record agrees with each citizen that a step found; never who that is.

    A link that a person's decision forbids is shown as one for review: somebody must look again.
    """
    found = _rows(
        warehouse,
        "select verdict, reason, name_agreement, birth_agreement, gender_agreement "  # noqa: S608
        f"from core.step_{step} where record_id = $id "
        "order by verdict, reason, name_agreement, birth_agreement",
        record_id,
    )
    return tuple(
        {**row, "verdict": "review", "reason": held_back[0]["reason"]}
        if held_back and row["verdict"] == "link"
        else row
        for row in found
    )
