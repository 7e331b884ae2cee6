"""What must survive from run to run is in a database, so losing the home costs only time."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from threading import Event as ThreadEvent
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from etl.databases.connect import engine_for
from etl.domain.errors import ConfigError, PublishError, QualityGateError, ServerAwayError
from etl.engine.duckdb.warehouse import open_warehouse
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.snapshots import reading
from etl.process.privacy import load_record_key
from etl.publish import publish
from etl.reconcile.model import default_model
from etl.report.triage import read_rules
from etl.settings import Settings, Target
from etl.state import schema
from etl.state.copying import BETWEEN_RUNS, save_now
from etl.state.moving import export_state, import_state
from etl.state.retention import forget_old
from etl.state.store import open_state
from etl.state.tables import SCOPES, metadata_for
from tests.support import (
    Command,
    Registers,
    Server,
    citizen,
    decide,
    from_state,
    from_warehouse,
    record,
    remember,
    run_sql,
    writing,
)

Make = Callable[..., Registers]
PRODUCTS = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(params=PRODUCTS)
def pair(request: pytest.FixtureRequest, registers: Make) -> Registers:
    """Registers with a target of each product."""
    made = registers()
    if request.param != "sqlite":
        server: Server = request.getfixturevalue(request.param)
        made.target_url = server.database()
    return made


@pytest.fixture
def small(registers: Make) -> Registers:
    return registers()


@pytest.fixture
def ran(synced: Make) -> Registers:
    """The same after a first sync."""
    return synced()


def lose_home(pair: Registers) -> None:
    """Deletes the home except the secret of the record keys."""
    home = pair.settings.home
    key = (home / "record_key").read_bytes()
    shutil.rmtree(home)
    home.mkdir(mode=0o700)
    (home / "record_key").write_bytes(key)
    (home / "record_key").chmod(0o600)


def copied(pair: Registers) -> dict[str, list[dict[str, object]]]:
    """The working copy, without tables that belong to one warehouse only."""
    return {
        name: sorted(
            from_warehouse(
                pair.settings,
                f"select * exclude (saved) replace (null as of_state) from ops.{name}"
                if name in ("ledger", "quality_results")
                else f"select * exclude (saved) from ops.{name}",
            ),
            key=str,
        )
        for name in SCOPES
        if name != "access_log"
    }


# --- the home is lost ---------------------------------------------------------------------------


@pytest.mark.wide
def test_a_lost_home_loses_nothing_that_was_known(pair: Registers):
    """Ages, notes, decisions, models, history and earlier runs' numbers of rows are there again."""
    pair.sync()
    decide(pair.settings, "R000003", None)
    now = datetime(2026, 1, 1, 12, 30, 15, 123456)
    remember(pair.settings, "acknowledgements", table_name="core.links", check_name="x",
             acknowledged_by="Lân", reason="đã biết", acknowledged_at=now,
             expires_at=now + timedelta(days=3))  # fmt: skip
    remember(pair.settings, "models", version="v1", trained_at=now,
             model=default_model().to_json())  # fmt: skip
    pair.sync()
    known = copied(pair)
    assert known["link_history"]
    assert known["models"]
    assert known["acknowledgements"][0]["acknowledged_at"] == now
    assert known["acknowledgements"][0]["acknowledged_by"] == "Lân"
    assert len(known["runs"]) == 2

    lose_home(pair)
    with warehouse_for(pair.settings, Run("after")):
        pass
    release_lock(pair.settings)

    found = copied(pair)
    found["runs"] = [row for row in found["runs"] if row["dagster_run_id"] != "after"]
    assert found == known
    assert pair.sync().changes == {}


def test_an_age_outlives_the_home(small: Registers):
    small.insurance[0]["full_name"] = "Người Khác Hẳn"
    small.write()
    first = small.sync().run_id
    (since,) = {row["since_run"] for row in small.published("select since_run from {mismatches}")}
    assert since == first

    lose_home(small)

    assert small.sync().changes == {}
    (since,) = {row["since_run"] for row in small.published("select since_run from {mismatches}")}
    assert since == first


# --- one transaction ----------------------------------------------------------------------------


