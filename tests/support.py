"""Helpers of the tests: databases, small registers, and a sync without Dagster.

Belongs here: what tests call. Does not belong here: fixtures (``conftest.py``) and tests.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import NullPool, create_engine, make_url, text

if TYPE_CHECKING:
    from etl.engine.port import Warehouse
    from etl.publish import PublishedCounts
    from etl.publish.ledger import Equation
    from etl.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
Row = Mapping[str, object]


# --- databases ------------------------------------------------------------------------------


@dataclass
class Server:
    """A real database server of one product.

    Attributes:
        product: ``postgresql`` or ``mariadb``.
        url: The administrator's URL, with ``{}`` in place of the database's name.
        home: The database that always exists on the server.
    """

    product: str
    url: str
    home: str

    def database(self) -> str:
        """Makes a fresh database and returns its URL."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        self.run(f"create database {name}")
        return self.url_of(name)

    def url_of(self, database: str | None, user: str = "", password: str = "") -> str:
        url = make_url(self.url.format(database or self.home))
        if user:
            url = url.set(username=user, password=password)
        return url.render_as_string(hide_password=False)

    def run(self, statement: str) -> None:
        run_sql(self.url_of(self.home), statement)


def run_sql(url: str, *statements: str, parameters: Sequence[Row] | None = None) -> None:
    """Runs statements on any database, each committed at once."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            for statement in statements:
                if parameters is None:
                    connection.execute(text(statement.replace(":", "\\:")))
                else:
                    connection.execute(text(statement), list(parameters))
                connection.commit()
    finally:
        engine.dispose()


def read_sql(url: str, query: str) -> list[dict[str, Any]]:
    """Returns the rows of a query as dictionaries."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            found = connection.execute(text(query.replace(":", "\\:")))
            return [dict(row) for row in found.mappings()]
    finally:
        engine.dispose()


def _engine(url: str) -> Any:
    parsed = make_url(url)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    parsed = parsed.set(drivername=drivers.get(parsed.drivername, parsed.drivername))
    level = {} if parsed.get_backend_name() == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    return create_engine(parsed, poolclass=NullPool, **level)


def memory_folder(prefix: str) -> Path:
    """Makes a folder, in memory if the machine offers that: tests need no durability."""
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own in it
    roomy = shared.is_dir() and os.access(shared, os.W_OK)
    if roomy:
        roomy = shutil.disk_usage(shared).free > 1 << 30
    return Path(tempfile.mkdtemp(prefix=prefix, dir=shared if roomy else None))


