"""Whole runs on registers full of canaries: nothing that they leave or print holds a canary.

Belongs here: what may hold personal data, and the proof that nothing else does, however a run
ends. Does not belong here: the record key itself (``tests/unit/test_privacy.py``).
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.definitions import build_defs
from assets.instance import instance_for
from assets.jobs import JOBS
from etl.clean import dictionaries
from etl.domain.contract import DIFFERENCE_TABLES, HISTORY_TABLES
from etl.engine.statements import TableName
from etl.normalise.syllables import unaccent
from etl.pipeline.lock import release_lock
from etl.state.tables import state_metadata
from tests.receivers import Hook
from tests.support import (
    SPARK,
    Registers,
    Server,
    citizen,
    decide,
    from_state,
    from_warehouse,
    memory_folder,
    record,
    run_sql,
    writing,
)

# --- the canaries -------------------------------------------------------------------------------
# Each syllable, number and date occurs in no other text of doisoat or of a library.

PASSWORD = "right-password"  # of the tests' server; must be in no log either
NAMES = ("Trịnh Quềnh Khuỷu", "Mạc Xoẹt Nguệch", "Khổng Ngoằn Quẹo", "Nhữ Toòng Huỵch",
         "Giả Chuếnh Loạng", "Ngụy Xuềnh Xoàng")  # fmt: skip
UNREADABLE = "Qu#@nh~Kh^yuw"
ADDRESS = "77/9 ngõ Lắt Léo Khúc Khuỷu"
PERSONAL = ("001037654987", "001046731298", "001058246713", "001061937482", "001072618394",
            "001083746195")  # fmt: skip
FORMER = "731946285"
INSURANCE = ("7965412398", "7965423187")
CARDS = ("DN4797965412398", "GD4797965423187")
NO_NUMBER = ("00104673129Q", "0790456XKCD")
NUMBERS = (*PERSONAL, FORMER, *INSURANCE, *CARDS, *NO_NUMBER)
DATES = ("1937-02-23", "1946-10-29", "1958-07-30", "1961-11-27", "1972-05-31", "1983-12-28")
IMPOSSIBLE_DATE = "31/02/1949"
RECORD_IDS = ("HSQX7701", "HSQX7702", "HSQX7703", "HSQX7704", "HSQX7705", "HSQX7706", "HSQX7707",
              "HSQX7708", "HSQX7709")  # fmt: skip


def _people() -> list[dict[str, object]]:
    """Citizens: those of the records, one who died, one whose number is not valid."""

    def of(n: int, **more: object) -> dict[str, object]:
        return citizen(n + 900, full_name=NAMES[n], date_of_birth=DATES[n],
                       personal_id=PERSONAL[n], gender="Nam", address=ADDRESS) | more  # fmt: skip

    return [
        of(0, former_id_numbers=FORMER),
        of(1),
        of(2, status="deceased", date_of_death="2024-05-01"),
        of(3),
        of(4, personal_id=NO_NUMBER[1]),
    ]


def _records() -> list[dict[str, object]]:
    """A record for each way that data can take."""

    def of(n: int, record_id: str, **more: object) -> dict[str, object]:
        return record(n + 900, record_id=record_id, full_name=NAMES[n], date_of_birth=DATES[n],
                      id_number=PERSONAL[n], gender="Nam", address=ADDRESS) | more  # fmt: skip

    spaced = f"{PERSONAL[0][:3]} {PERSONAL[0][3:6]} {PERSONAL[0][6:]}"
    links = of(0, RECORD_IDS[0], date_of_birth="23/02/1937", id_number=spaced,
               insurance_number=INSURANCE[0], health_card_number=CARDS[0])  # fmt: skip
    return [
        links,
        # The same citizen again: a duplicate, found by the former number.
        of(0, RECORD_IDS[1], id_number=FORMER, insurance_number=INSURANCE[1]),
        # A mismatch, and values that no cast accepts.
        of(1, RECORD_IDS[2], date_of_birth="29.10.1946", gender=UNREADABLE,
           updated_at=f"{DATES[1]}T99:{NAMES[1]}", health_card_number=CARDS[1],
           health_insurance=NAMES[1], province_code=NAMES[1]),
        # A dead citizen's active record, which breaks a rule.
        of(2, RECORD_IDS[3]),
        # Verified; the same with somebody else's number, for a person to decide; a name of nobody.
        of(3, RECORD_IDS[7]),
        of(3, RECORD_IDS[4], id_number=PERSONAL[1], insurance_number=None),
        of(5, RECORD_IDS[8], id_number=PERSONAL[2]),
        # Rejected: nothing to compare, and two versions under one key.
        of(4, RECORD_IDS[5], date_of_birth=None, id_number=None, insurance_number=None,
           address=None),
        of(4, RECORD_IDS[6], full_name=UNREADABLE, date_of_birth=IMPOSSIBLE_DATE),
        of(5, RECORD_IDS[6], date_of_birth=IMPOSSIBLE_DATE, id_number=NO_NUMBER[0]),
    ]  # fmt: skip


def _spellings(canary: str) -> set[str]:
    """Returns a value in every form that the normaliser, a log or a driver could give it."""
    plain = {canary, unaccent(canary)}
    if canary in DATES:
        year, month, day = canary.split("-")
        marks = {f"{day}{mark}{month}{mark}{year}" for mark in "/-."}
        plain |= marks | {f"{year}{month}{day}", f"{day}{month}{year}",
                          f"{year}, {int(month)}, {int(day)}"}  # fmt: skip
    if canary in NUMBERS:
        plain |= {mark.join((canary[:3], canary[3:6], canary[6:])) for mark in " .-"}
    cased = {form for text in plain for form in (text, text.upper(), text.lower(), text.title())}
    return cased | {unicodedata.normalize("NFD", text) for text in cased}


def _needles() -> dict[bytes, str]:
    """What is searched for, as bytes in lower-case ASCII, each with its canary."""
    syllables = {word for name in NAMES for word in name.split()[1:]}
    canaries = {*syllables, *NAMES, ADDRESS, UNREADABLE, *NUMBERS, *DATES, IMPOSSIBLE_DATE,
                *RECORD_IDS, PASSWORD}  # fmt: skip
    found: dict[bytes, str] = {}
    for canary in canaries:
        for text in _spellings(canary):
            escaped = json.dumps(text)[1:-1]
            forms = {text, escaped, json.dumps(escaped)[1:-1], quote(text), quote(text, safe="")}
            for form in forms:
                found[form.encode("utf-8").lower()] = canary
            for encoding in ("utf-16-le", "utf-16-be"):
                found[text.encode(encoding).lower()] = canary
    kept: dict[bytes, str] = {}
    for needle in sorted(found, key=len):
        # Four letters may occur anywhere. A needle that contains a shorter one is not needed.
        if len(needle) >= 5 and not any(shorter in needle for shorter in kept):
            kept[needle] = found[needle]
    return kept


NEEDLES = _needles()


def _leaks(where: str, content: bytes) -> list[str]:
    lowered = content.lower()
    return sorted({f"{where}: {canary}" for needle, canary in NEEDLES.items() if needle in lowered})


# --- where they are looked for ------------------------------------------------------------------

MAY_HOLD_THEM = {
    ".doisoat/warehouse.duckdb": "the warehouse",
    ".doisoat/warehouse.duckdb.wal": "its log",
    ".doisoat/warehouse.duckdb.tmp": "what did not fit into memory",
    ".doisoat/warehouse.files": "the registers as they were read",
    ".doisoat/snapshots": "what earlier runs left for readers",
    "lake": "the tables of a run on Spark",
    "sources": "the registers themselves, and the target with the state beside it",
    "doisoat.toml": "the configuration, which names the password",
}
"""The only places of a run that may hold personal data or a secret, and why."""

PERSONAL_STATE = {
    "decisions": "what a steward decided of which record and citizen",
    "link_history": "which record was linked with which citizen, and when",
    "worklist_items": "which record an office was asked about, and what it wrote of it",
    "case_notes": "what stewards wrote of which record",
    "case_holds": "who has which record open",
}
"""The tables of the state that may, too; the others name records only by their key."""


@dataclass
class Campaign:
    """Commands on one pair of registers, with all that they print and leave.

    Attributes:
        folder: Holds the home, the user's own folder and that of temporary files.
        hook: The receiver of its alerts.
        printed: What the commands printed, by command.
    """

    folder: Path
    pair: Registers
    environment: Mapping[str, str]
    hook: Hook = field(default_factory=Hook)
    printed: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pair.options["alerts"] = {"urls": [self.hook.url]}
        self.pair.write()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("doisoat")), "--config", str(self.pair.file),
             *arguments],
            cwd=self.folder,
            env={**self.environment, "HOME": str(self.folder / "user"),
                 "TMPDIR": str(self.folder / "temporary")},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=0o022,
        )  # fmt: skip

    def run(self, *arguments: str) -> int:
        """Runs the real command in a separate process, with a umask that lets others read."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=240)
        self.note(" ".join(arguments), output + errors, process.returncode)
        return process.returncode

    def call(self, *arguments: str) -> str:
        """Runs a command in this process, which is faster."""
        from etl.cli.app import app

        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            try:
                code = app(["--config", str(self.pair.file), *arguments], standalone_mode=False)
            except Exception as error:
                code, text = 2, str(error)
                out.write(text)
        self.note(" ".join(arguments), out.getvalue(), int(code or 0))
        return out.getvalue()

    def note(self, command: str, said: str, code: int) -> None:
        self.printed[command] = self.printed.get(command, "") + said
        self.exit_codes[command] = code

    def leaks(self) -> list[str]:
        """Every canary in what was printed or sent, and in the files that may hold none."""
        for message in self.hook.messages:
            self.note("alerts", f"{message.title}\n{message.body}", 0)
        found = [leak for command, said in self.printed.items()
                 for leak in _leaks(f"printed by {command}", said.encode())]  # fmt: skip
        for file in self.files():
            for name, content in _contents(file):
                found += _leaks(f"{file.relative_to(self.folder)}{name}", content)
            found += _leaks("a file's name", str(file).encode())
        return found

    def files(self) -> Iterator[Path]:
        """The files that may hold no personal data."""
        for file in sorted(self.folder.rglob("*")):
            place = file.relative_to(self.folder)
            kept = {str(place), *map(str, place.parents)}
            if file.is_file() and not kept & MAY_HOLD_THEM.keys():
                yield file