def test_publish_and_history_commit_together(pair: Registers, monkeypatch: pytest.MonkeyPatch):
    """A publish whose last statement fails leaves neither rows nor history in target and state."""
    pair.sync()
    before, links = pair.target_state(), from_state(pair.settings, "select * from {link_history}")
    pair.insurance.append(record(40))
    pair.population.append(citizen(40))
    pair.write()

    def fails(*_: object) -> None:
        raise PublishError("The disk of the server is full.")

    with monkeypatch.context() as patched:
        patched.setattr("etl.publish.transaction.save", fails)
        with pytest.raises(PublishError):
            pair.sync()
    assert pair.target_state() == before
    assert from_state(pair.settings, "select * from {link_history}") == links

    pair.sync()
    opened = from_state(pair.settings, "select * from {link_history} where record_id = 'R000040'")
    assert len(opened) == 1


def test_a_commit_that_only_the_server_knows_of_is_read_back(ran: Registers):
    """The process died after the commit, so the warehouse lacks what the state has."""
    file = ran.settings.warehouse_path
    kept = file.with_suffix(".kept")
    shutil.copy(file, kept)
    ran.insurance.pop()
    ran.write()
    ran.sync(replace=True)
    closed = from_state(ran.settings, "select * from {link_history} where closed_run is not null")
    assert len(closed) == 1
    kept.replace(file)  # as it was before that run

    assert ran.sync().changes == {}
    assert from_state(
        ran.settings, "select * from {link_history} where closed_run is not null"
    ) == closed  # fmt: skip
    runs = from_state(ran.settings, "select * from {runs} where published_at is not null")
    assert len(runs) == 3


def test_what_was_judged_before_a_gate_stops_a_run_is_kept(ran: Registers):
    with warehouse_for(ran.settings, Run("stopped")) as warehouse:
        warehouse.execute(
            "insert into ops.quality_results by name select run_id, 'core.links' as table_name, "
            "'x' as check_name, 'error' as severity, true as blocking, false as passed, "
            "current_timestamp::timestamp as checked_at from ops.parameters"
        )
        save_now(warehouse, ran.settings)
    release_lock(ran.settings)
    (found,) = from_state(ran.settings, "select * from {quality_results}")
    assert found["check_name"] == "x"


def test_what_could_not_be_kept_is_kept_by_the_next_run(
    ran: Registers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with (
        warehouse_for(ran.settings, Run("stopped")) as warehouse,
        monkeypatch.context() as patched,
    ):
        _out_of_reach(patched)
        save_now(warehouse, ran.settings)
    release_lock(ran.settings)
    assert "the next run keeps it" in caplog.text
    assert len(from_state(ran.settings, "select * from {runs}")) == 1

    ran.sync()
    assert len(from_state(ran.settings, "select * from {runs}")) == 3


# --- the database -------------------------------------------------------------------------------


def _out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ServerAwayError("Nobody listens there.")

    monkeypatch.setattr("etl.state.store.bring_forward", refuse)


def test_a_run_goes_on_with_its_copy_where_the_state_is_out_of_reach(
    ran: Registers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    _out_of_reach(monkeypatch)
    with warehouse_for(ran.settings, Run("later")) as warehouse:
        assert warehouse.number("select count(*) from ops.link_history")
    release_lock(ran.settings)
    assert "its copy in the home is used" in caplog.text


def test_a_run_without_a_copy_does_not_begin_where_the_state_is_out_of_reach(
    small: Registers, monkeypatch: pytest.MonkeyPatch
):
    """Such a run would take every failure and every mismatch for new."""
    _out_of_reach(monkeypatch)
    with pytest.raises(ServerAwayError):
        small.sync()


def test_the_state_may_lie_in_another_database(small: Registers, folder: Path):
    small.options = {**small.options, "state": {"url": f"sqlite:///{folder}/state.db"}}
    small.sync()
    assert small.settings.state_database.parsed.database == f"{folder}/state.db"
    assert len(from_state(small.settings, "select * from {link_history}")) == len(small.insurance)

    # If the state is moved to another database, everything known is written there.
    small.options = {**small.options, "state": {"url": f"sqlite:///{folder}/moved.db"}}
    small.sync()
    assert len(from_state(small.settings, "select * from {link_history}")) == len(small.insurance)
    assert len(from_state(small.settings, "select * from {runs}")) == 2


def test_a_wrong_url_of_the_state_is_refused_without_its_password(small: Registers):
    small.options = {**small.options, "state": {"url": "postgresql://me:s3cr@t#x@host/db"}}
    with pytest.raises(ConfigError, match="state") as refused:
        _ = small.settings
    assert "s3cr" not in str(refused.value)
    small.options = {**small.options, "state": {"user": "me"}}
    with pytest.raises(ConfigError, match="no 'url'"):
        _ = small.settings


def test_another_installation_is_refused_before_it_reads_anything(ran: Registers):
    links = from_state(ran.settings, "select * from {link_history}")
    shutil.rmtree(ran.settings.home)  # with the secret of the record keys
    with pytest.raises(QualityGateError, match="Another installation"):
        ran.sync()
    assert from_state(ran.settings, "select * from {link_history}") == links
    assert len(from_state(ran.settings, "select * from {runs}")) == 1

    assert ran.sync(replace=True).changes == {}
    assert len(from_state(ran.settings, "select * from {runs}")) == 2


# --- versions -----------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_the_code_knows(pair: Registers):
    settings = pair.settings
    schema.bring_forward(settings)
    metadata, _ = metadata_for(settings)
    engine = engine_for(settings.state_database, read_only=True)
    ours = {table.name for table in metadata.tables.values()}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": metadata.schema is not None,
                "include_object": lambda _, name, kind, *__: kind != "table" or name in ours,
                "compare_type": True,
            },
        )
        differences = [
            found for found in compare_metadata(context, metadata) if "comment" not in str(found[0])
        ]
        assert schema.version_of(connection, settings) == schema.HEAD
    engine.dispose()
    assert differences == []
    schema.bring_forward(settings)  # a second time changes nothing


