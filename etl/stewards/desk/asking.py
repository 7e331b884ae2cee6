"""The questions of the workbench: what waits, what is next, searches, whose a record is.

Every question is asked through a ``View``, which knows whose records somebody may see. Nothing else
in the workbench reads a desk, so no page can show another province's record.

Belongs here: the questions. Does not belong here: what is in a desk (``making.py``), who somebody
is (``console``), pages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from etl.domain.errors import ConfigError
from etl.engine.opening import open_snapshot
from etl.engine.port import Warehouse
from etl.normalise import parse_birth, parse_name, parse_number
from etl.pipeline.places import focus_on_citizens, focus_on_record
from etl.pipeline.snapshots import opened
from etl.process.privacy import load_record_key
from etl.settings import Engine, Settings
from etl.stewards.desk.making import TOLD_OF, desk_file

Row = dict[str, Any]

QUEUES = ("contradicted", "review", "shared", "deceased")
"""In the order in which they are shown; first come records on which a person has already
decided."""

AGES: Mapping[str, tuple[int, int | None]] = {
    "7": (0, 7), "30": (7, 30), "90": (30, 90), "older": (90, None),
}  # fmt: skip
"""How many days a case has been open: more than the first, and at most the second number."""

CHANCES: Mapping[str, tuple[float, float]] = {
    "high": (0.9, 1.01), "middle": (0.5, 0.9), "low": (0.0, 0.5),
}  # fmt: skip
"""How probable the first candidate is: at least, and below."""

PAGE = 25
"""Cases on one page."""

MOST_FOUND = 50
"""Records that a search shows."""


@dataclass(frozen=True)
class Scope:
    """Whose records somebody may see.

    Attributes:
        provinces: Codes of 2025; None: every province, and records without one.
    """

    provinces: frozenset[str] | None

    def has(self, province: str | None) -> bool:
        """Says whether a record of a province may be seen."""
        return self.provinces is None or province in self.provinces


EVERYWHERE = Scope(None)


@dataclass(frozen=True)
class Filter:
    """Which cases are asked for; an empty text asks for all.

    Attributes:
        queue: One of ``QUEUES``.
        province: Code of 2025.
        why: The code or reason.
        step: The step of the waterfall.
        age: A key of ``AGES``.
        chance: A key of ``CHANCES``.
    """

    queue: str = "review"
    province: str = ""
    why: str = ""
    step: str = ""
    age: str = ""
    chance: str = ""


_READERS = 4
"""How many questions are answered at once: each reader is a separate connection."""

_OF_A_READER = Engine(memory="1GB", threads=1)
"""A question reads only a few row groups, which one thread does fastest."""


class Desk:
    """The desk of one run, opened for some readers at once."""

    def __init__(self, settings: Settings) -> None:
        """Opens the desk of the last published run; it is made first, where that was not done.

        Args:
            settings: Whose.

        Raises:
            NothingYetError: No run has published anything, or nothing of it is kept.
            ConnectionFailedError: The state or the target cannot be reached.
        """
        self._readers: SimpleQueue[Warehouse] = SimpleQueue()
        self._whole: SimpleQueue[Warehouse] = SimpleQueue()
        with ExitStack() as opening:
            self.file: Path = opening.enter_context(desk_file(settings))
            key = load_record_key(settings.home)
            for _ in range(_READERS):
                reader = open_snapshot(self.file, key=key, limits=_OF_A_READER)
                self._readers.put(opening.enter_context(reader))
                whole = opened(settings, self.file.parent, TOLD_OF)
                self._whole.put(opening.enter_context(whole))
            self._open = opening.pop_all()
        with self.reader() as warehouse:
            (run,) = warehouse.rows("select run_id, started_at, mode from ops.parameters")
        self.run_id = str(run["run_id"])
        self.started_at: datetime = run["started_at"]  # type: ignore[assignment]
        self.mode = str(run["mode"])

    @contextmanager
    def reader(self) -> Iterator[Warehouse]:
        """Lends one of the readers; waits while all are lent."""
        warehouse = self._readers.get()
        try:
            yield warehouse
        finally:
            self._readers.put(warehouse)

    @contextmanager
    def whole(self, record_id: str, citizen: str | None = None) -> Iterator[Warehouse]:
        """Lends a reader of the snapshot that the desk was made of, which shows one record.

        Of the citizens it shows the one that is named; without one, those that it showed last.
        """
        warehouse = self._whole.get()
        try:
            focus_on_record(warehouse, record_id=record_id)
            focus_on_citizens(warehouse, [citizen] if citizen else [])
            yield warehouse
        finally:
            self._whole.put(warehouse)

    def close(self) -> None:
        """Waits for the readers, and lets go of the file."""
        for _ in range(_READERS):
            self._readers.get()
            self._whole.get()
        self._open.close()


_LIST = """
select
    place,
    record_id,
    record_key(record_id) as record_key,
    queue,
    code,
    why,
    match_step,
    match_probability,
    candidates,
    province_code,
    office,
    since_at,
    date_diff('day', since_at, $today::timestamp) as days
