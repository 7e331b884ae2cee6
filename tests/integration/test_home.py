"""The home: closed to others, made once even if many begin at once, and repaired if damaged."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import create_engine

from assets.resources import Doisoat as Resource
from assets.resources import DoisoatResource
from etl.domain.errors import ConfigError, ServerAwayError
from etl.process.home import prepare_home, take
from etl.settings import CONFIG_VARIABLE, load_settings
from tests.support import Command, Registers, configure

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_that_an_administrator_made_is_shut_with_all_that_is_in_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "dagster" / "history").mkdir(parents=True)
    (home / "dagster" / "history" / "runs.db").write_text("x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (home / "linked").symlink_to(outside)
    for path in (home, home / "dagster", outside):
        path.chmod(0o755)

    prepare_home(home)

    assert mode(home) == mode(home / "dagster") == mode(home / "dagster" / "history") == 0o700
    assert mode(home / "dagster" / "history" / "runs.db") == 0o600
    assert mode(outside) == 0o755, "a link leads out of the home"


def test_the_lock_of_another_user_blocks_nobody(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    lock = home / "run.lock"
    lock.write_text("")
    lock.chmod(0o644)
    with lock.open() as foreign:  # whoever can read a file can lock it
        fcntl.flock(foreign, fcntl.LOCK_SH)

        mine = take(lock, words="run 1")

        assert not isinstance(mine, str)
        assert take(lock) == "run 1"
        assert mode(lock) == 0o600
        mine.close()


@as_root
def test_a_home_of_another_user_is_refused_with_a_remedy(folder: Path) -> None:
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    asks = (
        "import os, sys; from pathlib import Path; from etl.process.home import prepare_home;"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "try: prepare_home(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", asks, str(home)], capture_output=True, text=True, check=True
    )
    assert "ConfigError The home is open to other users" in done.stdout
    assert "it belongs to root" in done.stdout
    assert "a folder inside it" in done.stdout


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigError, match="no folder"):
        prepare_home(tmp_path / "home")


@pytest.mark.wide
def test_a_page_without_personal_data_is_for_those_whom_the_umask_lets(
    registers: Make, doisoat: Doisoat
) -> None:
    pair = registers()
    pair.sync()
    page = pair.folder / "page.html"
    assert doisoat("--config", pair.file, "charts", "--output", page).exit_code == 0
    assert doisoat("--config", pair.file, "charts").exit_code == 0
    before = os.umask(0o022)
    os.umask(before)
    assert mode(page) == 0o666 & ~before
    assert mode(pair.folder / ".doisoat" / "charts" / "run.html") == 0o600


# --- Dagster's part of it -------------------------------------------------------------------


@pytest.fixture
def configured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DAGSTER_HOME", CONFIG_VARIABLE):
        monkeypatch.setenv(name, "")
    database = {"url": f"sqlite:///{folder}/none.db"}
    register = database | {"table": "none"}
    return configure(
        folder / "doisoat.toml", insurance=register, population=register, target=database
    )


def _begin(file: Path, at_once: object, answers: object) -> None:
    from assets.instance import instance_for

    at_once.wait()  # type: ignore[attr-defined]
    try:
        with instance_for(load_settings(file)) as instance:
            instance.get_runs(limit=1)
        answers.put("")  # type: ignore[attr-defined]
    except BaseException as error:
        answers.put(repr(error))  # type: ignore[attr-defined]


@pytest.mark.parametrize("trial", range(3))
def test_first_starts_at_once_leave_one_instance(configured: Path, trial: int) -> None:
    import assets.running  # noqa: F401 - loaded before the processes part, so that they race

    forked = multiprocessing.get_context("fork")
    at_once, answers = forked.Barrier(6), forked.Queue()
    processes = [
        forked.Process(target=_begin, args=(configured, at_once, answers)) for _ in range(6)
    ]
    for process in processes:
        process.start()
    told = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(30)
    assert told == [""] * 6


DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


@pytest.mark.parametrize("name", [*DATABASES, "dagster.yaml"])
@pytest.mark.parametrize("content", [b"", os.urandom(9_000), b"\xff\xfe: ["])
@pytest.mark.wide
def test_garbage_in_dagsters_files_is_set_aside(
    configured: Path, name: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    (settings.dagster_home / name).write_bytes(content)

    for _ in range(2):
        with instance_for(settings) as instance:
            assert instance.get_runs() == []
            assert instance.all_instigator_state() == []
    if content:
        assert "is damaged; it was set aside" in caplog.text


def test_a_killed_run_whose_log_is_garbage_is_buried_all_the_same(configured: Path) -> None:
    from assets.instance import instance_for
    from assets.processes import bury_dead_runs, this_process

    settings = load_settings(configured)
    with instance_for(settings) as instance:
        died = this_process() | {".dagster/doisoat_process": "4194305"}  # an id that no process has
        run = dg.DagsterRun(job_name="full_sync", tags=died, status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        log = settings.dagster_home / "history" / "runs" / f"{run.run_id}.db"
        log.write_bytes(os.urandom(9_000))
    with instance_for(settings) as instance:
        assert bury_dead_runs(instance, settings) == [run.run_id]
        (found,) = instance.get_runs()
        assert found.status == dg.DagsterRunStatus.FAILURE
        assert list(log.parent.glob(f"{log.name}.damaged-*"))
    with instance_for(settings) as instance:
        assert bury_dead_runs(instance, settings) == []


@pytest.mark.parametrize("name", ["", "history", "history/runs", "schedules"])
def test_a_file_where_a_folder_of_dagsters_belongs_is_set_aside(
    configured: Path, name: str
) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    place = settings.dagster_home / name
    shutil.rmtree(place)
    place.write_text("")
    with instance_for(settings) as instance:
        assert instance.get_runs() == []


@pytest.mark.parametrize("name", ["dagster.lock", "dagster/dagster.yaml"])
def test_a_folder_where_a_file_belongs_is_set_aside(configured: Path, name: str) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    (settings.home / name).unlink()
    (settings.home / name).mkdir()
    with instance_for(settings) as instance:
        assert instance.get_runs() == []


def test_no_setting_of_the_ui_lets_two_write_or_nobody(configured: Path) -> None:
    from assets.instance import WAREHOUSE_POOL, instance_for

    settings = load_settings(configured)
    with instance_for(settings) as instance:
        instance.event_log_storage.set_concurrency_slots(WAREHOUSE_POOL, 0)
    with instance_for(settings) as instance:
        assert instance.event_log_storage.get_concurrency_info(WAREHOUSE_POOL).slot_count == 1


def test_an_earlier_versions_file_is_completed_and_anothers_kept(configured: Path) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    file = settings.dagster_home / "dagster.yaml"
    whole = file.read_text()
    file.write_text(whole[: whole.index("# What a run prints")])
    instance_for(settings).dispose()
    instance_for(settings).dispose()
    assert file.read_text().count("compute_logs") == 1


class StorageAway(DagsterSqliteStorage):
    """A storage for Dagster on a server that cannot be reached."""

    @classmethod
    def config_type(cls) -> dict[str, object]:
        return {}

    @classmethod
    def from_config_value(cls, *_: object, **__: object) -> StorageAway:
        with create_engine(os.environ["OF_DAGSTER"]).connect():
            raise AssertionError("somebody listens on port 1")


STORAGE = """
storage:
  {}:
    postgres_url:
      env: OF_DAGSTER