def free_port() -> int:
    """Returns a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def pages_served(settings: Settings) -> Iterator[None]:
    """Serves the Data Docs of a configuration to everybody, at the address to which checks link."""
    import uvicorn

    from assets.pages import pages_app
    from etl.report.charts import charts_file

    port = settings.quality.local_pages_port
    assert port is not None
    server = uvicorn.Server(
        uvicorn.Config(
            pages_app(settings.data_docs, charts_file(settings)), port=port, log_level="warning"
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield
    server.should_exit = True
    thread.join()


# --- registers ------------------------------------------------------------------------------

INSURANCE_COLUMNS = (
    "record_id", "insurance_number", "full_name", "date_of_birth", "gender", "id_number",
    "health_card_number", "compulsory_si", "voluntary_si", "unemployment_insurance",
    "health_insurance", "status", "employer_code", "province_code", "commune", "office",
    "address", "updated_at",
)  # fmt: skip
POPULATION_COLUMNS = (
    "personal_id", "full_name", "date_of_birth", "gender", "former_id_numbers", "status",
    "date_of_death", "province_code", "commune", "address", "updated_at",
)  # fmt: skip

_SURNAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ")
_GIVEN = ("Quyên", "Sen", "Bảo", "Trọng", "Phước", "Dịu", "Hải", "Lân", "Thảo", "Kiên", "Yến")


def citizen(number: int, **changes: object) -> dict[str, object]:
    """Returns an invented citizen; the same number always gives the same one."""
    year, woman = 1950 + number % 49, number % 2
    person = dict.fromkeys(POPULATION_COLUMNS) | {
        "personal_id": f"001{woman}{year % 100:02d}{number:06d}",
        "full_name": f"{_SURNAMES[number % 10]} {'Thị' if woman else 'Văn'} {_GIVEN[number % 11]}",
        "date_of_birth": f"{year}-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        "gender": "Nữ" if woman else "Nam",
        "status": "alive",
        "province_code": "01",
    }
    return person | changes


def record(number: int, **changes: object) -> dict[str, object]:
    """Returns the faultless insurance record of the citizen with that number."""
    person = citizen(number)
    kept = dict.fromkeys(INSURANCE_COLUMNS) | {
        "record_id": f"R{number:06d}",
        "insurance_number": f"79{number:08d}",
        "id_number": person["personal_id"],
        **{name: person[name] for name in ("full_name", "date_of_birth", "gender")},
        "compulsory_si": "0",
        "voluntary_si": "0",
        "unemployment_insurance": "0",
        "health_insurance": "1",
        "status": "active",
        "province_code": "01",
    }
    return kept | changes


SPARK: dict[str, object] = {
    "name": "spark",
    "master": "local[2]",
    "threads": 1,
    # With little data, optimising the code takes longer than running it.
    "spark": {
        "driver": {"memory": "2g", "extraJavaOptions": "-XX:TieredStopAtLevel=1"},
        "sql": {
            "shuffle": {"partitions": 2},
            "codegen": {"wholeStage": False, "factoryMode": "NO_CODEGEN"},
        },
    },
}
"""The settings of the engine, for little data."""


@dataclass
class Registers:
    """Two registers with a target, all three anywhere.

    Attributes:
        insurance: Rows of the table ``insurance``.
        population: Rows of the table ``population``.
    """

    folder: Path
    insurance: list[dict[str, object]]
    population: list[dict[str, object]]
    insurance_url: str
    population_url: str
    target_url: str
    # With little data one thread is faster than several.
    options: dict[str, object] = field(default_factory=lambda: {"engine": {"threads": 1}})

    def write(self) -> Registers:
        """Writes both tables anew, every column text and without a key."""
        fill(self.insurance_url, "insurance", INSURANCE_COLUMNS, self.insurance)
        fill(self.population_url, "population", POPULATION_COLUMNS, self.population)
        return self

    @property
    def _urls(self) -> tuple[str, str]:
        return self.insurance_url, self.population_url

    @property
    def file(self) -> Path:
        """Writes the configuration and returns its file."""
        more = dict(self.options)
        target, citizens = more.pop("target", {}), more.pop("population", {})
        records = more.pop("insurance", {})
        assert isinstance(target, dict)
        assert isinstance(citizens, dict)
        assert isinstance(records, dict)
        tables = [
            {} if url.startswith("parquet:") else {"table": register}
            for register, url in zip(("insurance", "population"), self._urls, strict=True)
        ]
        return configure(
            self.folder / "doisoat.toml",
            insurance={"url": self.insurance_url, **tables[0], **records},
            population={"url": self.population_url, **tables[1], **citizens},
            target={"url": self.target_url, **target},
            **more,
        )

    @property
    def settings(self) -> Settings:
        from etl.settings import load_settings

        return load_settings(self.file)

    def sync(self, mode: str = "full", *, replace: bool = False) -> Synced:
        return sync(self.settings, mode, replace=replace)

    def published(self, query: str) -> list[dict[str, Any]]:
        """Reads the target; ``{name}`` is replaced by the table's name in this product."""
        from etl.domain.contract import target_metadata

        prefix = "doisoat." if self.target_url.startswith("postgresql") else ""
        names = {name: prefix + name for name in target_metadata(None).tables}
        return read_sql(self.target_url, query.format(**names))

    def target_state(self) -> dict[str, list[dict[str, Any]]]:
        """Returns everything in the target, for comparison."""
        tables = ("reconciled", "mismatches", "candidates", "corrections", "rejects", "codes",
                  "mismatch_counts", "sync_runs", "waterfall", "worklist_status")  # fmt: skip
        return {
            name: sorted(self.published(f"select * from {{{name}}}"), key=str) for name in tables
        }


def fill(
    url: str,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    kinds: Mapping[str, str] | None = None,
) -> None:
    """Makes a table or a Parquet file anew and fills it; columns are text unless said otherwise."""
    if url.startswith("parquet:///"):
        rows_of = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in columns}
        pq.write_table(pa.table(rows_of), url.removeprefix("parquet:///"))
        return
    quote = "`" if url.startswith("mysql") else '"'
    kind = "longtext" if url.startswith("mysql") else "text"
    names = [f"{quote}{name}{quote}" for name in columns]
    typed = ", ".join(
        f"{name} {(kinds or {}).get(column, kind)}"
        for name, column in zip(names, columns, strict=True)
    )
    run_sql(url, f"drop table if exists {table}", f"create table {table} ({typed})")
    if rows:
        marks = ", ".join(f":p{i}" for i in range(len(columns)))
        run_sql(
            url,
            f"insert into {table} ({', '.join(names)}) values ({marks})",
            parameters=[{f"p{i}": row.get(c) for i, c in enumerate(columns)} for row in rows],
        )