def test_the_last_migration_is_the_version_of_the_code():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "etl.state:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def at_revision(settings: Settings, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the state as the version with that revision made it."""
    from alembic import command

    upgrade = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, revision))
        schema.bring_forward(settings)


def test_a_row_of_the_first_revision_lives_on(pair: Registers, monkeypatch: pytest.MonkeyPatch):
    at_revision(pair.settings, "0001", monkeypatch)
    pair.settings.home.mkdir(mode=0o700)
    key = load_record_key(pair.settings.home)
    with open_warehouse(pair.folder / "other.duckdb", key=key) as warehouse:
        installation = warehouse.value("select record_key('installation')")
    metadata, prefix = metadata_for(pair.settings)
    table = ".".join(filter(None, (metadata.schema, f"{prefix}acknowledgements")))
    run_sql(
        pair.settings.state_database.parsed.render_as_string(hide_password=False),
        f"insert into {table} (table_name, check_name, acknowledged_by, acknowledged_at, reason, "
        "expires_at) values ('core.links', 'x', 'Lan', '2026-01-01', 'known', '2026-02-01')",
    )

    run_sql(
        pair.settings.state_database.parsed.render_as_string(hide_password=False),
        f"insert into {table.replace('acknowledgements', 'decisions')} (decision_id, record_id, "
        "decided_by, decided_at, reason) values ('d', 'R000003', 'Lan', '2026-01-01', 'papers')",
        f"insert into {table.replace('acknowledgements', 'identity')} "
        f"(state_id, installation_id, made_at) values ('s', '{installation}', '2026-01-01')",
        f"insert into {table.replace('acknowledgements', 'revisions')} "
        "(table_name, revision) values ('decisions', 1), ('acknowledgements', 1)",
    )

    pair.write().sync()

    (note,) = from_state(pair.settings, "select * from {acknowledgements}")
    assert note["reason"] == "known"
    (status,) = pair.published("select status from {reconciled} where record_id = 'R000003'")
    assert status["status"] == "NOT_FOUND"  # somebody decided that it is no citizen's


def test_an_administrator_may_run_what_is_to_be_done(
    pair: Registers, monkeypatch: pytest.MonkeyPatch
):
    """All statements are run; then, on an earlier version's state, those that came later."""
    database = pair.settings.state_database
    url = database.parsed.render_as_string(hide_password=False)
    at_revision(pair.settings, "0001", monkeypatch)
    later = schema.statements_to_head(pair.settings)
    assert "verdict" in later
    assert "link_history" not in later
    run_sql(url, *filter(str.strip, later.split(";\n")))

    engine = engine_for(database, read_only=True)
    with engine.connect() as connection:
        assert schema.version_of(connection, pair.settings) == schema.HEAD
    engine.dispose()
    assert "nothing is to be done" in schema.statements_to_head(pair.settings)
    pair.write().sync()


