"""Record keys: one function in Python and in SQL, and a secret that only its owner reads."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import ConfigError
from etl.privacy import KEY_VARIABLE, RecordKey, load_record_key

SECRET = bytes(range(32))


def _in_sql(key: RecordKey, record_ids: list[str]) -> list[str]:
    with duckdb.connect() as connection:
        connection.execute(key.macro_sql)
        return [
            connection.execute("select record_key(?)", [record_id]).fetchall()[0][0]
            for record_id in record_ids
        ]


def test_a_record_key_is_the_beginning_of_the_hmac() -> None:
    expected = hmac.new(SECRET, b"R0001", hashlib.sha256).hexdigest()[:16]

    assert RecordKey(SECRET).of("R0001") == expected


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64])
def test_the_macro_is_the_same_function_for_secrets_of_any_length(length: int) -> None:
    key = RecordKey(bytes(255 - n for n in range(length)))
    ids = ["R0001", "", "  ", "Đỗ Văn Bảo", "🙂", "x" * 5_000, "'; drop table x; --", "a\x00b"]

    assert _in_sql(key, ids) == [key.of(record_id) for record_id in ids]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20))
def test_the_macro_is_the_same_function_for_any_text(record_ids: list[str]) -> None:
    key = RecordKey(SECRET)

    assert _in_sql(key, record_ids) == [key.of(record_id) for record_id in record_ids]


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