"""


@pytest.mark.parametrize("raw", ["abcd@efgh", "ab/cd@efgh", "abcd%41efgh", "a%zefgh"])
def test_a_raw_character_in_the_url_of_dagsters_storage_is_refused_and_not_shown(
    configured: Path, monkeypatch: pytest.MonkeyPatch, raw: str
) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    file = settings.dagster_home / "dagster.yaml"
    file.write_text(file.read_text() + STORAGE.format("postgres"))
    monkeypatch.setenv("OF_DAGSTER", f"postgresql://dagster:{raw}@db.example:5432/dagster")

    with pytest.raises(ConfigError, match="may have ended it") as caught:
        instance_for(settings)

    assert "postgres_db" in caught.value.remedy
    assert "efgh" not in str(caught.value)


def test_a_storage_of_dagsters_that_is_away_is_told_and_nothing_is_set_aside(
    configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    file = settings.dagster_home / "dagster.yaml"
    own = file.read_text()
    monkeypatch.setenv("OF_DAGSTER", "postgresql+psycopg://dagster:s3cret@127.0.0.1:1/dagster")
    custom = (
        "storage:\n  custom:\n    module: tests.integration.test_home\n    class: StorageAway\n"
    )
    for storage in (STORAGE.format("postgres"), custom):  # no package; no server
        file.write_text(own + storage)
        with pytest.raises(ServerAwayError, match="cannot be opened") as caught:
            instance_for(settings)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__suppress_context__
    assert not list(settings.home.glob("*damaged*"))


def test_two_heads_of_an_earlier_version_are_set_aside(configured: Path) -> None:
    import sqlite3
    from contextlib import closing

    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    with closing(sqlite3.connect(settings.dagster_home / "history" / "runs.db")) as runs, runs:
        runs.execute("insert into alembic_version values ('567bc23fd1ac')")
    with instance_for(settings) as instance:
        assert instance.get_runs() == []


def test_a_wrong_word_in_dagsters_configuration_is_named_and_left(configured: Path) -> None:
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    file = settings.dagster_home / "dagster.yaml"
    file.write_text("retentoin: {}\n")
    with pytest.raises(ConfigError, match="retentoin") as told:
        instance_for(settings)
    assert str(file) in told.value.where
    assert file.read_text() == "retentoin: {}\n"


def test_a_wrong_value_in_dagsters_configuration_is_not_quoted(configured: Path) -> None:
    """The value may be a password."""
    from assets.instance import instance_for

    settings = load_settings(configured)
    instance_for(settings).dispose()
    file = settings.dagster_home / "dagster.yaml"
    file.write_text("telemetry:\n  enabled: s3cret-Passw0rd\n")
    with pytest.raises(ConfigError) as told:
        instance_for(settings)
    assert "s3cret" not in str(told.value)
    assert str(file) in told.value.where


def test_a_locked_history_is_not_taken_for_a_damaged_one(configured: Path) -> None:
    from assets.instance import of_damage

    assert not of_damage(Exception("database is locked"))
    assert not of_damage(Exception("database or disk is full"))
    assert of_damage(Exception("file is not a database"))


def test_a_run_takes_no_configuration_from_whoever_launches_it(tmp_path: Path) -> None:
    from assets.definitions import build_defs

    place = {"url": "sqlite:///x.db"}
    own, foreign = tmp_path / "own", tmp_path / "foreign"
    for folder in (own, foreign):
        folder.mkdir()
        configure(
            folder / "doisoat.toml", insurance=place | {"table": "t"},
            population=place | {"table": "t"}, target=place,
        )  # fmt: skip

    @dg.asset
    def which(doisoat: DoisoatResource) -> str:
        return str(doisoat.settings.file)

    named = {"config_file": str(foreign / "doisoat.toml")}
    found = dg.materialize(
        [which],
        resources={"doisoat": Resource(own / "doisoat.toml"), "io_manager": dg.mem_io_manager},
        run_config={
            "resources": {
                "doisoat": {"config": named},
                "io_manager": {"config": {"base_dir": str(foreign / "made")}},
            }
        },
    )
    assert found.output_for_node("which") == str(own / "doisoat.toml")
    assert not (foreign / "made").exists()
    # No part of the job accepts a run's configuration: none has a schema for it.
    job = build_defs(load_settings(own / "doisoat.toml")).resolve_job_def("full_sync")
    parts = job.run_config_schema.config_type.fields
    asked = {
        name: getattr(field.config_type.fields["config"].config_type, "fields", None)
        for part in ("ops", "resources")
        for name, field in parts[part].config_type.fields.items()
    }
    assert len(asked) > 50
    assert not any(asked.values())
