"""Sending: the rows of the last result, divided by office, written to files and remembered.

Belongs here: who is sent what, and that it was sent. Does not belong here: the statements
(``queries``), how a file looks (``writing.py``), and how it gets to the office.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import distinct, func, select

from etl.databases.writers import metadata_for, transaction
from etl.domain.codes import LABELS
from etl.domain.errors import ConfigError
from etl.domain.showing import visible
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.normalise.syllables import unaccent
from etl.pipeline.snapshots import has, reading
from etl.process.files import folder_for, refused, scratch_folder
from etl.process.privacy import owner_only
from etl.process.stopping import on_stop
from etl.process.workers import in_processes
from etl.settings import Settings
from etl.state.access import who_asks
from etl.state.copying import refresh
from etl.state.store import State, now, open_state
from etl.stewards.worklists.forms import Form, Language, Shape, form_of, load_forms
from etl.stewards.worklists.writing import Cover, Draft, Format, Sheet, routes, write_file

COMMAND = "worklists export"
"""What the access log calls it."""

ROWS_PER_FILE = 20_000

_ALONE_BELOW = 20_000  # rows: four seconds of writing, and a second to start a process

READ = (
    *(TableName("raw", name) for name in ("insurance", "population")),
    *(TableName("clean", name) for name in ("insurance", "population")),
    *(
        TableName("core", name)
        for name in ("reconciled", "links", "candidates", "mismatches", "corrections", "decided")
    ),
)
"""What a snapshot must have."""

Row = dict[str, Any]
Progress = Callable[[int, int], None]


class Grouping(StrEnum):
    """For whom a file is."""

    PROVINCE = "province"
    OFFICE = "office"
    COMMUNE = "commune"
    EMPLOYER = "employer"


class Route(StrEnum):
    """Who can correct a row."""

    INSURANCE = "insurance"
    POLICE = "police"
    CITIZEN = "citizen"


@dataclass(frozen=True)
class Request:
    """What is to be sent.

    Attributes:
        folder: Where the files go.
        grouping: For whom each is.
        provinces: Codes of provinces of 2025, or ``unknown``; all where there are none.
        shapes: What is asked.
        routes: Only rows that these can correct; all where there are none.
        format: What kind of file.
        language: Of headings and words.
        limit: The most rows of one file.
        all_matched: List matches in which nothing disagrees, too.
    """

    folder: Path
    grouping: Grouping = Grouping.OFFICE
    provinces: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = tuple(Shape)
    routes: tuple[Route, ...] = ()
    format: Format = Format.XLSX
    language: Language = "vi"
    limit: int = ROWS_PER_FILE
    all_matched: bool = False


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes:
        run_id: The run whose result it is.
        files: The files, in the order of provinces and offices.
        rows: Rows by shape.
        worklists: How many worklists: one for each office and shape.
    """

    run_id: str
    files: tuple[Path, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    worklists: int = 0


def send(settings: Settings, request: Request, progress: Progress | None = None) -> Sent:
    """Writes the worklists of the last result, and remembers what was sent to whom.

    The files are written whole, then their places are taken by empty ones, then the state is
    committed, then the files are put there. So nothing is shown before the access log has it, and
    nothing is remembered that was not written.

    Args:
        settings: Whose result and state.
        request: What is to be sent.
        progress: Called with the rows written and the rows in all.

    Raises:
        ConfigError: A template is wrong, a province does not exist, or the folder cannot be
            written or has these files already.
        NothingYetError: There is no result yet.
        ConnectionFailedError: The state or the target cannot be reached.
    """
    forms = load_forms(settings)
    with reading(settings, has(*READ)) as warehouse:
        _refuse_unknown_provinces(warehouse, request.provinces)
        refresh(warehouse, settings)
        made_at = now()
        _gather(warehouse, settings, request, made_at)
        run_id = str(warehouse.value("select run_id from ops.parameters"))
        files = _Files(warehouse, settings, request, forms, made_at)
        if not files.plans:
            return Sent(run_id)
        with owner_only(), _draft_folder(request.folder) as draft:
            files.refuse_those_there(request.folder)
            files.write(draft, progress)
            with _reserved(request.folder, [plan.name for plan in files.plans]) as reserved:
                _remember(warehouse, settings, made_at, run_id)
                for plan in files.plans:
                    (draft / plan.name).replace(request.folder / plan.name)
                    reserved.discard(plan.name)
        by_shape = warehouse.rows(
            "select shape, count(*) as items, count(distinct worklist_id) as lists "
            "from worklist_rows group by shape, shape_order order by shape_order"
        )
    return Sent(
        run_id,
        tuple(request.folder / plan.name for plan in files.plans),
        {str(row["shape"]): int(str(row["items"])) for row in by_shape},
        sum(int(str(row["lists"])) for row in by_shape),
    )


def query(name: str) -> str:
    """Returns a statement of the worklists."""
    return files(__package__).joinpath("queries", f"{name}.sql").read_text("utf-8")


def _refuse_unknown_provinces(warehouse: Warehouse, provinces: Sequence[str]) -> None:
    known = {str(row["code"]) for row in warehouse.rows(
        "select distinct code_2025 as code from ref.provinces"
    )} | {"unknown"}  # fmt: skip
    if strange := [one for one in provinces if one not in known]:
        raise ConfigError(
            f"There is no province of the code {visible(strange[0], 20)}.",
            remedy=f"Name codes of 2025: {', '.join(sorted(known))}.",
        )


# --- rows ---------------------------------------------------------------------------------------


def _gather(warehouse: Warehouse, settings: Settings, request: Request, made_at: datetime) -> None:
    """Makes ``worklist_rows``: every row of every file, with its worklist and its part."""
    warehouse.execute(query("macros"))
    warehouse.execute(
        "create or replace temp table wish as select $provinces::varchar[] as provinces, "
        "$shapes::varchar[] as shapes, $routes::varchar[] as routes, "
        "$all_matched as all_matched, $grouping as grouping, $made_at::timestamp as made_at, "
        "$limit as rows_per_file",
        {
            "provinces": list(request.provinces),
            "shapes": [str(shape) for shape in request.shapes],
            "routes": [str(route) for route in request.routes],
            "all_matched": request.all_matched,
            "grouping": str(request.grouping),
            "made_at": made_at,
            "limit": request.limit,
        },
    )
    warehouse.execute(query("asked"))
    warehouse.execute(
        "create or replace temp table wanted as select distinct record_id from worklist_asked"
    )
    warehouse.execute(query("facts"))
    _read_sendings(warehouse, settings)
    _read_ages(warehouse, settings, request.provinces)
    with (
        warehouse.lending("labels", _labels(request.language)),
        warehouse.lending("clock", _clock(settings, made_at, request)),
    ):
        warehouse.execute(query("rows"))


def _read_sendings(warehouse: Warehouse, settings: Settings) -> None:
    """Reads how often each record and code was sent before, counted in the state's database."""
    with open_state(settings) as state:
        items = state.tables["worklist_items"]
        times = func.count(distinct(items.c.sent_at)).label("times_sent")
        counted: Any = (
            select(items.c.record_id, items.c.code, times)
            .group_by(items.c.record_id, items.c.code)
            .subquery()
        )
        rows = state.writer.read(counted, ["record_id", "code", "times_sent"])
        with warehouse.lending("incoming", rows):
            warehouse.execute("create or replace temp table sendings as select * from incoming")


def _read_ages(warehouse: Warehouse, settings: Settings, provinces: Sequence[str]) -> None:
    """Reads from the target since when each mismatch is known."""
    metadata = metadata_for(settings.target)
    (table,) = (one for one in metadata.tables.values() if one.name == "mismatches")
    here = None
    if provinces and "unknown" not in provinces:
        here = table.c.province_code.in_(provinces)
    with transaction(settings.target, "Reading the target", publishes=False) as writer:
        rows = writer.read(table, ["record_id", "code", "since_at"], here)
        with warehouse.lending("incoming", rows):
            warehouse.execute("create or replace temp table ages as select * from incoming")


def _labels(language: Language) -> pa.Table:
    every = [(kind, label) for kind, labels in LABELS.items() for label in labels]
    return pa.table(
        {
            "kind": [kind for kind, _ in every],
            "code": [label.code for _, label in every],
            "words": [label.vi if language == "vi" else label.en for _, label in every],
        }
    )


def _clock(settings: Settings, made_at: datetime, request: Request) -> pa.Table:
    # Formats for programs have days as in ISO 8601.
    language = request.language if request.format is Format.XLSX else "en"
    due = {
        str(route): made_at + timedelta(days=getattr(settings.worklists.due_days, route))
        for route in Route
    }
    return pa.table(
        {
            "route": list(due),
            "due_at": list(due.values()),
            "due_on": [_day(settings, moment, language) for moment in due.values()],
        }
    )


def _day(settings: Settings, moment: datetime, language: Language) -> str:
    return f"{settings.schedule.local(moment):{'%d/%m/%Y' if language == 'vi' else '%Y-%m-%d'}}"


# --- files --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """One file that is to be written.

    Attributes:
        name: Its name.
        province_code: Of which province.
        addressee: Of which office; None where it is the province.
        part: Which of the office's files.
        cover: What its first sheet tells.
        sheets: Its lists.
    """

    name: str
    province_code: str
    addressee: str | None
    part: int
    cover: Cover
    sheets: tuple[Sheet, ...]


class _Files:
    """The files of an export: planned first, and then written in one pass over the rows."""

    def __init__(
        self,
        warehouse: Warehouse,
        settings: Settings,
        request: Request,
        forms: dict[str, Form],
        made_at: datetime,
    ) -> None:
        self._warehouse, self._settings, self._request = warehouse, settings, request
        self._form = partial(form_of, forms, for_employers=request.grouping is Grouping.EMPLOYER)
        self._made_at = made_at
        self._run = warehouse.rows("select run_id, started_at from ops.parameters")[0]
        self.plans = tuple(self._planned())

    def refuse_those_there(self, folder: Path) -> None:
        """Refuses to write over a list that an office may be filling in."""
        for plan in self.plans:
            if os.path.lexists(folder / plan.name):
                raise _there_already(folder, plan.name)

    def write(self, folder: Path, progress: Progress | None) -> None:
        """Writes every file."""
        total = sum(sheet.rows for plan in self.plans for sheet in plan.sheets)
        done, request = 0, self._request
        drafts = (
            Draft(
                folder / plan.name,
                request.format,
                plan.sheets,
                plan.cover,
                request.language,
                tables,
            )
            for plan, tables in self._filled()
        )
        for rows in in_processes(write_file, drafts, self._workers(total)):
            done += rows
            if progress:
                progress(done, total)

    def _workers(self, rows: int) -> int:
        if rows < _ALONE_BELOW or self._request.format is not Format.XLSX:
            return 1
        cores = self._settings.engine.threads or os.cpu_count() or 1
        return min(cores, len(self.plans))

    def _filled(self) -> Iterator[tuple[_Plan, list[pa.Table]]]:
        """Yields the files with the rows of their sheets."""
        columns = sorted({
            column.source
            for plan in self.plans for sheet in plan.sheets for column in sheet.form.columns
            if column.source
        })  # fmt: skip
        stream = _Stream(
            self._warehouse.batches(
                "select province_code as of_province, addressee as of_addressee, "  # noqa: S608
                f"part as of_part, {', '.join(columns)} from worklist_rows "
                "order by of_province, of_addressee nulls first, of_part, shape_order, number",
                10_000,
            )
        )
        for plan in self.plans:
            yield (
                plan,
                [
                    stream.take(
                        sheet.rows,
                        [column.source for column in sheet.form.columns if column.source],
                    )
                    for sheet in plan.sheets
                ],
            )

    def _planned(self) -> Iterator[_Plan]:
        found = self._warehouse.rows(
            "select province_code, any_value(province) as province, addressee, part, shape, "
            "worklist_id, count(*) as items "
            "from worklist_rows group by province_code, addressee, part, shape, shape_order, "
            "worklist_id order by province_code, addressee nulls first, part, shape_order"
        )
        taken: set[str] = set()
        for (province_code, addressee), of_office in groupby(
            found, lambda row: (str(row["province_code"]), row["addressee"])
        ):
            lists = list(of_office)
            parts = max(int(str(row["part"])) for row in lists)
            stem = _stem(province_code, addressee, taken)
            for part, of_part in groupby(lists, lambda row: int(str(row["part"]))):
                here = list(of_part)
                sheets = tuple(
                    Sheet(
                        self._form(Shape(str(row["shape"]))),
                        str(row["worklist_id"]),
                        int(str(row["items"])),
                    )
                    for row in here
                )
                cover = self._cover(here[0], part, parts)
                number = f"_{part}" if parts > 1 else ""
                office = None if addressee is None else str(addressee)
                if self._request.format is Format.XLSX:
                    name = f"{stem}{number}.xlsx"
                    yield _Plan(name, province_code, office, part, cover, sheets)
                    continue
                for sheet in sheets:
                    name = f"{stem}_{sheet.form.shape}{number}.{self._request.format}"
                    yield _Plan(name, province_code, office, part, cover, (sheet,))

    def _cover(self, row: Row, part: int, parts: int) -> Cover:
        settings, language = self._settings, self._request.language
        started = self._run["started_at"]
        assert isinstance(started, datetime)  # noqa: S101 - as the table has it
        province = str(row["province"])
        words = routes(language)
        return Cover(
            office=str(row["addressee"] or province),
            province=province,
            run_id=str(self._run["run_id"]),
            run_at=settings.schedule.shown(started),
            made_at=settings.schedule.shown(self._made_at),
            made_by=who_asks(),
            due={
                words[route]: _day(
                    settings,
                    self._made_at + timedelta(days=getattr(settings.worklists.due_days, route)),
                    language,
                )
                for route in Route
            },
            contact=settings.worklists.contact,
            part=part,
            parts=parts,
        )


class _Stream:
    """The rows of all files, one after the other."""

    def __init__(self, batches: pa.RecordBatchReader) -> None:
        self._batches = iter(batches)
        self._batch: pa.RecordBatch | None = None
        self._at = 0

    def take(self, count: int, names: Sequence[str]) -> pa.Table:
        """Returns the next rows: the columns that are named."""
        parts = []
        while count:
            if self._batch is None or self._at == self._batch.num_rows:
                self._batch, self._at = next(self._batches), 0
            some = min(count, self._batch.num_rows - self._at)
            parts.append(self._batch.slice(self._at, some).select(names))
            self._at += some
            count -= some
        return pa.Table.from_batches(parts)


def _stem(province_code: str, addressee: object, taken: set[str]) -> str:
    """Returns the name of an office's files: letters and digits only, no two alike."""
    stem = province_code
    if addressee is not None:
        plain = re.sub(
            r"[^a-z0-9]+", "-", unaccent(str(addressee).lower()).replace("đ", "d")
        ).strip("-")[:60]
        stem = f"{province_code}_{plain or 'office'}"
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _there_already(folder: Path, name: str) -> ConfigError:
    return ConfigError(
        f"The folder has a worklist of this name already: {name}.",
        where=str(folder),
        remedy="Name another folder with --to; an office may be filling this one in.",
    )


@contextmanager
def _reserved(folder: Path, names: Iterable[str]) -> Iterator[set[str]]:
    """Takes the places of files, so that no other export to the folder can have them, too.

    Yields:
        The names; those that are still among them at the end are given back.

    Raises:
        ConfigError: A file of that name has come there meanwhile.
    """
    reserved: set[str] = set()

    def give_back() -> None:
        for place in [folder / name for name in reserved]:
            with suppress(OSError):
                if not place.stat().st_size:  # else a list has come there
                    place.unlink()

    try:
        with on_stop(give_back):
            for name in names:
                try:
                    os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                except FileExistsError:
                    raise _there_already(folder, name) from None
                reserved.add(name)
            yield reserved
    finally:
        give_back()


@contextmanager
def _draft_folder(folder: Path) -> Iterator[Path]:
    """Makes the folder, and one within it for unfinished files."""
    folder_for(folder)
    try:
        with scratch_folder(folder) as draft:
            yield draft
    except OSError as error:
        raise refused(folder, error) from None


# --- remembering --------------------------------------------------------------------------------


def _remember(warehouse: Warehouse, settings: Settings, made_at: datetime, run_id: str) -> None:
    """Writes the access log, and what is sent to whom, into the state."""
    given = {"at": made_at, "by": who_asks()}
    warehouse.execute(
        "create or replace temp table sent_looks as "
        "select replace(uuid()::varchar, '-', '') as access_id, $at::timestamp as accessed_at, "
        "$by as accessed_by, record_key(record_id) as record_key, $command as command "
        "from (select distinct record_id from worklist_rows)",
        {**given, "command": COMMAND},
    )
    warehouse.execute(
        "create or replace temp table sent_lists as "
        "select worklist_id, $run as run_id, $at::timestamp as made_at, $by as made_by, shape, "
        "nullif(province_code, 'unknown') as province_code, "
        "coalesce(any_value(addressee), any_value(province)) as office, count(*) as item_count "
        "from worklist_rows group by worklist_id, shape, province_code",
        {**given, "run": run_id},
    )
    warehouse.execute(
        "create or replace temp table sent_items as "
        "select worklist_id, published_key(record_id) as record_id, code, route, "
        "$at::timestamp as sent_at, due_at, seen from worklist_rows",
        {"at": made_at},
    )
    with open_state(settings) as state:
        for table, rows in (
            ("access_log", "sent_looks"),
            ("worklists", "sent_lists"),
            ("worklist_items", "sent_items"),
        ):
            append(warehouse, state, table, rows)


def append(warehouse: Warehouse, state: State, table: str, rows: str) -> None:
    """Adds the rows of a temporary table to a table of the state."""
    state.writer.insert(state.tables[table], warehouse.batches(f"select * from {rows}"))  # noqa: S608
    state.bump(table)
