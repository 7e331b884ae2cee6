"""A decision on one record: whose it is, whose not, or which of several is kept.

Belongs here: what may be decided, what is noted with it, and what was decided before. Does not
belong here: what the next run makes of it (``core.decided``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.snapshots import has, reading
from etl.settings import Settings
from etl.state.access import log_access, who_asks
from etl.state.decisions import Decision, standing_within
from etl.state.store import State, now, open_state

Row = dict[str, Any]

COMMAND = "decide"
"""What the access log calls a decision."""

_READ = (
    TableName("clean", "insurance"),
    *(TableName("core", name) for name in ("reconciled", "links", "candidates")),
)


class Verdict(StrEnum):
    """What a person may decide."""

    LINK = "link"
    NOT_LINK = "not_link"
    NOT_A_PERSON = "not_a_person"
    KEEP_RECORD = "keep_record"
    UNDO = "undo"


@dataclass(frozen=True)
class Answer:
    """What became of a decision.

    Attributes:
        decision: As it stands now.
        is_new: Whether it was written; the same decision twice is written once.
        before: The decisions on the record that stood before, the last first.
        undone: The decision that was taken back.
        left: If one was taken back, the decisions that still stand, the last first.
    """

    decision: Decision
    is_new: bool
    before: tuple[Decision, ...]
    undone: Decision | None = None
    left: tuple[Decision, ...] = ()


def decide(
    settings: Settings,
    record_id: str,
    verdict: Verdict,
    *,
    other: str | None,
    reason: str,
    by: str | None = None,
) -> Answer:
    """Writes a decision on a record into the state; the next run applies it.

    Args:
        settings: Whose state, and whose last result.
        record_id: The record, by its id in the insurance register.
        verdict: What is decided.
        other: The citizen's personal number of ``link`` and ``not_link``, the id of the record to
            keep of ``keep_record``; else None.
        reason: Why, for whoever asks later.
        by: Who decides; by default whoever runs the command.

    Raises:
        ConfigError: There is no such record or citizen, no reason, or nothing to undo.
        ConnectionFailedError: The state cannot be reached; nothing was decided.
    """
    _refuse_no_reason(reason)
    with reading(settings, has(*_READ)) as warehouse:
        looked = look(warehouse, record_id, verdict, other)
    by = by or who_asks()
    # What was decided before is about to be shown.
    log_access(settings, [looked.record_key], COMMAND, by=by)
    with open_state(settings) as state:
        return write(state, looked, reason=reason, by=by)


@dataclass(frozen=True)
class Looked:
    """What a decision is about, as the last result has it.

    Attributes:
        record_id: The record.
        record_key: Its pseudonym.
        verdict: What is decided.
        citizen: The citizen of ``link`` and ``not_link``.
        kept: The record to keep.
        seen: Fingerprints of what is shown of record and citizen.
        said: What the waterfall had said.
    """

    record_id: str
    record_key: str
    verdict: Verdict
    citizen: str | None
    kept: str | None
    seen: str | None
    said: Row


def look(warehouse: Warehouse, record_id: str, verdict: Verdict, other: str | None) -> Looked:
    """Looks up what a decision is about.

    Args:
        warehouse: The last result, or its desk.
        record_id: The record, by its id in the insurance register.
        verdict: What is decided.
        other: As for ``decide``.

    Raises:
        ConfigError: There is no such record or citizen.
    """
    record_key = _key_of(warehouse, record_id)
    citizen, kept = _whom(warehouse, record_id, verdict, other)
    seen = None if kept or verdict is Verdict.UNDO else _seen(warehouse, record_id, citizen)
    said = _said(warehouse, record_id) if seen else _NOTHING_SAID
    return Looked(record_id, record_key, verdict, citizen, kept, seen, said)


def write(state: State, looked: Looked, *, reason: str, by: str) -> Answer:
    """Writes a decision into a state that is open.

    Args:
        state: An open transaction.
        looked: What it is about.
        reason: Why.
        by: Who decides.

    Raises:
        ConfigError: There is no reason, or nothing to undo.
    """
    _refuse_no_reason(reason)
    before = tuple(standing_within(state, looked.record_id))
    if looked.verdict is Verdict.UNDO and not before:
        raise ConfigError(
            "Nothing is decided on this record that could be undone.",
            remedy="'doisoat explain' tells what was decided on a record.",
        )
    made = Decision(
        uuid4().hex, looked.verdict, looked.record_id, looked.citizen, looked.kept, by, now(),
        reason.strip(), looked.seen,
    )  # fmt: skip
    same = [one for one in before if _matter(one) == _matter(made)][:1]
    if same and _what(made) == _what(same[0]) and made.seen == same[0].seen:
        return Answer(same[0], is_new=False, before=before)
    # The same decision, made again on other facts, is taken back with it.
    undone = [one for one in before if _what(one) == _what(before[0])]
    undone = undone if looked.verdict is Verdict.UNDO else []
    row = {**asdict(made), **looked.said, "undoes": None}
    rows = [{**row, "decision_id": uuid4().hex, "undoes": one.decision_id} for one in undone]
    state.add("decisions", rows or [row])
    left = tuple(one for one in before if one not in undone)
    return Answer(made, is_new=True, before=before, undone=undone[0] if undone else None, left=left)


def _refuse_no_reason(reason: str) -> None:
    if not reason.strip():
        raise ConfigError(
            "A decision needs a reason.", remedy="Say --reason 'what was seen, which paper'."
        )


def _matter(decision: Decision) -> bool:
    """What is decided: which record is kept, or whose it is. One does not replace the other."""
    return decision.verdict == Verdict.KEEP_RECORD


def _what(decision: Decision) -> tuple[str | None, ...]:
    """What a decision says, without the facts that were seen."""
    return decision.verdict, decision.personal_id, decision.kept_record_id


def _key_of(warehouse: Warehouse, record_id: str) -> str:
    """Returns the record's pseudonym. What was typed is not repeated: it may be anything."""
    found = warehouse.rows(
        "select status, record_key(record_id) as record_key from core.reconciled "
        "where record_id = $id",
        {"id": record_id},
    )
    if not found:
        raise ConfigError(
            "The last finished run knows no such insurance record.",
            remedy="Give the record id exactly as in the insurance register. A new record is known "
            "after: doisoat sync",
        )
    if found[0]["status"] == "REJECTED":
        raise ConfigError(
            "The record could not be used, so there is nothing to decide on it.",
            remedy="'doisoat explain' tells why; it is put right in the insurance register.",
        )
    return str(found[0]["record_key"])


