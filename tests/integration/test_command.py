"""One whole sync by the real command, in a bare environment: what it says and leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Command, Registers, citizen, memory_folder, record

pytestmark = pytest.mark.wide

ENCODING = "ascii"


@pytest.fixture(scope="module")
def pair() -> Iterator[Registers]:
    folder = memory_folder("doisoat-command-")
    names = ("insurance", "population", "target")
    yield Registers(
        folder,
        [record(n) for n in range(1, 31)],
        [citizen(n) for n in range(1, 31)],
        *(f"sqlite:///{folder}/{name}.db" for name in names),
    ).write()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ended(pair: Registers, command_environment: dict[str, str]) -> Command:
    """A sync on a terminal without Vietnamese letters, into a home that others could enter."""
    (pair.folder / ".doisoat").mkdir(mode=0o755)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("doisoat")), "--config", str(pair.file), "sync"],
        cwd=pair.folder,
        env={**command_environment, "PYTHONIOENCODING": ENCODING},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Command(done.returncode, done.stdout, done.stderr)


def test_a_result_is_shown_on_a_terminal_without_vietnamese_letters(ended: Command) -> None:
    """Before, the run was published, and then printing its result failed."""
    assert ended.exit_code == 0, ended.errors
    assert "VERIFIED" in ended.output
    assert "Published to" in ended.output


def test_whatever_a_sync_leaves_is_its_owners_only(ended: Command, pair: Registers) -> None:
    assert ended.exit_code == 0, ended.errors
    found = [pair.folder / ".doisoat", *(pair.folder / ".doisoat").rglob("*")]
    assert len(found) > 30
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_a_sync_leaves_no_log_of_a_database(ended: Command, pair: Registers) -> None:
    """Dagster's databases are kept open during the run, and closed properly at its end."""
    assert ended.exit_code == 0, ended.errors
    home = pair.folder / ".doisoat" / "dagster"
    assert len(list(home.rglob("*.db"))) > 2
    assert not list(home.rglob("*-wal"))


def test_a_check_names_the_encoding_and_json_needs_none(
    pair: Registers, doisoat: Callable[..., Command]
) -> None:
    tried = doisoat("--config", pair.file, "check", PYTHONIOENCODING=ENCODING)
    assert f"its encoding is {ENCODING}" in tried.output
    assert "PYTHONIOENCODING=utf-8" in tried.output
    told = doisoat("normalise", "Nguyễn Văn Đô", "--json", PYTHONIOENCODING=ENCODING)
    assert json.loads(told.output)["name"]["recorded"] == "Nguyễn Văn Đô"
