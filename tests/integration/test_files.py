"""Files that a person asks for: written whole or not at all; if not, the message says why."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etl.domain.errors import ConfigError
from etl.process.files import copy_large, folder_for, whole_file, write_whole
from etl.process.home import take
from etl.report.triage import write_out
from etl.settings import Schedule
from etl.simulate import SimulationSpec, write_database, write_parquet
from tests.support import Command, Registers, from_warehouse

ROWS = [{"record_key": hashlib.sha512(b"%d" % n).hexdigest()} for n in range(2_000)]


def _list(file: Path) -> None:
    write_out(ROWS, file, Schedule())


def _page(file: Path) -> None:
    write_whole(file, "a page\n" * 20_000)


def _registers(file: Path) -> None:
    write_parquet(SimulationSpec(citizens=2_000), file.parent, replace=True)


WRITERS = [(_list, "list.csv"), (_list, "list.xlsx"), (_page, "page.html")]
TO_FOLDER = [*WRITERS, (_registers, "insurance.parquet")]
Write = Callable[[Path], None]


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 64 KB, if this user may mount one."""
    disk = folder / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if not mount or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False
    ).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize(("write", "name"), TO_FOLDER)
def test_a_full_disk_is_told_and_leaves_what_was_there(
    small_disk: Path, write: Write, name: str
) -> None:
    file = small_disk / name
    file.write_text("of yesterday")

    with pytest.raises(ConfigError, match="the disk is full") as caught:
        write(file)

    assert str(small_disk) in caught.value.where
    assert file.read_text() == "of yesterday"
    assert [path.name for path in small_disk.iterdir()] == [name]


def test_who_cannot_say_that_the_lock_is_theirs_does_not_keep_it(small_disk: Path) -> None:
    lock, ballast = small_disk / "run.lock", small_disk / "ballast"
    lock.touch()
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))

    with pytest.raises(OSError, match="No space left") as caught:
        take(lock, words="a reader")

    ballast.unlink()
    taken = take(lock, words="a run")
    assert not isinstance(taken, str), caught  # (`caught` keeps the exception alive)
    taken.close()


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_a_missing_folder_is_told(folder: Path, write: Write, name: str) -> None:
    with pytest.raises(ConfigError, match="its folder is not there"):
        write(folder / "missing" / name)


@pytest.mark.parametrize(("write", "name"), TO_FOLDER)
def test_a_folder_in_the_files_place_is_told(folder: Path, write: Write, name: str) -> None:
    (folder / name).mkdir()

    with pytest.raises(ConfigError, match="it is a folder"):
        write(folder / name)

    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize(("write", "name"), TO_FOLDER)
def test_a_file_in_the_folders_place_is_told(folder: Path, write: Write, name: str) -> None:
    (folder / "file").write_text("in the way")

    with pytest.raises(ConfigError, match="a part of its path is a file"):
        write(folder / "file" / name)

    assert (folder / "file").read_text() == "in the way"


@pytest.mark.parametrize(("write", "name"), TO_FOLDER)
def test_a_place_without_the_right_to_write_is_told(write: Write, name: str) -> None:
    with pytest.raises(ConfigError, match=r"may not write there|can only be read"):
        write(Path("/sys") / name)  # not even root can make a file there


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_a_file_with_personal_data_is_its_owners(folder: Path, write: Write, name: str) -> None:
    file = folder / name
    file.write_text("open to all")
    file.chmod(0o644)

    write(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_stays_a_link_and_its_file_is_written(folder: Path) -> None:
    (folder / "real").write_text("of yesterday")
    (folder / "link").symlink_to("real")

    write_whole(folder / "link", "of today")

    assert (folder / "link").is_symlink()
    assert (folder / "real").read_text() == "of today"


def test_a_device_is_written_to_and_stays_a_device() -> None:
    with pytest.raises(ConfigError, match="the disk is full"):
        write_whole(Path("/dev/full"), "text")
    write_whole(Path("/dev/null"), "text")

    assert Path("/dev/full").is_char_device()
    assert Path("/dev/null").is_char_device()


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "file").write_text("in the way")

    for place in (folder / "file", folder / "file" / "below", Path("/sys/below")):
        with pytest.raises(ConfigError, match="could not be made"):
            folder_for(place)


def test_every_option_that_names_a_file_ends_with_the_users_mistake(
    registers: Callable[..., Registers], doisoat_here: Callable[..., Command], folder: Path
) -> None:
    pair = registers()
    pair.sync()
    (folder / "file").write_text("in the way")
    inside = folder / "file" / "inside"
    database = f"sqlite:///{folder}/made.db"
    for arguments in (
        ["triage", "--out", folder / "missing" / "list.csv"],
        ["explain", "R000001", "--html", folder / "missing" / "page.html"],
        ["charts", "--output", inside / "charts.html"],
        ["simulate", "--citizens", "1000", "--out", folder / "file"],
        ["simulate", "--citizens", "1000", "--out", inside],
        ["simulate", "--citizens", "1000", "--insurance-url", database, "--population-url",
         database, "--truth", inside / "truth.parquet"],
    ):  # fmt: skip
        done = doisoat_here("--config", pair.file, *arguments)

        assert done.exit_code == 2, (arguments, done.errors)
        assert re.search("could not be (written|made)", done.errors), arguments
        for part in ("Where: ", "What to do: "):
            assert part in done.errors, arguments
    assert (folder / "file").read_text() == "in the way"


@pytest.mark.wide
def test_a_model_whose_charts_cannot_be_written_is_not_kept(
    registers: Callable[..., Registers], doisoat_here: Callable[..., Command]
) -> None:
    pair = registers()
    spec = SimulationSpec(citizens=3_000, seed=1, birth_window_days=8)
    write_database(spec, pair.insurance_url, pair.population_url, replace=True)
    pair.sync()
    (pair.settings.home / "models").write_text("in the way")

    done = doisoat_here("--config", pair.file, "train")

    assert done.exit_code == 2, done.errors
    assert "could not be made" in done.errors
    assert from_warehouse(pair.settings, "select count(*) as n from ops.models") == [{"n": 0}]


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "refused", "/another/file"),
        OSError("a server that went away, in the words of pyarrow"),
    ],
)
def test_what_a_file_is_made_of_is_not_the_file_that_cannot_be_written(
    folder: Path, error: OSError
) -> None:
    def write() -> None:
        with whole_file(folder / "list.csv"):
            raise error

    with pytest.raises(OSError, match=r"refused|went away"):
        write()
    assert [*folder.iterdir()] == []


def test_a_copy_holds_what_the_file_held_and_goes_its_own_way(folder: Path) -> None:
    file, copy = folder / "file", folder / "copy"
    file.write_bytes(b"as it was" * 100_000)
    copy.write_bytes(b"what an earlier run left, which was longer" * 100_000)

    copy_large(file, copy)

    assert copy.read_bytes() == file.read_bytes()
    with copy.open("r+b") as changing:
        changing.write(b"changed")
    assert file.read_bytes() == b"as it was" * 100_000