@pytest.mark.parametrize("product", ["sqlite", "postgresql"])
def test_the_statements_make_a_state_from_nothing(
    registers: Make, request: pytest.FixtureRequest, product: str
):
    pair = registers()
    if product != "sqlite":
        pair.target_url = request.getfixturevalue(product).database()
    made = schema.statements_to_head(pair.settings)

    run_sql(pair.target_url, *filter(str.strip, made.split(";\n")))

    assert "nothing is to be done" in schema.statements_to_head(pair.settings)
    pair.write().sync()
    assert len(from_state(pair.settings, "select 1 from {runs}")) == 1


# --- in a file ----------------------------------------------------------------------------------


@pytest.mark.wide
def test_a_state_moves_to_another_database_in_a_file(
    registers: Make, postgresql: Server, doisoat_here: Callable[..., Command], folder: Path
):
    pair = registers()
    pair.insurance[0]["full_name"] = "Người Khác Hẳn"
    pair.write()
    first = pair.sync().run_id
    decide(pair.settings, "R000003", None)
    pair.sync()
    known = copied(pair)
    file = folder / "state.zip"

    told = doisoat_here("--config", pair.file, "state", "export", file)
    assert told.exit_code == 0, told.errors
    assert file.stat().st_mode & 0o077 == 0
    pair.options["state"] = {"url": postgresql.database()}
    pair.write()
    told = doisoat_here("--config", pair.file, "state", "import", file)
    assert told.exit_code == 0, told.errors

    lose_home(pair)
    pair.sync()
    found = copied(pair)
    assert [run for run in found["runs"] if run in known["runs"]] == known["runs"]
    assert found["decisions"] == known["decisions"]
    assert found["link_history"] == known["link_history"]
    assert first in {
        row["since_run"] for row in pair.published("select since_run from {mismatches}")
    }
    again = doisoat_here("--config", pair.file, "state", "import", file)
    assert again.exit_code == 2
    assert "There is a state already; nothing was read." in again.errors
    assert copied(pair) == found


@pytest.mark.parametrize("damage", ["cut", "emptied", "another", "other bytes", "another method"])
def test_a_file_that_is_no_whole_state_is_refused_and_the_state_is_as_it_was(
    ran: Registers, folder: Path, damage: str
):
    file = folder / "state.zip"
    export_state(ran.settings, file)
    before = from_state(ran.settings, "select * from {link_history} order by record_id")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-2000])
    elif damage == "another":
        file.write_bytes(b"PK")
    elif damage == "another method":
        content = bytearray(file.read_bytes())
        content[content.rindex(b"PK\x01\x02") + 10] = 99
        file.write_bytes(content)
    elif damage == "other bytes":
        content = file.read_bytes()
        at = content.index(b"link_history.parquet") + 200
        file.write_bytes(content[:at] + bytes(40) + content[at + 40 :])
    else:
        emptied = folder / "emptied.zip"
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(emptied, "w") as new:
            for name in old.namelist():
                if "link_history" not in name:
                    new.writestr(name, old.read(name))
        file = emptied

    with pytest.raises(ConfigError, match="no state of doisoat, or not whole"):
        import_state(ran.settings, file, replace=True)

    after = from_state(ran.settings, "select * from {link_history} order by record_id")
    assert after == before
    assert before


_WHEN = {"acknowledgements": "acknowledged_at", "decisions": "decided_at", "models": "trained_at"}


def test_a_snapshot_of_an_earlier_version_is_read(ran: Registers):
    """The snapshot lacks a column that the state has now."""
    key = load_record_key(ran.settings.home)
    with open_warehouse(ran.settings.warehouse_path, key=key) as warehouse:
        for table in BETWEEN_RUNS:  # (views use other columns)
            warehouse.execute(f"alter table ops.{table} drop column {_WHEN[table]}")

    assert read_rules(ran.settings) == []


def test_a_state_of_a_newer_version_is_refused(ran: Registers):
    run_sql(ran.target_url, "update state_schema_version set version_num = '9999'")
    with pytest.raises(ConfigError, match="newer version"):
        ran.sync()