def _contents(file: Path) -> Iterator[tuple[str, bytes]]:
    """A file's bytes and, if it packs or splits its content, that content as well."""
    yield "", file.read_bytes()
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            yield from ((f"/{name}", packed.read(name)) for name in packed.namelist())
    elif file.suffix == ".db":
        yield "/cells", "\n".join(_cells(file)).encode("utf-8", "replace")


def _cells(file: Path) -> Iterator[str]:
    with closing(sqlite3.connect(file)) as opened:
        opened.text_factory = lambda content: content.decode("utf-8", "replace")
        for (table,) in opened.execute("select name from sqlite_master where type = 'table'"):
            for row in opened.execute(f'select * from "{table}"'):
                yield from (str(value) for value in row if value is not None)


# --- the campaigns ------------------------------------------------------------------------------

Make = Callable[..., Campaign]


def _good(make: Make, postgresql: Server) -> Campaign:
    """A run that ends well, and every command whose output others may see."""
    done = make("good", source=postgresql.database, target=postgresql.database)
    for register in ("insurance", "population"):
        url = getattr(done.pair, f"{register}_url")
        run_sql(url, f"grant select on {register} to guarded")
        name = url.rpartition("/")[2].partition("?")[0]
        setattr(done.pair, f"{register}_url", postgresql.url_of(name, "guarded", PASSWORD))
    done.run("sync", "--json")
    return done


