"""How fast the workbench answers, for a result of a given size.

    python -m benchmarks.console --citizens 1000000 [--home FOLDER] [--rounds 30]

Registers are simulated, written as raw files and reconciled once; the home can be kept for another
measurement. The run counts as published, although the target stays empty. Then the desk is made,
the workbench is served as ``doisoat console`` serves it, and pages are requested over HTTP by one
steward after the other, and by eight at once. State and target are a SQLite file here.

Belongs here: the time that pages take, and making a desk. Does not belong here: whether they are
right (``tests/integration/test_console.py``).
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import requests
import uvicorn
from rich.console import Console
from rich.table import Table
from sqlalchemy import update

from console.desks import Desks
from console.serving import make_app
from console.users import Role
from console.workbench import Workbench
from etl.bench.registers import fresh_warehouse, land, settings_of
from etl.databases.connect import engine_for
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.snapshots import reading
from etl.process.web import listening
from etl.publish.tables import ensure_tables
from etl.settings import Engine, Settings
from etl.simulate import SimulationSpec, write_parquet
from etl.state.copying import save_now
from etl.state.store import StateSessions
from etl.state.tables import metadata_for

PASSWORD = "of a benchmark"  # noqa: S105 - of nobody


def prepare(home: Path, citizens: int, engine: Engine) -> None:
    """Reconciles registers of that size, unless the home has them."""
    if (home / "warehouse.duckdb").exists():
        return
    settings = settings_of(home, engine)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        write_parquet(SimulationSpec(citizens=citizens, seed=17), Path(folder))
        with fresh_warehouse(home, engine) as warehouse:
            land(warehouse, {n: Path(folder) / f"{n}.parquet" for n in ("insurance", "population")})
            runner.build_all(warehouse)
            save_now(warehouse, settings)
    ensure_tables(settings.target)
    metadata, prefix = metadata_for(settings)
    runs = metadata.tables[f"{prefix}runs"]
    database = engine_for(settings.state_database, read_only=False)
    with database.begin() as connection:
        connection.execute(update(runs).values(published_at=datetime.now(UTC).replace(tzinfo=None)))


@contextmanager
def served(settings: Settings) -> Iterator[tuple[str, Workbench, float]]:
    """Serves the workbench; yields its address, its parts, and the seconds that opening took."""
    began = time.perf_counter()
    with (
        listening(0) as taken,
        closing(StateSessions(settings)) as sessions,
        closing(Desks(settings)) as desks,
    ):
        opened = time.perf_counter() - began
        port = taken.getsockname()[1]
        workbench = Workbench(settings, desks, sessions)
        workbench.users.put("mai", Role.NATIONAL, (), PASSWORD)
        app = make_app(settings, workbench, port)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        taken.listen(64)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}", workbench, opened
        server.should_exit = True
        thread.join(10)


def logged_in(url: str) -> requests.Session:
    """Somebody's browser."""
    session = requests.Session()
    session.post(url + "/login", data={"name": "mai", "password": PASSWORD})
    return session


def taken(ask: Callable[[], requests.Response], rounds: int) -> list[float]:
    """Returns the milliseconds of each answer, in ascending order."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = ask()
        found.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.status_code
    return sorted(found)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--citizens", type=int, default=300_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--memory", default="", help="of reconciling, such as 8GB")
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="doisoat-console-"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = Engine(memory=chosen.memory)
    prepare(home, chosen.citizens, engine)
    settings = settings_of(home, engine)
    with reading(settings) as warehouse:
        size = warehouse.count(TableName("core", "reconciled"))
        linked = [
            str(row["key"])
            for row in warehouse.rows(
                "select record_key(record_id) as key from core.reconciled "
                "where status = 'VERIFIED' order by hash(record_id) limit 200"
            )
        ]
    with served(settings) as (url, workbench, opened), workbench._desks.lend() as desk:
        with desk.reader() as reader:
            cases = reader.number("select count(*) from publish.cases")
        mai = logged_in(url)
        lists = "".join(mai.get(f"{url}/queue/{q}").text for q in ("review", "shared", "deceased"))
        waiting = list(dict.fromkeys(re.findall(r"/case/([0-9a-f]{16})", lists)))
        token = re.findall(r'name="token" value="([^"]+)"', mai.get(url + "/search").text)[0]
        turn = count()

        def case() -> requests.Response:
            return mai.get(f"{url}/case/{waiting[next(turn) % len(waiting)]}")

        def settled() -> requests.Response:
            return mai.get(f"{url}/case/{linked[next(turn) % len(linked)]}")

        def search() -> requests.Response:
            return mai.post(url + "/search", data={"token": token, "asked": "079300000001"})

        pages: dict[str, Callable[[], requests.Response]] = {
            "overview": lambda: mai.get(url + "/"),
            "queue of reviews": lambda: mai.get(url + "/queue/review"),
            "queue, filtered": lambda: mai.get(url + "/queue/shared?province=79&age=7"),
            "next case": lambda: mai.get(url + "/queue/review/next?after=5"),
            "a case that waits": case,
            "a record that waits for nobody": settled,
            "search by a number": search,
        }
        table = Table(title=f"{size:,} records, {cases:,} cases: milliseconds of a page")
        for column in ("page", "median", "95%", "slowest"):
            table.add_column(column, justify="left" if column == "page" else "right")
        for name, ask in pages.items():
            found = taken(ask, chosen.rounds)
            figures = (statistics.median(found), found[int(len(found) * 0.95)], found[-1])
            table.add_row(name, *(f"{figure:,.0f}" for figure in figures))
        with ThreadPoolExecutor(8) as pool:
            browsers = [logged_in(url) for _ in range(8)]
            began = time.perf_counter()
            answers = list(
                pool.map(
                    lambda at: taken(
                        lambda: browsers[at].get(f"{url}/case/{waiting[(at * 7) % len(waiting)]}"),
                        chosen.rounds // 2,
                    ),
                    range(8),
                )
            )
            seconds = time.perf_counter() - began
        together = sorted(one for some in answers for one in some)
        table.add_row(
            "a case, eight stewards at once", f"{statistics.median(together):,.0f}",
            f"{together[int(len(together) * 0.95)]:,.0f}", f"{together[-1]:,.0f}",
        )  # fmt: skip
        Console().print(table)
        size_of_desk = desk.file.stat().st_size / 1e6
        print(f"Eight at once: {len(together) / seconds:,.0f} cases a second.")
        print(f"Opening the desk took {opened:,.1f} s, made or not; it is {size_of_desk:,.0f} MB.")
        print(f"{os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