def configure(file: Path, **sections: object) -> Path:
    """Writes a configuration; strings are settings of the top, dictionaries are sections."""
    lines = [f"{name} = {_toml(value)}" for name, value in sections.items()
             if not isinstance(value, Mapping)]  # fmt: skip
    for name, section in sections.items():
        if isinstance(section, Mapping):
            lines.append(f"\n[{name}]")
            lines += [f"{key} = {_toml(value)}" for key, value in section.items()]
    # Write it whole or not at all: a thread or a process of a run may be reading it.
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return new.replace(file)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- running --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Synced:
    """The result of a sync without Dagster."""

    run_id: str
    ledger: list[Equation]
    counts: PublishedCounts
    settings: Settings

    @property
    def changes(self) -> dict[str, tuple[int, int, int]]:
        """Rows inserted, updated and deleted, for each table that has any."""
        return {
            name: (d.inserted, d.updated, d.deleted)
            for name, d in self.counts.differences.items()
            if d.total
        }

    @property
    def broken(self) -> list[str]:
        """The equations of the ledger that do not hold."""
        return [str(equation) for equation in self.ledger if not equation.holds]


def sync(settings: Settings, mode: str = "full", *, replace: bool = False) -> Synced:
    """Runs a whole sync without Dagster and Great Expectations.

    Args:
        settings: The settings of the registers.
        mode: ``full`` or ``delta``.
        replace: Publish whatever share of the target's rows would vanish.
    """
    from etl.pipeline.lock import release_lock
    from etl.pipeline.run import Run, warehouse_for
    from etl.pipeline.runner import run
    from etl.publish import publish
    from etl.publish.ledger import balance

    try:
        made = Run(uuid.uuid4().hex, mode, replace=replace, whole=mode == "full")
        with warehouse_for(settings, made) as warehouse:
            run(warehouse, settings)
            ledger = balance(warehouse)
            counts = publish(warehouse, settings, (), replace=replace)
            run_id = str(warehouse.value("select run_id from ops.parameters"))
            return Synced(run_id, ledger, counts, settings)
    finally:
        release_lock(settings)


def from_warehouse(settings: Settings, query: str) -> list[dict[str, object]]:
    """Reads the warehouse of a configuration."""
    from etl.pipeline.snapshots import reading

    with reading(settings) as warehouse:
        return warehouse.rows(query)


@contextmanager
def writing(settings: Settings, mode: str = "full") -> Iterator[Any]:
    """Opens the warehouse as a run of only some tables does: with the last run's tables."""
    from etl.pipeline.lock import release_lock
    from etl.pipeline.run import Run, warehouse_for

    try:
        with warehouse_for(settings, Run(uuid.uuid4().hex, mode)) as warehouse:
            yield warehouse
    finally:
        release_lock(settings)


def compared_earlier(pair: Registers, days: float) -> None:
    """Lets so many days pass since published rows were compared with what they should hold."""
    with writing(pair.settings) as warehouse:
        warehouse.execute(
            "update ops.target_comparisons "
            f"set compared_at = compared_at - to_seconds({int(days * 86400)})"
        )


def from_state(settings: Settings, query: str) -> list[dict[str, Any]]:
    """Reads the state; ``{name}`` is replaced by the table's name in the product."""
    from etl.state.tables import metadata_for

    metadata, prefix = metadata_for(settings)
    names = {table.name.removeprefix(prefix): name for name, table in metadata.tables.items()}
    url = settings.state_database.parsed.render_as_string(hide_password=False)
    return read_sql(url, query.format(**names))


def remember(settings: Settings, table: str, **row: object) -> None:
    """Adds a row to the state of a configuration."""
    from etl.state.store import open_state

    with open_state(settings) as state:
        state.add(table, [row])


def decide(
    settings: Settings,
    record_id: str,
    personal_id: str | None,
    by: str = "steward",
    at: datetime | None = None,
    reason: str = "papers seen",
    seen: str | None = None,
) -> None:
    """Adds a steward's decision on a record as early versions stored it, apart from ``seen``."""
    remember(
        settings,
        "decisions",
        decision_id=uuid.uuid4().hex,
        record_id=record_id,
        personal_id=personal_id,
        decided_by=by,
        decided_at=at or datetime.now(UTC).replace(tzinfo=None),
        reason=reason,
        seen=seen,
    )


@dataclass(frozen=True)
class Command:
    """How a command ended."""

    exit_code: int
    output: str
    errors: str


@contextmanager
def empty_warehouse(folder: Path) -> Iterator[Warehouse]:
    """Opens a new warehouse with ``ops`` tables and a run, into which a register can be read."""
    from etl.engine.duckdb.warehouse import open_warehouse
    from etl.process.privacy import RecordKey
    from etl.state.copying import make_ops

    with open_warehouse(folder / f"{uuid.uuid4().hex}.duckdb", key=RecordKey(b"k" * 32)) as made:
        make_ops(made)
        made.execute("create table ops.parameters as select 'run' as run_id")
        yield made


# --- the documentation ------------------------------------------------------------------------


def docs_script(name: str) -> ModuleType:
    """Loads a script of ``docs/`` that writes a page."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
