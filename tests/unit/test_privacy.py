"""Record keys, the secret that only its owner may read, and errors reported without values."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.cli.app import _guarded
from etl.domain.errors import ConfigError
from etl.engine.duckdb.functions import keyed_functions
from etl.process.privacy import (
    KEY_VARIABLE,
    RecordKey,
    load_record_key,
    mute_uncaught_errors,
    owner_only,
    shut,
    stack_trace,
)

SECRET = bytes(range(32))
CANARY = "Trịnh Quềnh Khuỷu"


def _in_sql(key: RecordKey, texts: list[str], macro: str = "record_key") -> list[str]:
    with duckdb.connect() as connection:
        connection.execute(keyed_functions(key))
        return [connection.execute(f"select {macro}(?)", [text]).fetchall()[0][0] for text in texts]


def test_a_record_key_is_the_beginning_of_the_hmac() -> None:
    expected = hmac.new(SECRET, b"R0001", hashlib.sha256).hexdigest()[:16]

    assert RecordKey(SECRET).of("R0001") == expected


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64])
def test_the_macro_is_the_same_function_for_secrets_of_any_length(length: int) -> None:
    key = RecordKey(bytes(255 - n for n in range(length)))
    ids = ["R0001", "", "  ", "Đỗ Văn Bảo", "🙂", "x" * 5_000, "'; drop table x; --", "a\x00b"]

    assert _in_sql(key, ids) == [key.of(record_id) for record_id in ids]


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20))
def test_the_macro_is_the_same_function_for_any_text(record_ids: list[str]) -> None:
    key = RecordKey(SECRET)

    assert _in_sql(key, record_ids) == [key.of(record_id) for record_id in record_ids]


def test_a_fingerprint_is_keyed_too_and_tells_no_record_key() -> None:
    texts = ["R0001", "", "Đỗ Văn Bảo", "x" * 5_000]
    ours = _in_sql(RecordKey(SECRET), texts, "fingerprint")

    assert ours == [
        hmac.new(SECRET, f"content:{text}".encode(), hashlib.sha256).hexdigest()[:32]
        for text in texts
    ]
    assert not set(ours) & set(_in_sql(RecordKey(SECRET[::-1]), texts, "fingerprint"))
    for text, fingerprint in zip(texts, ours, strict=True):
        assert not fingerprint.startswith(RecordKey(SECRET).of(text))


def test_other_secrets_give_other_keys() -> None:
    assert RecordKey(SECRET).of("R0001") != RecordKey(SECRET[::-1]).of("R0001")


def test_a_record_key_does_not_show_its_secret() -> None:
    key = RecordKey(SECRET)

    for shown in (repr(key), str(key), f"{key}"):
        assert SECRET.hex() not in shown
        assert repr(SECRET) not in shown


def test_the_secret_is_made_once_and_only_its_owner_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    home = tmp_path / "not" / "there"

    first, second = load_record_key(home), load_record_key(home)

    assert first == second
    assert len(first.secret) == 32
    assert stat.S_IMODE((home / "record_key").stat().st_mode) == 0o600
    assert load_record_key(tmp_path / "other") != first


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_secret_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    load_record_key(tmp_path)
    file = tmp_path / "record_key"
    file.chmod(mode)

    with pytest.raises(ConfigError) as caught:
        load_record_key(tmp_path)

    assert f"chmod 600 {file}" in caught.value.remedy
    assert file.read_text() not in str(caught.value)


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SECRET.hex())

    assert load_record_key(tmp_path).secret == SECRET
    assert not (tmp_path / "record_key").exists()


@pytest.mark.parametrize("wrong", ["", "abc", "g" * 64, "0" * 63, "0" * 64 + "\n"])
def test_a_secret_of_another_form_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, wrong)

    with pytest.raises(ConfigError) as caught:
        load_record_key(tmp_path)

    assert KEY_VARIABLE in caught.value.where
    assert not wrong or wrong.strip() not in str(caught.value)


# --- files --------------------------------------------------------------------------------------


def test_files_are_their_owners_only_for_as_long_as_it_is_said(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with owner_only():
            (tmp_path / "within").touch()
            (tmp_path / "folder").mkdir()
        (tmp_path / "after").touch()
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"within": 0o600, "folder": 0o700, "after": 0o644}


@pytest.mark.parametrize(("was", "becomes"), [(0o644, 0o600), (0o600, 0o600), (0o755, 0o700)])
def test_what_is_open_to_others_is_shut(tmp_path: Path, was: int, becomes: int) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(was)

    shut(file)

    assert stat.S_IMODE(file.stat().st_mode) == becomes


# --- messages -----------------------------------------------------------------------------------


def _quoting_error() -> None:
    """Raises a real database error that quotes a value, and another error caused by it."""
    with duckdb.connect() as connection:
        try:
            connection.execute("select cast(? as integer)", [CANARY])
        except duckdb.Error as error:
            raise RuntimeError(f"while reading {CANARY}: {error}") from error


def test_a_stack_trace_has_every_place_and_no_words() -> None:
    with pytest.raises(RuntimeError) as caught:
        _quoting_error()

    told = stack_trace(caught.value)

    assert CANARY not in told
    assert "in _quoting_error" in told
    assert told.index("ConversionException: its words are withheld") < told.index("RuntimeError: ")


def test_a_stack_trace_keeps_our_own_words() -> None:
    assert "What to do: Mend it." in stack_trace(ConfigError("It is torn.", remedy="Mend it."))


@pytest.mark.parametrize("debug", [False, True])
def test_a_command_that_fails_quotes_nothing(
    capsys: pytest.CaptureFixture[str], debug: bool
) -> None:
    code = _guarded(_quoting_error, debug)

    shown = "".join(capsys.readouterr())
    assert code == 70
    assert "RuntimeError" in shown
    assert CANARY not in shown
    assert ("in _quoting_error" in shown) == debug


@pytest.fixture
def muted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hooks of a command, removed after the test."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    mute_uncaught_errors()


class _BadEnd:
    def __del__(self) -> None:
        _quoting_error()


def _uncaught_in_a_thread() -> None:
    thread = threading.Thread(target=_quoting_error)
    thread.start()
    thread.join()


def _uncaught_while_cleaning_up() -> None:
    _BadEnd()


def _uncaught_at_last() -> None:
    try:
        _quoting_error()
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)


@pytest.mark.usefixtures("muted")
@pytest.mark.parametrize(
    "fail", [_uncaught_in_a_thread, _uncaught_while_cleaning_up, _uncaught_at_last]
)
def test_errors_that_nobody_catches_tell_kind_and_place_only(
    capsys: pytest.CaptureFixture[str], fail: Callable[[], None]
) -> None:
    fail()

    shown = "".join(capsys.readouterr())
    assert shown.startswith("RuntimeError at ")
    assert "_quoting_error; its words are withheld" in shown
    assert CANARY not in shown


@pytest.mark.parametrize("damaged", [b"", b"\0" * 64, b"0" * 63, "khóa".encode()])
def test_a_damaged_secret_is_never_made_anew_unasked(tmp_path: Path, damaged: bytes) -> None:
    file = tmp_path / "record_key"
    file.write_bytes(damaged)
    file.chmod(0o600)

    with pytest.raises(ConfigError, match="damaged") as caught:
        load_record_key(tmp_path)

    assert "backup" in caught.value.remedy
    assert "lose their age" in caught.value.remedy
    assert file.read_bytes() == damaged


def test_a_secret_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "record_key").mkdir(mode=0o700)

    with pytest.raises(ConfigError, match="no file"):
        load_record_key(tmp_path)


def test_a_secret_is_made_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    home = tmp_path / "home"
    load_record_key(home)

    assert [file.name for file in home.iterdir()] == ["record_key"]


def test_processes_that_make_the_secret_at_once_have_one(tmp_path: Path) -> None:
    """A reader never finds half a secret, and the second process uses the first one's secret."""
    script = (
        "import sys; from pathlib import Path; from etl.process.privacy import load_record_key\n"
        "sys.stdin.readline()\n"
        "for n in range(25): print(load_record_key(Path(sys.argv[1]) / str(n)).of('R1'))\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate() for process in started]

    assert [errors for _, errors in told] == ["", "", ""]
    assert len({output for output, _ in told}) == 1


def test_threads_that_ask_for_private_files_at_once_leave_the_umask_as_it_was() -> None:
    """The first thread ends first: the other's files stay private, and the umask is restored."""
    before = os.umask(0o022)
    try:
        one, other = owner_only(), owner_only()
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert os.umask(0o077) == 0o077
        other.__exit__(None, None, None)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