def _killed_and_crashed(make: Make) -> Campaign:
    """A killed run; then a run that crashes in SQL, because a dictionary has another type."""
    done = make("crashed")
    process = done.start("sync")
    files = done.folder / ".doisoat" / "warehouse.files"
    # By then both registers have been read.
    for _ in range(2_000):
        if any(files.glob("clean.*")) or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    output, errors = process.communicate(timeout=30)
    done.note("the killed sync", output + errors, process.returncode)
    with writing(done.pair.settings) as warehouse:
        dictionaries.extend(warehouse, "names")
        # The part that is read first declares canonical names as numbers.
        first = warehouse.file(TableName("clean", "names")) / "-.parquet"
        warehouse.connection.execute(
            "copy (select * replace (null::integer as canonical) from clean.names limit 0) "
            f"to '{first}' (format parquet)"
        )
    done.run("--debug", "sync")
    return done


def _broken_off(make: Make, postgresql: Server) -> Campaign:
    """A register whose SELECT fails in the middle and quotes the value; and a failing gate."""
    done = make("broken_off", source=postgresql.database)
    done.pair.options["insurance.columns"] = {
        "employer_code": f"case when record_id = '{RECORD_IDS[0]}' "
        "then cast(full_name as integer) end"
    }
    for row in done.pair.population[:20]:
        row["full_name"] = None
    done.pair.write()
    done.run("--debug", "sync", "--json")
    return done