from publish.cases
where
    {conditions}
order by place
limit $most
"""

_COUNTS = """
select
    queue,
    why,
    count(*) as cases,
    min(since_at) as oldest
from publish.cases
where {conditions}
group by queue, why
order by queue, cases desc, why
"""

_BY_OFFICE = """
select
    province_code,
    {office} as office,
    count(*) as cases,
    count(*) filter (days <= 7) as up_to_7,
    count(*) filter (days > 7 and days <= 30) as up_to_30,
    count(*) filter (days > 30 and days <= 90) as up_to_90,
    count(*) filter (days > 90) as over_90
from (
    select
        province_code,
        coalesce(office, '') as office,
        date_diff('day', since_at, $today::timestamp) as days
    from publish.cases
    where {conditions}
)
group by all
order by over_90 desc, up_to_90 desc, up_to_30 desc, cases desc, province_code, office
limit 40
"""

_VERDICT = """
select
    record_id,
    record_key(record_id) as record_key,
    status,
    match_step,
    province_code,
    coalesce(office, commune) as office
"""


_OTHERS = """
select
    others.*,
    record_key(others.other_id) as other_key,
    coalesce(others.personal_id = links.personal_id, false) as is_same_person
from publish.others as others
left join core.links as links on others.record_id = links.record_id
where others.record_id = $record
order by is_same_person desc, others.other_id, others.shared
"""

_AGREEMENT = """
select
    name_agreement(
        record.recorded_name, record.full_name, record.name_key,
        citizen.recorded_name, citizen.full_name, citizen.name_key
    ) as name,
    birth_agreement(
        record.birth_date, record.birth_year, record.birth_month,
        citizen.birth_date, citizen.birth_year, citizen.birth_month
    ) as birth,
    gender_agreement(record.gender, citizen.gender) as gender