def test_the_memory_of_earlier_versions_goes_into_the_state(small: Registers):
    """The tables of ops as earlier versions made them: without this version's columns."""
    small.write()
    settings = small.settings
    settings.home.mkdir(mode=0o700)
    key = load_record_key(settings.home)
    with open_warehouse(settings.warehouse_path, key=key) as warehouse:
        warehouse.execute("""
            create table ops.runs (
                run_id varchar primary key, dagster_run_id varchar not null,
                mode varchar not null, started_at timestamp not null, published_at timestamp
            );
            insert into ops.runs values ('old', 'o', 'full', '2026-01-01', '2026-01-01');
            create table ops.decisions (
                record_id varchar not null, personal_id varchar, decided_by varchar not null,
                reason varchar not null, decided_at timestamp not null
            );
            insert into ops.decisions values ('R000002', null, 'Lan', 'seen', '2026-01-01'),
                ('R000003', null, 'Lan', 'seen', '2026-01-01');
            create table ops.access_log (
                accessed_at timestamp not null, accessed_by varchar not null,
                record_key varchar not null, command varchar not null
            );
            insert into ops.access_log values ('2026-01-01', 'Lan', 'k', 'explain'),
                ('2026-01-01', 'Lan', 'k', 'explain');
            create table ops.quality_failures (
                run_id varchar not null, table_name varchar not null, check_name varchar not null,
                record_key varchar not null, first_run varchar, first_seen timestamp,
                closed_run varchar, closed_at timestamp
            );
            insert into ops.quality_failures
            values ('old', 'core.links', 'x', 'k', 'old', '2026-01-01', null, null);
        """)

    small.sync()

    assert {row["run_id"] for row in from_state(settings, "select * from {runs}")} > {"old"}
    assert len(from_state(settings, "select distinct decision_id from {decisions}")) == 2
    assert len(from_state(settings, "select distinct access_id from {access_log}")) == 2
    (failure,) = from_state(settings, "select * from {quality_failures}")
    assert failure["first_run"] == "old"
    assert from_warehouse(settings, "select count(*) as n from ops.access_log") == [{"n": 0}]
    assert small.sync().changes == {}
    assert len(from_state(settings, "select * from {access_log}")) == 2


def test_a_long_record_id_lives_on_in_its_history(small: Registers):
    """The state uses the target's shortened form of the id, which a database can index."""
    small.insurance[0]["record_id"] = "x" * 300
    small.write()
    small.sync()
    small.sync()
    links = from_state(small.settings, "select * from {link_history}")
    assert len(links) == len(small.insurance)
    assert all(row["closed_run"] is None for row in links)


def test_a_revision_grows_with_each_write(ran: Registers):
    with open_state(ran.settings) as state:
        before = state.revisions()
    decide(ran.settings, "R1", None)
    with open_state(ran.settings) as state:
        after = state.revisions()
    assert after == before | {"decisions": before.get("decisions", 0) + 1}


def test_what_a_command_writes_while_a_run_forgets_is_known_to_the_next(ran: Registers):
    def acknowledge(check: str, expires: datetime) -> None:
        remember(
            ran.settings, "acknowledgements", table_name="core.links", check_name=check,
            acknowledged_by="me", reason="known", acknowledged_at=datetime(2026, 1, 1),
            expires_at=expires,
        )  # fmt: skip

    ran.options["state"] = {"keep_days": 60}
    acknowledge("old", datetime(2020, 1, 1))
    with writing(ran.settings) as warehouse:
        acknowledge("new", datetime(2999, 1, 1))
        with warehouse.transaction(), open_state(ran.settings) as state:
            forget_old(warehouse, state, ran.settings, [])

    with writing(ran.settings) as warehouse:
        assert warehouse.rows("select check_name from ops.acknowledgements") == [
            {"check_name": "new"}
        ]


