"""Spark as a run finds it: its session, its settings, and what is tried before it begins.

Belongs here: opening it once for a process, with settings that make it compute as DuckDB does.
Does not belong here: tables (``warehouse.py``).
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from etl.domain.errors import ConfigError, ServerAwayError, installing
from etl.process.home import notice
from etl.settings import Engine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = 17
"""The oldest version that Spark runs with."""

_PATIENCE = 5.0  # seconds
_PORTS = {"spark": 7077, "sc": 15002, "https": 443, "http": 80}

_JAVA = "spark.driver.extraJavaOptions"

_AS_DUCKDB = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What makes a statement mean the same as on DuckDB: the configuration cannot change it."""

_DEFAULTS = {
    # A crowded key makes a partition that is split, whatever the plan says.
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.adaptive.skewJoin.enabled": "true",
    "spark.sql.adaptive.forceOptimizeSkewedJoin": "true",
    "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning": "true",
    # (Spark 4.3.0 finds its own plan of six unions invalid after this rule.)
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer."
    "RemoveRedundantAliases",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    "spark.sql.parquet.compression.codec": "zstd",
    # (Its pages show plans to whoever can reach the port.)
    "spark.ui.enabled": "false",
    # (Files get these rights, whatever the umask of the process that writes them.)
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.ui.showConsoleProgress": "false",
    # Its messages quote values; doisoat reports errors itself.
    "spark.log.level": "OFF",
}


def session(engine: Engine, home: Path) -> SparkSession:
    """Returns the session of this process, beginning it where there is none.

    Args:
        engine: The settings.
        home: The folder of what does not fit in memory, which is personal data, too.

    Raises:
        ConfigError: Spark cannot run here.
        ServerAwayError: Its cluster is not reached.
    """
    try_spark(engine)
    # (A warning about pandas, which is not used here.)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    remote = engine.remote.get_secret_value()
    builder = builder.remote(remote) if remote else builder.master(engine.master)
    for name, value in (settings := _settings(engine, home)).items():
        builder = builder.config(name, value)
    try:
        if not remote and SparkSession.getActiveSession() is None:
            _launch(settings | {"spark.master": engine.master})
        made: SparkSession = builder.getOrCreate()
    except Exception as error:
        raise _did_not_begin(engine, error) from None
    for name, value in _AS_DUCKDB.items():
        made.conf.set(name, value)
    return made


def end(made: SparkSession) -> None:
    """Ends a session, and deletes what did not fit in memory: it is personal data.

    It raises nothing. Where Java or the cluster is gone, the session has ended already; and whoever
    ends one because of an error is to see that error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # (PySpark warns where Java is gone)
            made.stop()
    except Exception as error:
        notice(f"Spark's session could not be ended ({type(error).__name__}): it is gone already.")
    # (Java goes on using the folder of its first session, and makes it again.)
    for home in _HOMES:
        for one in home.glob(f"spark-{os.getpid()}-*.tmp"):
            shutil.rmtree(one, ignore_errors=True)


_HOMES: set[Path] = set()
"""Folders in which this process has made folders for what does not fit in memory."""


_PYTHON = "PYSPARK_PYTHON"

_JAVA_OF_THIS_PROCESS: list[Any] = []
"""Java, once it was started: it stays until the process ends."""


def _launch(settings: dict[str, str]) -> None:
    """Starts Java and hides all that it prints: a message of Spark may quote a value."""
    from pyspark import SparkConf, SparkContext, java_gateway

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # (A context takes the Python of its workers only from here.)
    os.environ[_PYTHON] = settings["spark.pyspark.python"]
    conf = SparkConf().setAll(list(settings.items()))
    if not _JAVA_OF_THIS_PROCESS:
        launch: Callable[..., Any] = java_gateway.launch_gateway
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        _JAVA_OF_THIS_PROCESS.append(launch(conf, quiet))
    SparkContext(conf=conf, gateway=_JAVA_OF_THIS_PROCESS[0])


def _settings(engine: Engine, home: Path) -> dict[str, str]:
    given = engine.spark_settings
    if engine.remote:  # the server has begun: only what concerns a session can be set yet
        every = _DEFAULTS | given | _AS_DUCKDB
        return {name: value for name, value in every.items() if name.startswith("spark.sql.")}
    quiet = files("etl.engine.spark").joinpath("log4j2.properties")
    java = f"-Dlog4j2.configurationFile=file:{quiet} {given.pop(_JAVA, '')}"
    own = {
        "spark.app.name": "doisoat",
        "spark.local.dir": _room(home),
        "spark.pyspark.python": os.environ.get(_PYTHON, sys.executable),
        "spark.python.daemon.module": "etl.engine.spark.daemon",
    }
    if engine.master.startswith("local"):
        own |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(4 * _cores(engine.master)),
        }
    return _DEFAULTS | own | given | _AS_DUCKDB | {_JAVA: java}


def _cores(master: str) -> int:
    found = re.search(r"\d+", master)
    return int(found[0]) if found else (os.cpu_count() or 1)


def _room(home: Path) -> str:
    """Makes a folder for this process, and deletes those of processes that are gone."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _HOMES.add(home)
    for folder in home.glob("spark-*.tmp"):
        with suppress(ValueError):
            if not psutil.pid_exists(int(folder.name.split("-")[1])):
                shutil.rmtree(folder, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"spark-{os.getpid()}-", suffix=".tmp", dir=home)


