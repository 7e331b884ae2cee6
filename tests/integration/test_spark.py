"""Spark builds every table as DuckDB does, row for row; and what is said if it cannot run.

The registers of the first test contain what is rare: crowds, harmful texts, repeated keys, people's
decisions. Larger registers are ``wide`` and ``long``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from benchmarks.engines import differing
from etl.cli.probe import probe
from etl.domain.errors import ConfigError, ServerAwayError
from etl.engine.port import Warehouse
from etl.engine.spark.session import (
    _did_not_begin,
    end,
    session,
    try_spark,
)
from etl.engine.spark.warehouse import connect
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.process.privacy import RecordKey
from etl.settings import Engine, Settings
from etl.settings.model import _explain
from etl.simulate import SimulationSpec, simulate_batches, write_database
from tests.crowds import all_crowds
from tests.support import SPARK, Registers, citizen, memory_folder, record, remember

BORN = "15/03/1980"
NASTY = (
    "Nguyễn\x00 Văn A",
    "'; DROP TABLE reconciled; --",
    "\"'`\\;--/*%s:x{}$1",
    "𡨸喃 🙂 \U0010ffff",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = memory_folder("doisoat-spark-")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(autouse=True)
def one_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the record keys is the same in both homes, because keys are compared, too."""
    monkeypatch.setenv("DOISOAT_KEY", "5a" * 32)


def _pair(folder: Path, engine: dict[str, object], **rows: list[dict[str, object]]) -> Registers:
    """Registers in a folder, read with an engine into a separate home."""
    name = str(engine.get("name", "duckdb"))
    home = folder / name
    home.mkdir(exist_ok=True)
    urls = [f"sqlite:///{folder}/{register}.db" for register in ("insurance", "population")]
    target = f"sqlite:///{home}/target.db"
    more = {"engine": engine}
    return Registers(
        home, rows.get("insurance", []), rows.get("population", []), *urls, target, options=more
    )


def _built(settings: Settings, look: Callable[[Warehouse], object] = lambda _: None) -> object:
    """Reads and builds all tables; returns what ``look`` returns."""
    try:
        with warehouse_for(settings, Run("compared", whole=True)) as warehouse:
            runner.run(warehouse, settings)
            return look(warehouse)
    finally:
        release_lock(settings)


def _compared(
    folder: Path, prepare: Callable[[Settings], None] = lambda _: None, lake: str = ""
) -> dict[str, int]:
    """Builds all tables with both engines.

    Args:
        folder: The folder of the registers.
        prepare: Called with the settings of each engine before its run.
        lake: Where Spark's tables lie; by default in the home.

    Returns:
        For each table that differs, how many rows only one of the engines has.
    """
    duckdb, spark = _pair(folder, {"threads": 1}), _pair(folder, SPARK | {"lake": lake})
    prepare(duckdb.settings)
    prepare(spark.settings)
    _built(duckdb.settings)
    found = _built(
        spark.settings, lambda warehouse: differing(warehouse, duckdb.settings.warehouse_path)
    )
    assert isinstance(found, dict)
    return found


def _rare(settings: Settings) -> None:
    """Decisions: a link that fits, one that does not, no citizen's, and one on no known record."""
    for record_id, other in (("R000001", 1), ("R000002", 9), ("R000006", None), ("R000999", 7)):
        remember(
            settings,
            "decisions",
            decision_id=f"of {record_id}",
            record_id=record_id,
            personal_id=None if other is None else str(citizen(other)["personal_id"]),
            decided_by="steward",
            decided_at=datetime(2026, 3, 1, 8, 30),
            reason="papers seen",
        )


def _rows() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    insurance, population = all_crowds(8)
    for batch in simulate_batches(SimulationSpec(citizens=100, seed=3)):
        insurance += batch.insurance.to_pylist()
        population += batch.population.to_pylist()
    insurance += [record(number) for number in range(1, 12)]
    population += [citizen(number) for number in range(1, 12)]
    insurance += [record(3), record(4, full_name="Another Name"), record(20, record_id=" ")]
    population += [citizen(4, full_name="Another Name"), citizen(5)]
    insurance += [record(30, full_name=None, id_number=None, insurance_number=None)]
    for at, text in enumerate(NASTY):
        insurance.append(record(40 + at, full_name=text, address=text, employer_code=text))
        insurance.append(record(50 + at, record_id=text, id_number=text, date_of_birth=text))
        population.append(citizen(40 + at, full_name=text, address=text, date_of_birth=BORN))
    return insurance, population


@pytest.mark.timeout(1200)
def test_every_table_is_that_of_duckdb(needs_java: None, folder: Path) -> None:
    insurance, population = _rows()
    _pair(folder, {}, insurance=insurance, population=population).write()
    lake = folder / "lake"
    lake.mkdir(mode=0o755)

    assert _compared(folder, _rare, str(lake)) == {}

    (tables,) = lake.iterdir()
    assert (tables / "core.links.parquet").is_dir()
    others = [path for path in (tables, *tables.rglob("*")) if path.stat().st_mode & 0o077]
    assert not others, "what Spark wrote is its owner's only"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_table_of_crowds_is_that_of_duckdb(needs_java: None, folder: Path) -> None:
    insurance, population = all_crowds(2_000)
    _pair(folder, {}, insurance=insurance, population=population).write()

    assert _compared(folder) == {}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("window", [None, 400], ids=["spread", "crowded"])