def _whom(
    warehouse: Warehouse, record_id: str, verdict: Verdict, other: str | None
) -> tuple[str | None, str | None]:
    """Returns the citizen and the record to keep that a decision is about."""
    if verdict in (Verdict.LINK, Verdict.NOT_LINK):
        number = "".join((other or "").split())
        if not warehouse.number(
            "select count(*) from clean.population where personal_id = $id", {"id": number}
        ):
            raise ConfigError(
                "The last finished run knows no citizen of that number.",
                remedy="Give the 12 digits of the personal number in the population register.",
            )
        return number, None
    if verdict is Verdict.KEEP_RECORD:
        if not warehouse.number(
            "select count(*) from core.links as kept inner join core.links as this "
            "on kept.personal_id = this.personal_id "
            "where this.record_id = $id and kept.record_id = $other",
            {"id": record_id, "other": other},
        ):
            raise ConfigError(
                "These two are not records of one citizen, as far as the last run knows.",
                remedy="Decide first whose they are (--link); the next run links them.",
            )
        return None, other
    return None, None


def _seen(warehouse: Warehouse, record_id: str, personal_id: str | None) -> str:
    """Returns what is seen of a record and a citizen, as fingerprints."""
    return str(
        warehouse.value(
            """
            select '1:' || facts_of_record(
                record.recorded_name, record.birth_date, record.birth_year, record.birth_month,
                record.gender, record.id_number, record.insurance_number,
                record.insurance_personal_id
            ) || ':' || if(
                citizen.personal_id is null, '', facts_of_citizen(
                    citizen.recorded_name, citizen.birth_date, citizen.birth_year,
                    citizen.birth_month, citizen.gender, citizen.personal_id, citizen.status
                )
            )
            from clean.insurance as record
            left join clean.population as citizen on citizen.personal_id = $citizen
            where record.record_id = $record
            """,
            {"record": record_id, "citizen": personal_id},
        )
    )


_NOTHING_SAID: Row = dict.fromkeys(
    ("machine_verdict", "machine_step", "machine_personal_id", "machine_probability")
)


def _said(warehouse: Warehouse, record_id: str) -> Row:
    """What the waterfall had said of a record: linked or left to a person, and with whom."""
    found = warehouse.rows(
        """
        select
            'link' as machine_verdict,
            match_step as machine_step,
            personal_id as machine_personal_id,
            match_probability as machine_probability
        from core.links
        where record_id = $record
        union all
        select
            'review' as machine_verdict,
            match_step as machine_step,
            personal_id as machine_personal_id,
            match_probability as machine_probability
        from core.candidates
        where record_id = $record and candidate_rank = 1
        order by machine_verdict
        limit 1
        """,
        {"record": record_id},
    )
    if not found:
        return {**_NOTHING_SAID, "machine_verdict": "other"}
    return _NOTHING_SAID if found[0]["machine_step"] == "steward" else found[0]