@pytest.fixture(scope="module")
def campaigns(
    postgresql: Server, command_environment: dict[str, str]
) -> Iterator[dict[str, Campaign]]:
    """All campaigns, two at a time."""
    root = memory_folder("doisoat-privacy-")

    def make(
        name: str,
        source: Callable[[], str] | None = None,
        target: Callable[[], str] | None = None,
    ) -> Campaign:
        folder = root / name
        for part in ("sources", "temporary", "user"):
            (folder / part).mkdir(parents=True)
        sqlite = iter(f"sqlite:///{folder}/sources/{part}.db" for part in "ipt")
        urls = [(source or sqlite.__next__)(), (source or sqlite.__next__)(),
                (target or sqlite.__next__)()]  # fmt: skip
        pair = Registers(
            folder,
            [record(n) for n in range(1, 31)] + _records(),
            [citizen(n) for n in range(1, 31)] + _people(),
            *urls,
        )
        return Campaign(folder, pair, command_environment)

    plans: list[Callable[[], Campaign]] = [
        lambda: _good(make, postgresql),
        lambda: _killed_and_crashed(make),
        lambda: _broken_off(make, postgresql),
    ]
    try:
        with ThreadPoolExecutor(2) as pool:
            done = [work.result() for work in [pool.submit(plan) for plan in plans]]
        yield {campaign.folder.name: campaign for campaign in done}
        for campaign in done:
            campaign.hook.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)


_TARGETS = [dg.AssetKey(["target", name]) for name in (*DIFFERENCE_TABLES, *HISTORY_TABLES)]


# --- the tests ----------------------------------------------------------------------------------


@pytest.mark.wide
def test_the_canaries_went_every_way(campaigns: dict[str, Campaign]) -> None:
    """Otherwise the search would prove nothing."""
    good = campaigns["good"]
    rows = good.pair.published("select record_id, status from {reconciled}")
    statuses = {row["status"] for row in rows if row["record_id"] in RECORD_IDS}
    rejects = good.pair.published("select register, reason from {rejects}")
    failing = from_warehouse(
        good.pair.settings,
        "select distinct check_name from ops.quality_failures where closed_run is null",
    )

    assert statuses == {"VERIFIED", "MISMATCH", "REVIEW", "NOT_FOUND", "REJECTED"}
    assert {(row["register"], row["reason"]) for row in rejects} == {
        ("insurance", "nothing_to_compare"),
        ("insurance", "record_id_conflict"),
        ("population", "personal_id_invalid"),
    }
    assert "nobody_dead_is_active" in {row["check_name"] for row in failing}


@pytest.mark.wide
def test_each_run_ended_as_it_was_meant_to(campaigns: dict[str, Campaign]) -> None:
    broken_off = campaigns["broken_off"]
    events = b"".join(file.read_bytes() for file in broken_off.files() if file.suffix == ".db")

    assert campaigns["good"].exit_codes == {"sync --json": 0}
    assert campaigns["crashed"].exit_codes == {
        "the killed sync": -signal.SIGKILL,
        "--debug sync": 70,
    }
    assert "ConversionException at" in campaigns["crashed"].printed["--debug sync"]
    assert broken_off.exit_codes == {"--debug sync --json": 1}
    assert "full_name_is_mostly_filled" in broken_off.printed["--debug sync --json"]
    assert b"Reading the insurance register: The database does not understand an SQL" in events