from clean.insurance as record
cross join clean.population as citizen
where record.record_id = $record and citizen.personal_id = $citizen
"""


class View:
    """What somebody may see of a desk."""

    def __init__(self, desk: Desk, scope: Scope) -> None:
        """Looks at a desk.

        Args:
            desk: The desk.
            scope: Whose records may be seen.
        """
        self._desk = desk
        self._scope = scope

    @property
    def run_id(self) -> str:
        """The run whose result is seen."""
        return self._desk.run_id

    def counts(self, decided: Collection[str]) -> list[Row]:
        """Counts the cases that wait, by queue and reason; those decided since are left out."""
        where, values = self._conditions(Filter(queue=""), decided)
        return self._rows(_COUNTS.format(conditions=where), values)

    def by_office(self, decided: Collection[str], now: datetime) -> list[Row]:
        """Counts the cases that wait by office and age, the oldest first; 40 offices at most.

        For a user who sees more than one province, it counts by province instead.
        """
        where, values = self._conditions(Filter(queue=""), decided)
        office = "office" if len(self._scope.provinces or ()) == 1 else "''"
        query = _BY_OFFICE.format(conditions=where, office=office)
        return self._rows(query, values | {"today": now})

    def statuses(self) -> dict[str, int]:
        """Counts the records by status."""
        where, values = self._of_scope()
        found = self._rows(
            f"select status, sum(records)::bigint as records from publish.statuses "  # noqa: S608
            f"where {where} group by status",
            values,
        )
        return {str(row["status"]): int(row["records"]) for row in found}

    def provinces(self) -> list[Row]:
        """The provinces that have cases: code and name, as far as they may be seen."""
        where, values = self._of_scope()
        return self._rows(
            "select distinct cases.province_code as code, provinces.province_2025 as name "  # noqa: S608
            "from publish.cases as cases inner join ref.provinces as provinces "
            f"on cases.province_code = provinces.code_2025 where {where} order by code",
            values,
        )

    def steps(self, queue: str) -> list[str]:
        """The steps that have cases in a queue."""
        where, values = self._of_scope()
        found = self._rows(
            "select distinct match_step from publish.cases "  # noqa: S608
            f"where {where} and queue = $queue and match_step is not null order by match_step",
            values | {"queue": queue},
        )
        return [str(row["match_step"]) for row in found]

    def cases(
        self,
        wanted: Filter,
        now: datetime,
        *,
        after: int = 0,
        decided: Collection[str] = (),
        most: int = PAGE,
    ) -> list[Row]:
        """The cases that wait, the oldest first.

        Args:
            wanted: Which.
            now: The moment in UTC, from which ages are counted.
            after: The place of the case after which they are asked for.
            decided: Records to leave out: they were decided since the run.
            most: How many.
        """
        where, values = self._conditions(wanted, decided, now)
        values |= {"after": after, "most": most, "today": now}
        return self._rows(_LIST.format(conditions=f"{where} and place > $after"), values)

    def cases_of(self, record_id: str) -> list[Row]:
        """The cases of one record; none where it does not wait, or may not be seen."""
        where, values = self._of_scope()
        return self._rows(
            f"select * from publish.cases where record_id = $record and {where} "  # noqa: S608
            "order by code",
            values | {"record": record_id},
        )

    def record_of(self, key: str) -> str:
        """Returns the id of the record that a pseudonym stands for.

        Raises:
            ConfigError: There is none, or it may not be seen.
        """
        found = self._rows(
            "select record_id from publish.found where place = hash($what)", {"what": f"key:{key}"}
        )
        for row in found:  # (two keys may share a hash)
            for verdict in self._verdicts([str(row["record_id"])]):
                if verdict["record_key"] == key and self._scope.has(verdict["province_code"]):
                    return str(verdict["record_id"])
        raise not_here()

    def _verdicts(self, records: Collection[str]) -> list[Row]:
        """The verdicts on some records, even those that may not be seen: for this class only."""
        waiting = self._rows(
            f"{_VERDICT} from core.reconciled "
            "where record_id in (select unnest($records::varchar[]))",
            {"records": list(records)},
        )
        missing = sorted(set(records) - {str(row["record_id"]) for row in waiting})
        return waiting + [row for one in missing for row in self._verdict_of_the_rest(one)]

    def _verdict_of_the_rest(self, record_id: str) -> list[Row]:
        with self._desk.whole(record_id) as warehouse:
            return warehouse.rows(
                f"{_VERDICT} from core.reconciled where record_id = $record", {"record": record_id}
            )

    @contextmanager
    def warehouse_of(self, record_id: str, citizen: str | None = None) -> Iterator[Warehouse]:
        """Lends what has a record's story: the desk, or the whole snapshot.

        Args:
            record_id: A record that may be seen: what ``record_of`` returned.
            citizen: A citizen who is asked for, too.
        """
        with self._desk.reader() as warehouse:
            if _waits_at(warehouse, record_id) and _knows(warehouse, citizen):
                yield warehouse
                return
        with self._desk.whole(record_id, citizen) as warehouse:
            yield warehouse

    def others(self, record_id: str) -> list[Row]:
        """Other records of the citizen, or under the same number.

        Of records that may not be seen, only the province whose office keeps them is returned. If
        one is linked to the same citizen, its id is returned, too, because the two offices must
        agree which of the records is kept; its page cannot be opened.
        """
        found = self._rows(_OTHERS, {"record": record_id})
        told: dict[str, Row] = {}
        for row in found:
            seen = told.setdefault(row["other_id"], self._as_far_as_seen(row) | {"shared": []})
            seen["shared"].append(row["shared"])
        return list(told.values())

    def _as_far_as_seen(self, row: Row) -> Row:
        if self._scope.has(row["province_code"]):
            return row
        told = {"province_code", "how_many", "is_same_person"}
        if row["is_same_person"]:
            told |= {"other_id", "office"}
        return {name: row[name] if name in told else None for name in row}

    def agreement(self, record_id: str, citizen: str) -> Row | None:
        """Says how a record and any citizen agree, but nothing else about the citizen.

        Args:
            record_id: A record that may be seen.
            citizen: A personal number.

        Returns:
            Levels of name, birth date and sex; None where there is no such citizen.
        """
        with self.warehouse_of(record_id, citizen) as warehouse:
            found = warehouse.rows(_AGREEMENT, {"record": record_id, "citizen": citizen})
        return found[0] if found else None

    def search(self, asked: str, born: str) -> list[Row]:
        """Finds records by record id, any number, or a name together with a birth date.

        Args:
            asked: What was typed: an id, a number, or a name.
            born: A birth date, or a year, of a name.

        Returns:
            The records that may be seen: id, status, province, office; 50 at most.
        """
        wanted = [f"number:{number}" for number in _numbers(asked)]
        wanted += [f"person:{person}" for person in _people(asked, born)]
        where, values = self._of_scope()
        found = self._rows(
            f"select distinct record_id from publish.found where {where} "  # noqa: S608
            "and place in (select hash(unnest($wanted::varchar[]))) "
            "order by record_id limit $most",
            values | {"wanted": wanted, "most": MOST_FOUND},
        )
        typed = [asked.strip(), asked.strip().upper()]
        ids = list(dict.fromkeys([*typed, *(str(row["record_id"]) for row in found)]))
        rows = [row for row in self._verdicts(ids) if self._scope.has(row["province_code"])]
        rows.sort(key=lambda row: row["record_id"] not in typed)  # ids that were typed come first
        return rows[:MOST_FOUND]

    def of_the_same_person(self, records: Collection[str]) -> set[str]:
        """Returns the other records of the citizens whom some records are linked to."""
        found = self._rows(
            "select distinct others.other_id from publish.others as others "
            "inner join core.links as links on others.record_id = links.record_id "
            "and others.personal_id = links.personal_id "
            "where others.record_id in (select unnest($records::varchar[]))",
            {"records": list(records)},
        )
        return {str(row["other_id"]) for row in found}

    def proposed(self, record_id: str) -> set[str]:
        """The citizens whom a record is linked to or may belong to; the record may be seen."""
        with self.warehouse_of(record_id) as warehouse:
            found = warehouse.rows(
                "select personal_id from core.links where record_id = $record "
                "union select personal_id from core.candidates where record_id = $record",
                {"record": record_id},
            )
        return {str(row["personal_id"]) for row in found}

    def at_hand(self, records: Collection[str]) -> set[str]:
        """Those of some records that may be seen and that the desk has, as waiting or decided ones.

        Other records are not looked up in the snapshot: a file of answers may have decided on a
        hundred thousand at once.
        """
        where, values = self._of_scope()
        found = self._rows(
            f"select record_id from core.reconciled where {where} "  # noqa: S608
            "and record_id in (select unnest($records::varchar[]))",
            values | {"records": list(records)},
        )
        return {str(row["record_id"]) for row in found}

    def provinces_of(self, records: Collection[str]) -> dict[str, str | None]:
        """The province of each of some records that may be seen."""
        return {
            str(row["record_id"]): row["province_code"]
            for row in self._verdicts(records)
            if self._scope.has(row["province_code"])
        }

    def keys_of(self, records: Collection[str]) -> dict[str, str]:
        """The pseudonym of each of some records that may be seen."""
        return {
            str(row["record_id"]): str(row["record_key"])
            for row in self._verdicts(records)
            if self._scope.has(row["province_code"])
        }

    def seen_of(self, records: Collection[str]) -> set[str]:
        """Returns of some records those that wait and may be seen."""
        where, values = self._of_scope()
        found = self._rows(
            f"select distinct record_id from publish.cases where {where} "  # noqa: S608
            "and record_id in (select unnest($records::varchar[]))",
            values | {"records": list(records)},
        )
        return {str(row["record_id"]) for row in found}

    def _rows(self, query: str, values: Mapping[str, object]) -> list[Row]:
        with self._desk.reader() as warehouse:
            return warehouse.rows(query, values)

    def _of_scope(self) -> tuple[str, dict[str, object]]:
        if self._scope.provinces is None:
            return "true", {}
        return (
            "list_contains($provinces::varchar[], province_code)",
            {"provinces": sorted(self._scope.provinces)},
        )

    def _conditions(
        self, wanted: Filter, decided: Collection[str], now: datetime | None = None
    ) -> tuple[str, dict[str, object]]:
        where, values = self._of_scope()
        parts = [where]
        for column, value in (
            ("queue", wanted.queue),
            ("province_code", wanted.province),
            ("why", wanted.why),
            ("match_step", wanted.step),
        ):
            if value:
                parts.append(f"{column} = $is_{column}")
                values[f"is_{column}"] = value
        if wanted.age in AGES and now is not None:
            low, high = AGES[wanted.age]
            parts.append("date_diff('day', since_at, $today::timestamp) > $low_age")
            values["low_age"] = low if low else -1
            if high is not None:
                parts.append("date_diff('day', since_at, $today::timestamp) <= $high_age")
                values["high_age"] = high
        if wanted.chance in CHANCES:
            parts.append("match_probability >= $low and match_probability < $high")
            values["low"], values["high"] = CHANCES[wanted.chance]
        if decided:
            parts.append("record_id not in (select unnest($decided::varchar[]))")
            values["decided"] = list(decided)
        return " and ".join(parts), values


def not_here() -> ConfigError:
    """The same answer for a record that may not be seen and for one that does not exist."""
    return ConfigError(
        "There is no such record here.",
        remedy="It may belong to another province, whose office sees it.",
    )


def _waits_at(warehouse: Warehouse, record_id: str) -> bool:
    asked = "select 1 as one from publish.cases where record_id = $it limit 1"
    return bool(warehouse.rows(asked, {"it": record_id}))


def _knows(warehouse: Warehouse, citizen: str | None) -> bool:
    asked = "select 1 as one from clean.population where personal_id = $it"
    return citizen is None or bool(warehouse.rows(asked, {"it": citizen}))


def _numbers(asked: str) -> list[str]:
    """The numbers that may be meant by what was typed, repaired as those of the registers are."""
    bare = "".join(letter for letter in asked if letter.isalnum())
    found = [bare] if any(letter.isdigit() for letter in bare) else []
    for field in ("id", "insurance", "card"):
        understood = parse_number(asked, field=field)
        found += [understood.number or "", *understood.candidates]
    return list(dict.fromkeys(filter(None, found)))


def _people(asked: str, born: str) -> list[str]:
    name, birth = parse_name(asked), parse_birth(born, date.today())
    if not name.key or birth.year is None:
        return []
    days = [birth.date.isoformat()] if birth.date else []
    return [f"{name.key}:{day}" for day in (*days, str(birth.year))]