def test_every_table_of_a_hundred_thousand_is_that_of_duckdb(
    needs_java: None, folder: Path, window: int | None
) -> None:
    urls = (f"sqlite:///{folder}/{register}.db" for register in ("insurance", "population"))
    spec = SimulationSpec(citizens=100_000, seed=5, birth_window_days=window)
    write_database(spec, *urls, truth=folder)

    assert _compared(folder) == {}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_strings_understood_on_the_workers_are_understood_alike(
    needs_java: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl.engine.spark.warehouse import SparkWarehouse

    monkeypatch.setattr(SparkWarehouse, "spread_from", 0)
    insurance, population = _rows()
    _pair(folder, {}, insurance=insurance, population=population).write()

    assert _compared(folder) == {}


@pytest.mark.wide
@pytest.mark.timeout(1800)
def test_a_run_killed_in_the_middle_ends_the_same_when_it_is_run_again(
    needs_java: None, folder: Path
) -> None:
    urls = (f"sqlite:///{folder}/{register}.db" for register in ("insurance", "population"))
    write_database(SimulationSpec(citizens=300, seed=7), *urls, truth=folder)
    duckdb, spark = _pair(folder, {"threads": 1}), _pair(folder, SPARK)
    command = [sys.executable, "-m", "etl", "--config", str(spark.file), "sync"]
    run = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    settled = spark.settings.warehouse_path.with_suffix(".files") / "core.settled.parquet"
    while not settled.exists():
        assert run.poll() is None, "it ended before it could be killed"
        time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()

    again = subprocess.run(command, check=False, capture_output=True)
    assert again.returncode == 0
    duckdb.sync()

    query = "select record_id, row_hash from {reconciled} order by record_id"
    assert spark.published(query) == duckdb.published(query)
    assert spark.published(query)


def test_a_delta_on_spark_is_full_and_says_why(needs_java: None, folder: Path) -> None:
    rows = {
        "insurance": [record(number) for number in range(1, 4)],
        "population": [citizen(number) for number in range(1, 4)],
    }
    pair = _pair(folder, SPARK, **rows).write()
    settings = pair.settings
    try:
        with warehouse_for(settings, Run("first", mode="delta")) as warehouse:
            told = warehouse.rows("select mode, not_a_delta from ops.parameters")
    finally:
        release_lock(settings)

    assert told == [{"mode": "full", "not_a_delta": warehouse.NO_PARTS}]
    assert "written whole" in warehouse.NO_PARTS


def test_what_spark_built_is_not_taken_for_duckdbs(needs_java: None, folder: Path) -> None:
    duckdb = _pair(folder, {"threads": 1})
    settings = duckdb.settings
    with warehouse_for(settings, Run("spark wrote", whole=True)) as warehouse:
        left = warehouse.file(TableName("core", "links"))
        left.mkdir(parents=True)
        pq.write_table(pa.table({"record": [1]}), left / "part.parquet")
    release_lock(settings)
    with warehouse_for(settings, Run("duckdb begins", whole=True)) as warehouse:
        assert not warehouse.exists(TableName("core", "links"))
        assert not left.exists()
    release_lock(settings)


@pytest.mark.wide
def test_nothing_that_did_not_fit_into_memory_outlives_its_session(
    needs_java: None, folder: Path
) -> None:
    """After a step has failed, a run continues in a second session of the same process."""
    given: dict[str, Any] = SPARK
    for _ in range(2):
        begun = session(Engine(**given), folder)
        lent = begun.createDataFrame(pa.table({"number": range(1000)}))
        assert lent.groupBy("number").count().count() == 1000
        assert list(folder.iterdir())
        end(begun)
        assert list(folder.iterdir()) == []


_JAVA_DIES = """
import sys
from pathlib import Path

import duckdb

from etl.engine.spark import session
from etl.engine.spark.damage import trouble
from etl.engine.spark.warehouse import connect
from etl.process.privacy import RecordKey
from etl.settings import Engine

folder, limits = Path(sys.argv[1]), Engine.model_validate_json(sys.argv[2])
warehouse = connect(folder / "w.duckdb", key=RecordKey(b"k" * 32), limits=limits)
assert warehouse.spark.range(3).count() == 3
assert list(folder.glob("spark-*.tmp"))
java = session._JAVA_OF_THIS_PROCESS[0].proc
java.kill()
java.wait()
for _ in range(3):  # the first error is py4j's own, the others are the system's
    try:
        warehouse.spark.range(3).count()
    except Exception as error:
        print(str(trouble(error)).splitlines()[0])
warehouse.close()
try:
    warehouse.execute("select 1")
except duckdb.ConnectionException:
    print("closed")
print(len(list(folder.glob("spark-*.tmp"))), "left")
"""


def test_java_that_is_gone_hides_no_error_and_leaves_nothing_open(
    needs_java: None, folder: Path
) -> None:
    """A warehouse is closed because of the first error, which is the one to be seen."""
    ended = subprocess.run(
        [sys.executable, "-c", _JAVA_DIES, str(folder), json.dumps(SPARK)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    told = "Spark's cluster has ended, or cannot be reached any more."
    assert ended.stdout.splitlines() == [told, told, told, "closed", "0 left"]


def test_what_fails_after_an_error_of_spark_does_not_hide_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = connect(folder / "w.duckdb", key=RecordKey(b"k" * 32), limits=Engine(name="spark"))

    def fails(*_: object) -> None:
        raise RuntimeError("second")

    def gone(*_: object) -> None:
        raise ServerAwayError("first")

    monkeypatch.setattr(warehouse, "frame", gone)
    monkeypatch.setattr(warehouse, "_forget_views", fails)
    with pytest.raises(ServerAwayError, match="first"):
        warehouse.build(TableName("core", "links"), "select 1")
    monkeypatch.setattr("etl.engine.spark.warehouse.end", fails)
    monkeypatch.setattr(warehouse, "_session", object())
    with pytest.raises(RuntimeError, match="second"):
        warehouse.close()

    with pytest.raises(duckdb.ConnectionException):
        warehouse.execute("select 1")


def test_want_of_java_is_told_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(folder))
    with pytest.raises(ConfigError, match="Spark needs Java 17, and this machine has no Java"):
        try_spark(Engine(name="spark"))


@pytest.mark.parametrize(
    "engine", [{"master": "spark://127.0.0.1:9"}, {"remote": "sc://127.0.0.1:9"}]
)
def test_a_cluster_that_does_not_answer_is_named(needs_java: None, engine: dict[str, str]) -> None:
    with pytest.raises(ServerAwayError, match="does not answer") as told:
        try_spark(Engine(name="spark", **engine))
    assert told.value.where in engine.values()
    assert told.value.exit_code == 3


def test_check_tries_the_engine(needs_java: None, folder: Path) -> None:
    away = SPARK | {"master": "spark://127.0.0.1:9"}
    pair = _pair(folder, away, insurance=[record(1)], population=[citizen(1)]).write()
    (engine,) = (found for found in probe(pair.settings) if found.name == "engine")

    assert "Spark's cluster does not answer" in str(engine.error)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("master", "cluster"), ("remote", "http://x"), ("lake", "s3a://bucket/x"), ("lake", "x")],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, value: str) -> None:
    with pytest.raises(ValueError, match="write"):
        Engine(**{"name": "spark", setting: value})