@pytest.mark.parametrize("name", ["good", "crashed", "broken_off"])
@pytest.mark.wide
def test_nothing_that_a_run_leaves_or_prints_holds_a_person(
    campaigns: dict[str, Campaign], name: str
) -> None:
    campaign = campaigns[name]
    looked_at = [str(file.relative_to(campaign.folder)) for file in campaign.files()]

    assert campaign.leaks() == []
    # Dagster's runs were searched, too; it keeps nothing of what steps print.
    assert any(file.startswith(".doisoat/dagster/history/runs") for file in looked_at)
    assert not any("compute_logs" in file for file in looked_at)
    assert (".doisoat/charts/run.html" in looked_at) == (name == "good")
    assert (".doisoat/data_docs/publish.reconciled.html" in looked_at) == (name == "good")
    assert list((campaign.folder / "temporary").iterdir()) == []
    # The alert was sent.
    assert ("population.full_name_is_mostly_filled" in campaign.printed.get("alerts", "")) == (
        name == "broken_off"
    )


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_that_a_run_on_spark_leaves_or_prints_holds_a_person(
    needs_java: None, command_environment: dict[str, str]
) -> None:
    """Registers and tables in a lake: a run on Spark that ends well, then one that crashes."""
    folder = memory_folder("doisoat-privacy-spark-")
    try:
        done = _on_spark(folder, command_environment)

        assert done.run("sync", "--json") == 0
        rows = done.pair.published("select record_id, status from {reconciled}")
        statuses = {row["status"] for row in rows if row["record_id"] in RECORD_IDS}
        assert statuses == {"VERIFIED", "MISMATCH", "REVIEW", "NOT_FOUND", "REJECTED"}
        assert done.leaks() == []

        (tables,) = (folder / "lake").iterdir()
        assert list(tables.glob("core.links.parquet/*")), "Spark has built the tables"
        _spoil_names(done)
        assert done.run("--debug", "sync") == 70
        assert "Py4JJavaError at" in done.printed["--debug sync"]
        done.call("check")
        assert done.leaks() == []

        looked_at = [str(file.relative_to(folder)) for file in done.files()]
        assert any(file.startswith(".doisoat/dagster/history/runs") for file in looked_at)
        assert not list((folder / ".doisoat").glob("spark-*.tmp")), "what did not fit into memory"
        assert list((folder / "temporary").iterdir()) == []
        others = [path for path in (tables, *tables.rglob("*")) if path.stat().st_mode & 0o077]
        assert others == []
        done.hook.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _on_spark(folder: Path, environment: dict[str, str]) -> Campaign:
    """A campaign whose registers are Parquet files, and whose tables lie beside the home."""
    for part in ("sources", "temporary", "user"):
        (folder / part).mkdir()
    (folder / "lake").mkdir(mode=0o755)
    pair = Registers(
        folder,
        [record(n) for n in range(1, 31)] + _records(),
        [citizen(n) for n in range(1, 31)] + _people(),
        f"parquet:///{folder}/sources/insurance.parquet",
        f"parquet:///{folder}/sources/population.parquet",
        f"sqlite:///{folder}/sources/t.db",
        options={"engine": SPARK | {"lake": str(folder / "lake")}},
    )
    return Campaign(folder, pair, environment)


def _spoil_names(done: Campaign) -> None:
    """Makes the part of a dictionary that is read first declare canonical names as numbers."""
    (names,) = (done.folder / "lake").glob("*/clean.names.parquet")
    first = next(iter(sorted(names.glob("*.parquet"))))
    table = pq.read_table(first).slice(0, 0)
    place = table.schema.get_field_index("canonical")
    numbers = pa.nulls(0, pa.int32())
    pq.write_table(table.set_column(place, "canonical", numbers), names / "-.parquet")
    (names / "-.parquet").chmod(0o600)


@pytest.mark.wide
def test_what_is_meant_to_be_shared_holds_nobody(campaigns: dict[str, Campaign]) -> None:
    """The lists of triage in every form, runs, charts, and a search that finds nobody."""
    good = campaigns["good"]
    failing = json.loads(good.call("triage", "--json"))
    for rule in (rule["rule"] for rule in failing):
        for form in ((), ("--json",), ("--out", str(good.folder / f"{rule}.csv"))):
            good.call("triage", rule, *form)
    good.call("triage", failing[0]["rule"], "--out", str(good.folder / "list.xlsx"))
    good.call("triage", failing[0]["rule"], "--record", NUMBERS[0])
    for command in (("triage",), ("runs",), ("runs", "--json"), ("check",), ("check", "--json"),
                    ("charts", "--output", str(good.folder / "page.html")),
                    ("explain", NUMBERS[0]), ("explain", "--record-key", NAMES[0])):  # fmt: skip
        good.call(*command)

    assert len(failing) > 3
    assert (good.folder / "list.xlsx").stat().st_size > 0
    assert "knows no such insurance record" in good.printed[f"explain {NUMBERS[0]}"]
    good.printed = {command.partition(" ")[0]: said for command, said in good.printed.items()}
    assert good.leaks() == []


