"""Making the desk of a run: the cases, a search index, and what the records' stories are told from.

A snapshot of ten million records tells one story in half a second, because each table is large. The
desk holds the same tables for the waiting records only, a few in a hundred, so that a page is there
at once; stories of other records are read from the snapshot.

Belongs here: what is in a desk's file. Does not belong here: asking it (``asking.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pyarrow as pa

from etl.databases.writers import metadata_for, transaction
from etl.domain.codes import MatchStep
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline.places import LOOKED_UP
from etl.pipeline.snapshots import holding, opened
from etl.settings import Settings
from etl.state.store import open_state

VERSION = 4
"""The version of the file's content: a file of another version is made again."""

WAITING = (
    "AMBIGUOUS", "DUPLICATE_INSURANCE", "ID_SHARED", "INSURANCE_NUMBER_SHARED", "DECEASED_ACTIVE",
)  # fmt: skip
"""The mismatches that a person decides on; ``cases.sql`` says in which queue each is."""

CASES = TableName("publish", "cases")
FOUND = TableName("publish", "found")
OTHERS = TableName("publish", "others")
STATUSES = TableName("publish", "statuses")

_OF_RECORDS = (
    *(f"core.step_{step.value}" for step in MatchStep),
    "raw.insurance", "clean.insurance", "clean.rejects", "core.reconciled", "core.claims",
    "core.near_scores", "core.candidates", "core.mismatches", "core.corrections", "core.decided",
    "core.held_back", "core.links",
)  # fmt: skip
"""Tables of which the desk holds only the rows of waiting records."""

_WHOLE = (
    "clean.vocabularies", "ref.provinces", "ref.match_model", "ops.parameters", "ops.decisions",
    "core.register_size",
)  # fmt: skip
"""Small tables, of which the desk holds all rows."""

TOLD_OF = frozenset({*LOOKED_UP, *map(TableName.parse, (*_OF_RECORDS, *_WHOLE, "raw.population"))})
"""The tables from which a record's story is told and on which a decision is checked."""

_WAITING = "(select record_id from leaving.publish.cases)"

_VERDICTS = """
select reconciled.*
from core.reconciled as reconciled
where
    reconciled.record_id in (select record_id from leaving.publish.cases)
    or reconciled.record_id in (select record_id from ops.decisions)
order by reconciled.record_id
"""
"""Verdicts on decided records are held, too: the overview counts decisions by the records'
province."""

_CITIZENS = """
select population.*
from clean.population as population
where population.personal_id in (
    select personal_id from leaving.core.candidates
    union all
    select personal_id from leaving.core.links
    union all
    select personal_id from leaving.core.decided where personal_id is not null
)
order by population.personal_id
"""

_CITIZENS_AS_RECORDED = """
select population.*
from raw.population as population
where population.personal_id in (
    select recorded_personal_id from leaving.clean.population
)
order by population.personal_id
"""

_STATUSES = """
select
    coalesce(province_code, '') as province_code,
    status,
    count(*) as records
from core.reconciled
group by all
order by all
"""


def _statement(name: str) -> str:
    return files("etl.stewards.desk").joinpath(f"{name}.sql").read_text("utf-8")


def tables_of_a_desk() -> dict[TableName, str]:
    """Returns the tables of a desk in the order in which they are made, and the query of each."""
    made = {CASES: _statement("cases"), FOUND: _statement("found"), OTHERS: _statement("others")}
    for name in _OF_RECORDS:
        made[TableName.parse(name)] = (
            f"select * from {name} where record_id in {_WAITING} order by record_id"  # noqa: S608
        )
    made[TableName("core", "reconciled")] = _VERDICTS
    made[TableName("clean", "population")] = _CITIZENS
    made[TableName("raw", "population")] = _CITIZENS_AS_RECORDED
    made[STATUSES] = _STATUSES
    return made | {TableName.parse(name): f"from {name}" for name in _WHOLE}


@contextmanager
def desk_file(settings: Settings) -> Iterator[Path]:
    """Gives the file of the desk of the last published run, and keeps it from being pruned.

    The first caller makes it, if it is missing, which takes some seconds for each million records.

    Raises:
        NothingYetError: No run has published anything, or nothing of it is kept.
        ConnectionFailedError: The state or the target cannot be reached.
    """
    published = _published_runs(settings)
    with holding(settings, published.__contains__) as folder:
        file = folder / f"desk-{VERSION}.duckdb"
        if not file.exists():
            with opened(settings, folder) as warehouse:
                _make(settings, warehouse, file)
        yield file


def newest_published(settings: Settings, known: Collection[str]) -> str | None:
    """Returns the last published run, if it is not among the known ones."""
    last = max(_published_runs(settings), default=None)
    return None if last in known else last


def _published_runs(settings: Settings) -> set[str]:
    with open_state(settings) as state:
        runs = state.tables["runs"]
        found = state.writer.read(runs, ["run_id"], runs.c.published_at.is_not(None)).read_all()
    return set(found.column("run_id").to_pylist())


def _make(settings: Settings, warehouse: Warehouse, file: Path) -> None:
    codes = pa.table({"code": list(WAITING)})
    with (
        warehouse.lending("open_since", _open_since(settings)),
        warehouse.lending("waiting_codes", codes),
    ):
        warehouse.leave(file, tables_of_a_desk())


def _open_since(settings: Settings) -> pa.Table:
    """Since when each mismatch that waits for a person has been open, read from the target."""
    table = metadata_for(settings.target).tables
    (mismatches,) = (one for name, one in table.items() if name.rpartition(".")[2] == "mismatches")
    waiting = mismatches.c.code.in_(WAITING)
    with transaction(settings.target, "Reading the target", publishes=False) as reader:
        return reader.read(mismatches, ["record_id", "code", "since_at"], waiting).read_all()