def test_writers_of_one_moment_lose_no_revision(registers: Make, postgresql: Server):
    """By the revision a command sees what others have written and reads it; none may be lost."""
    pair = registers()
    pair.target_url = postgresql.database()
    pair.sync()
    begun = Barrier(4)

    def write(number: int) -> None:
        begun.wait()
        for _ in range(5):
            with open_state(pair.settings) as state:
                state.add("models", [_model(f"{number}-{uuid4().hex}")])

    with open_state(pair.settings) as state:
        state.add("models", [_model("first")])
        before = state.revisions()["models"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with open_state(pair.settings) as state:
        assert state.revisions()["models"] == before + 20
        assert state.read("models", ["version"]).read_all().num_rows == 21


def _model(version: str) -> dict[str, object]:
    return {"version": version[:32], "trained_at": datetime(2026, 1, 1), "model": "{}"}


def test_no_publish_without_its_history(ran: Registers):
    """Publishing takes the settings and not only a target, so the state cannot be left out."""
    with warehouse_for(ran.settings, Run("again")) as warehouse:
        publish(warehouse, ran.settings, ())
        assert not warehouse.number("select count(*) from ops.runs where not saved")
    release_lock(ran.settings)
    with reading(ran.settings) as warehouse:
        assert not warehouse.number("select count(*) from ops.link_history where not saved")
    assert isinstance(ran.settings.target, Target)
    assert isinstance(ran.settings.target.url, SecretStr)


# --- migrations that break off, or meet another --------------------------------------------------


def _at_head(settings: Settings) -> bool:
    engine = engine_for(settings.state_database, read_only=False)
    with engine.connect() as connection:
        found = schema.version_of(connection, settings)
    engine.dispose()
    return found == schema.HEAD


class _StoppedError(Exception):
    """Somebody stopped the process, or the connection broke."""


@contextmanager
def _stopped_after(changes: int) -> Iterator[None]:
    """Stops whoever changes tables further, after so many changes."""
    left = changes

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal left
        if statement.lstrip().upper().startswith(("CREATE", "ALTER")):
            if not left:
                raise _StoppedError
            left -= 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", count)


@pytest.mark.wide
def test_a_migration_that_breaks_off_at_every_change_goes_on_with_the_next(pair: Registers):
    """MariaDB keeps each table and column by itself, the other products all of them or none."""
    settings, broken_off = pair.settings, 0
    together = settings.state_database.parsed.get_backend_name() != "mysql"
    while not _at_head(settings):
        with suppress(_StoppedError), _stopped_after(broken_off if together else 1):
            schema.bring_forward(settings)
        broken_off += 1
        assert broken_off < 100, "no run comes further than the one before"

    assert broken_off > len(metadata_for(settings)[0].tables), "each broke off once at least"
    schema.bring_forward(settings)
    assert len(from_state(settings, "select verdict, seen from {decisions}")) == 0


def test_an_administrator_is_told_only_what_is_missing_where_a_migration_broke_off(
    registers: Make, mariadb: Server
):
    pair = registers()
    pair.target_url = mariadb.database()
    with pytest.raises(_StoppedError), _stopped_after(4):
        schema.bring_forward(pair.settings)

    missing = schema.statements_to_head(pair.settings)
    run_sql(pair.target_url, *filter(str.strip, missing.split(";\n")))

    assert "state_ledger" in missing
    assert "state_identity" not in missing
    assert _at_head(pair.settings)


@pytest.mark.parametrize("found", ["nothing", "0001", "0002"])
def test_of_two_processes_that_bring_the_state_forward_one_waits(
    pair: Registers, monkeypatch: pytest.MonkeyPatch, found: str
):
    """The second one begins while the first has made the tables and has not committed yet."""
    from alembic import command

    if found != "nothing":
        at_revision(pair.settings, found, monkeypatch)
    upgrade, made, runs = command.upgrade, ThreadEvent(), []

    def slowly(*arguments: object) -> None:
        runs.append(arguments)
        upgrade(*arguments)
        made.set()
        time.sleep(0.5)

    monkeypatch.setattr(command, "upgrade", slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(schema.bring_forward, pair.settings)
        assert made.wait(60)
        second = pool.submit(schema.bring_forward, pair.settings)
        first.result(60)
        second.result(60)

    assert len(runs) == 1, "the second has waited, and then found all done"
    assert _at_head(pair.settings)


@pytest.mark.parametrize("reported", ["the database", "Alembic"])
def test_what_another_process_has_finished_meanwhile_is_no_error(
    small: Registers, monkeypatch: pytest.MonkeyPatch, reported: str
):
    """As where a product has no lock for it."""
    from alembic import command
    from alembic.util import CommandError

    upgrade = command.upgrade
    refusal = (
        OperationalError("create table", None, Exception("table exists"))
        if reported == "the database"
        else CommandError("expected to match one row")
    )

    def meanwhile(config: Config, revision: str) -> None:
        upgrade(config, revision)
        config.attributes["connection"].commit()
        raise refusal

    monkeypatch.setattr(command, "upgrade", meanwhile)
    schema.bring_forward(small.settings)
    assert _at_head(small.settings)


def test_a_version_that_changes_under_a_migration_is_not_called_newer(
    small: Registers, monkeypatch: pytest.MonkeyPatch
):
    from alembic import command
    from alembic.util import CommandError

    def refuse(*_: object) -> None:
        raise CommandError("expected to match one row")

    monkeypatch.setattr(command, "upgrade", refuse)
    with pytest.raises(ServerAwayError, match="Another process brings the state forward"):
        schema.bring_forward(small.settings)