@pytest.mark.wide
def test_a_target_that_quotes_the_row_it_refuses(
    campaigns: dict[str, Campaign],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The publish alone, again: PostgreSQL says which row fails, with all its values."""
    good = campaigns["good"]
    run_sql(
        good.pair.target_url,
        f"delete from doisoat.mismatches where record_id = '{RECORD_IDS[2]}'",
        f"alter table doisoat.mismatches add check (record_id <> '{RECORD_IDS[2]}')",
    )
    for name in ("DAGSTER_HOME", "DOISOAT_CONFIG"):
        monkeypatch.setenv(name, "")
    instance = instance_for(good.pair.settings)
    try:
        ended = (
            build_defs(good.pair.settings)
            .resolve_job_def(JOBS["full"])
            .execute_in_process(
                instance=instance,
                asset_selection=_TARGETS,
                raise_on_error=False,
            )
        )
    finally:
        instance.dispose()
        release_lock(good.pair.settings)
    (failure,) = [event for event in ended.all_events if event.is_step_failure]
    good.note("the refused publish", "".join(capfd.readouterr()), 3)

    told = failure.step_failure_data.user_failure_data.description
    assert "refused a row (SQLSTATE 23514)" in told
    assert "RUN_START" in good.printed["the refused publish"]
    assert good.leaks() == []


@pytest.mark.wide
def test_one_records_values_are_shown_only_where_they_are_asked_for(
    campaigns: dict[str, Campaign],
) -> None:
    good = campaigns["good"]
    shown = good.call("explain", RECORD_IDS[0], "--json")
    (look,) = from_state(good.pair.settings, "select record_key, command from {access_log}")
    del good.printed[f"explain {RECORD_IDS[0]} --json"]

    assert NAMES[0] in shown
    assert look["command"] == "explain --json"
    assert _leaks("the access log", str(look["record_key"]).encode()) == []


@pytest.mark.wide
def test_of_the_state_only_decisions_and_links_name_a_person(
    campaigns: dict[str, Campaign],
) -> None:
    """The state lies beside the result, so readers of that database may read it, too."""
    for name in ("good", "broken_off"):
        settings = campaigns[name].pair.settings
        decide(settings, RECORD_IDS[4], PERSONAL[1])
        rows = {
            table: from_state(settings, f"select * from {{{table}}}")
            for table in state_metadata(None).tables
        }
        personal = {table for table, found in rows.items() if _leaks(table, str(found).encode())}

        assert personal <= PERSONAL_STATE.keys()
        assert "decisions" in personal
        assert ("link_history" in personal) == (name == "good")
        assert len(rows["quality_failures"]) > 0


@pytest.mark.parametrize(
    "hide",
    [
        lambda name: name.encode(),
        lambda name: name.upper().encode("utf-16"),
        lambda name: json.dumps({"message": json.dumps(name)}).encode(),
        lambda name: quote(unaccent(name)).encode(),
        lambda name: unicodedata.normalize("NFD", name).encode(),
    ],
)
def test_the_search_would_find_a_name(tmp_path: Path, hide: Callable[[str], bytes]) -> None:
    hidden = b"\x00\x01" + hide(f"could not convert '{NAMES[2]}'") + b"\xff"
    packed, database = tmp_path / "list.xlsx", tmp_path / "log.db"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet", hidden)
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("create table event (body blob)")
        opened.execute("insert into event values (?)", [hidden])
        opened.commit()

    assert _leaks("", hidden)
    for file in (packed, database):
        assert any(_leaks(name, content) for name, content in _contents(file))


@pytest.mark.wide
def test_only_their_owner_reads_the_files_that_hold_persons(
    campaigns: dict[str, Campaign],
) -> None:
    for campaign in campaigns.values():
        home = campaign.folder / ".doisoat"
        kept = [home / "record_key", *home.glob("warehouse.*"), *home.glob("warehouse.*/*"),
                *(campaign.folder / "sources").glob("t.db")]  # fmt: skip

        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert len(kept) >= 4
        open_to_others = [file.name for file in kept if file.stat().st_mode & 0o077]
        assert open_to_others == []


def test_a_warehouse_that_was_open_to_others_is_shut(registers: Callable[..., Registers]) -> None:
    pair = registers()
    pair.sync()
    pair.settings.warehouse_path.chmod(0o644)

    pair.sync()

    assert stat.S_IMODE(pair.settings.warehouse_path.stat().st_mode) == 0o600


@pytest.mark.wide
def test_the_record_key_is_made_once(campaigns: dict[str, Campaign]) -> None:
    """After a killed and a crashed run, the pseudonyms in the logs are still the same."""
    crashed = campaigns["crashed"].folder / ".doisoat"
    made = (crashed / "record_key").stat()

    assert made.st_mtime < (crashed / "warehouse.duckdb").stat().st_mtime
    assert len((crashed / "record_key").read_text()) == 64
