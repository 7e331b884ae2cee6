"""Homes whose tables lie in a lake: each has its own private folder there, or is refused.

Belongs here: where the files lie. Does not belong here: what Spark writes (``test_spark.py``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

from etl.cli.probe import probe
from etl.domain.errors import ConfigError
from etl.engine import lake
from etl.engine.lake import MARK, settle
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.snapshots import keep_snapshot
from etl.settings import Engine, Settings
from tests.support import Registers, citizen, memory_folder, record

NOBODY = 65534
RAW = "raw.insurance.parquet"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = memory_folder("doisoat-lake-")
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _home(folder: Path, name: str, engine: dict[str, object], records: int = 1) -> Registers:
    home = folder / name
    home.mkdir(exist_ok=True)
    urls = [f"sqlite:///{home}/{kind}.db" for kind in ("insurance", "population", "target")]
    rows = [record(n) for n in range(1, records + 1)], [citizen(1)]
    return Registers(home, *rows, *urls, options={"engine": engine}).write()


def _in(folder: Path) -> dict[str, Any]:
    return {"name": "spark", "lake": str(folder / "lake")}


def _read(settings: Settings, run: str = "reads") -> int:
    """Reads a register, and returns how many of its rows the run sees."""
    try:
        with warehouse_for(settings, Run(run, whole=True)) as warehouse:
            runner.read(warehouse, "insurance", settings)
            return warehouse.number("select count(*) from raw.insurance")
    finally:
        release_lock(settings)


def _files(settings: Settings) -> Path:
    return settings.warehouse_path.with_suffix(".files")


def _told_by_check(settings: Settings) -> str:
    (engine,) = (found for found in probe(settings) if found.name == "engine")
    return engine.error or ""


def test_the_tables_of_a_home_lie_in_the_lake(folder: Path) -> None:
    settings = _home(folder, "one", _in(folder)).settings
    assert _read(settings) == 1

    (own,) = (folder / "lake").iterdir()
    assert sorted(file.name for file in own.iterdir()) == [MARK, RAW]
    assert (own / MARK).read_text().strip() == str(settings.home)
    kept = keep_snapshot(settings)
    assert kept is not None
    assert [file.name for file in kept.rglob("*.parquet")] == [RAW]


def test_two_homes_have_one_lake_and_nothing_of_each_other(folder: Path) -> None:
    one = _home(folder, "one", _in(folder), records=1).settings
    two = _home(folder, "two", _in(folder), records=2).settings

    assert (_read(one), _read(two)) == (1, 2)
    assert _read(one, "again") == 1
    assert len(list((folder / "lake").iterdir())) == 2


def test_a_home_with_tables_of_its_own_is_refused(folder: Path) -> None:
    _read(_home(folder, "one", {}).settings)
    settings = _home(folder, "one", _in(folder)).settings

    with pytest.raises(ConfigError, match="lie in the home already") as told:
        _read(settings)
    assert str(_files(settings)) in str(told.value)
    assert "lie in the home already" in _told_by_check(settings)
    assert not (folder / "lake").exists()

    shutil.rmtree(_files(settings))  # as the remedy says
    assert _read(settings, "after it") == 1
    assert _files(settings).is_symlink()


def test_a_home_with_an_empty_folder_takes_its_place_in_the_lake(folder: Path) -> None:
    settings = _home(folder, "one", _in(folder)).settings
    _files(settings).mkdir(parents=True)

    assert _read(settings) == 1
    assert _files(settings).is_symlink()


@pytest.mark.parametrize("other", ["pond", ""])
def test_another_lake_is_not_passed_over(folder: Path, other: str) -> None:
    _read(_home(folder, "one", _in(folder)).settings)
    lake = str(folder / other) if other else ""
    settings = _home(folder, "one", {"name": "spark", "lake": lake}).settings

    words = "lake names another folder" if other else "lake is not set"
    with pytest.raises(ConfigError, match=words) as told:
        _read(settings)
    assert f"set lake to {folder / 'lake'}" in str(told.value)
    assert words in _told_by_check(settings)

    _files(settings).unlink()  # as the remedy says
    assert _read(settings, "after it") == 1


def test_without_spark_a_home_goes_on_with_what_lies_in_the_lake(folder: Path) -> None:
    _read(_home(folder, "one", _in(folder)).settings)

    settings = _home(folder, "one", {"name": "duckdb"}).settings
    assert _read(settings, "by duckdb") == 1
    (own,) = (folder / "lake").iterdir()
    (told,) = (found.detail for found in probe(settings) if found.name == "engine")
    assert f"the tables lie in {own}" in told


def test_a_copy_of_a_home_is_told_whose_the_tables_are(folder: Path) -> None:
    first = _home(folder, "one", _in(folder)).settings
    _read(first)
    shutil.copytree(first.home, folder / "two" / ".doisoat", symlinks=True)
    copy = _home(folder, "two", _in(folder), records=2).settings

    with pytest.raises(ConfigError, match=f"belongs to the home {first.home}"):
        _read(copy)
    assert f"belongs to the home {first.home}" in _told_by_check(copy)

    _files(copy).unlink()  # as the remedy says
    assert _read(copy, "of its own") == 2
    assert _read(first, "as before") == 1


def test_a_lake_that_is_not_there_is_not_made_anew(folder: Path) -> None:
    settings = _home(folder, "one", _in(folder)).settings
    _read(settings)
    (folder / "lake").rename(folder / "elsewhere")

    with pytest.raises(ConfigError, match="is not there") as told:
        _read(settings)
    assert "Mount the disk" in str(told.value)
    homes = [found.error for found in probe(settings) if found.name == "home"]
    assert "is not there" in str(homes)
    assert not (folder / "lake").exists()

    (folder / "elsewhere").rename(folder / "lake")
    assert _read(settings, "again") == 1


def test_what_is_open_to_others_in_the_lake_is_shut(folder: Path) -> None:
    settings = _home(folder, "one", _in(folder)).settings
    _read(settings)
    own = _files(settings).resolve()
    own.chmod(0o755)
    (own / RAW).chmod(0o644)

    settle(settings.warehouse_path, settings.engine)

    assert [path.stat().st_mode & 0o777 for path in (own, own / RAW)] == [0o700, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_this_user_cannot_shut_is_refused(folder: Path) -> None:
    settings = _home(folder, "one", _in(folder)).settings
    _read(settings)
    own = _files(settings).resolve()
    for path in (folder, folder / "one", settings.home, folder / "lake", own, own / MARK):
        path.chmod(0o755)
    asks = (
        "import os, sys; from pathlib import Path; from etl.engine.lake import settle;"
        "from etl.settings import Engine\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "try: settle(Path(sys.argv[1]), Engine(name='spark', lake=sys.argv[2]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    given = [str(settings.warehouse_path), str(folder / "lake")]
    done = subprocess.run(
        [sys.executable, "-c", asks, *given], capture_output=True, text=True, check=True
    )
    assert "ConfigError The home's folder in the lake is open to other users" in done.stdout
    assert "umask=077" in done.stdout


def test_a_lake_that_cannot_be_made_is_refused(folder: Path) -> None:
    (folder / "lake").write_text("no folder")

    with pytest.raises(ConfigError, match="folder in the lake could not be made"):
        settle(folder / "home" / "warehouse.duckdb", Engine(name="spark", lake=f"{folder}/lake"))


def test_those_who_are_the_first_together_make_one_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = lake._link

    def slow(files: Path, into: Path) -> None:
        time.sleep(0.3)
        link(files, into)

    monkeypatch.setattr(lake, "_link", slow)
    place, engine = folder / "home" / "warehouse.duckdb", Engine(**_in(folder))
    with ThreadPoolExecutor(3) as together:
        told = set(together.map(lambda _: settle(place, engine), range(3)))

    assert list(told) == list((folder / "lake").iterdir())


@pytest.mark.parametrize("engine", ["spark", "duckdb"])
@pytest.mark.parametrize("left", [None, ""], ids=["no mark", "an empty mark"])
def test_a_folder_of_the_lake_without_a_mark_is_refused(
    folder: Path, engine: Literal["spark", "duckdb"], left: str | None
) -> None:
    settings = _home(folder, "one", _in(folder)).settings
    _read(settings)
    mark = _files(settings).resolve() / MARK
    mark.unlink()
    if left is not None:
        mark.write_text(left)
    limits = Engine(name=engine, lake=str(folder / "lake"))

    with pytest.raises(ConfigError, match="no mark that says whose it is") as told:
        settle(settings.warehouse_path, limits)
    assert f"write {settings.home} into {mark}" in str(told.value)

    mark.write_text(f"{settings.home}\n")  # as the remedy says
    assert settle(settings.warehouse_path, limits) == mark.parent