def _did_not_begin(engine: Engine, error: Exception) -> ServerAwayError:
    return ServerAwayError(
        f"Spark did not begin ({type(error).__name__}).",
        where=engine.shown_remote or engine.master,
        remedy="Look at what the cluster says of the application 'doisoat'; less memory or fewer "
        "cores may be free there than [engine.spark] asks for.",
    )


def try_spark(engine: Engine) -> str:
    """Tries what Spark needs on this machine, and whether its cluster answers.

    Returns:
        What is well, in words.

    Raises:
        ConfigError: PySpark or Java is missing.
        ServerAwayError: Nobody answers where the cluster should be.
    """
    if find_spec("pyspark") is None:
        raise ConfigError(
            "[engine] name is spark, and PySpark is not installed.",
            remedy=installing("spark"),
        )
    if engine.remote:
        _answers(engine.shown_remote)
        return f"Spark Connect answers at {engine.shown_remote}"
    version = _java()
    if engine.master.startswith(("spark://", "k8s://")):
        _answers(engine.master.removeprefix("k8s://"))
    return f"Spark with Java {version}, {engine.master}"


def _java() -> int:
    """Returns the version of Java.

    Raises:
        ConfigError: It is missing, or too old.
    """
    home = os.environ.get("JAVA_HOME", "")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java") or ""
    told = ""
    if program:
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(
                [program, "-version"], capture_output=True, text=True, check=True, timeout=60
            ).stderr
    found = re.search(r'version "(\d+)', told)
    version = int(found[1]) if found else 0
    if version < JAVA:
        has = f"has Java {version}" if version else "has no Java"
        raise ConfigError(
            f"Spark needs Java {JAVA}, and this machine {has}.",
            where=f"JAVA_HOME={home}" if home else "",
            remedy=f"Install it (Debian: apt-get install openjdk-{JAVA}-jre-headless), or let "
            "JAVA_HOME name it.",
        )
    return version


def _answers(address: str) -> None:
    """Checks whether a server listens, which Spark would only notice after minutes."""
    for one in address.split(","):  # (several masters may stand by)
        parts = urlsplit(one if "://" in one else f"spark://{one}")
        with suppress(OSError, ValueError):  # (a port or a host that cannot be answers neither)
            port = parts.port or _PORTS.get(parts.scheme, 443)
            socket.create_connection((parts.hostname or "", port), _PATIENCE).close()
            return
    raise ServerAwayError(
        "Spark's cluster does not answer.",
        where=address,
        remedy="Start it, or mend [engine] master or remote; 'doisoat check' tries it.",
    )