@pytest.mark.parametrize("port", [":15002", "", ":99"])
def test_the_token_of_a_server_of_spark_is_nowhere_shown(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine.model_validate(
        {"name": "spark", "remote": f"sc://spark.example{port}/;token=t0k3n,t0k3n;user_id=duty"}
    )
    asked: list[str] = []

    def answers(address: tuple[str, int], _patience: float) -> socket.socket:
        asked.append(address[0])
        return socket.socket()

    def nobody(*_: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("socket.create_connection", nobody)
        with pytest.raises(ServerAwayError) as away:
            try_spark(engine)
    monkeypatch.setattr("socket.create_connection", answers)
    begun = _did_not_begin(engine, RuntimeError("no"))
    shown = [try_spark(engine), str(away.value), str(begun), repr(engine), engine.model_dump_json()]

    assert not [words for words in shown if "t0k3n" in words or "duty" in words]
    assert f"answers at sc://spark.example{port}" in shown[0]
    assert away.value.where == begun.where == f"sc://spark.example{port}"
    assert asked == ["spark.example"]
    assert "t0k3n" in engine.remote.get_secret_value()


@pytest.mark.parametrize(
    "remote",
    ["sc://", "sc://host:t0k3n", "sc://host;token=t0k3n", "sc://t0k3n@host:1", "sc://host:99999"],
)
def test_a_server_of_spark_of_another_form_is_refused_without_quoting_it(remote: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Engine.model_validate({"name": "spark", "remote": remote})
    assert "write it as sc://HOST:PORT" in _explain(refused.value)
    assert "t0k3n" not in _explain(refused.value)


def test_a_port_that_cannot_be_is_a_cluster_that_does_not_answer(needs_java: None) -> None:
    with pytest.raises(ServerAwayError, match="does not answer"):
        try_spark(Engine(name="spark", master="spark://127.0.0.1:a-port"))


def test_settings_of_spark_are_named_as_spark_names_them() -> None:
    engine = Engine(name="spark", spark={"executor": {"memory": "8g"}, "sql.ansi": True})

    assert engine.spark_settings == {"spark.executor.memory": "8g", "spark.sql.ansi": "true"}
