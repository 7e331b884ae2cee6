"""Registers with hostile values in every text column: nothing that shows them obeys them.

The values are: colours and commands of a terminal, signs that change the direction of reading,
rich's markup, HTML, Markdown links, formulas of spreadsheets.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.run import Run, warehouse_for
from etl.pipeline.snapshots import reading
from etl.report.charts import write_charts
from expectations import SUITES
from expectations.docs import write_docs
from expectations.runner import run_suite
from tests.support import (
    INSURANCE_COLUMNS,
    POPULATION_COLUMNS,
    Command,
    Registers,
    citizen,
    from_warehouse,
    memory_folder,
    record,
)

pytestmark = pytest.mark.wide

DEAD = "core.reconciled.nobody_dead_is_active"
REJECTED = "clean.rejects.records_have_something_to_compare"

TERMINAL = "\x1b[31m\x1b]52;c;ZXZpbA==\x07\x9b31m\x90q\x9c\u202eevil\u2066\u200b\r\x7f"
MARKUP = "[/] [bold red]x[/bold] [link=http://evil]y[/link] :key: \\"
PAGE = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) | a |"
FORMULAS = (
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "  =1+1", "\u3000=1+1", "＝1+1", "＋1",
    "－1", "＠SUM(1)", "x;=1+1", 'x; "=1+1', "=cmd|' /C calc'!A1", "\u200b=1+1",
)  # fmt: skip
HOSTILE = f"{TERMINAL}{MARKUP}\n{PAGE}"
EMPLOYERS = {code.strip(" \u3000") for code in (HOSTILE, *FORMULAS)}
"""The values as they are understood: without blanks at their ends."""


@pytest.fixture(scope="module")
def registers() -> Iterator[Registers]:
    """Deceased people who work for hostile employers, and rows with only hostile values."""
    folder = memory_folder("doisoat-hostile-")
    dead = {"status": "deceased", "date_of_death": "2024-05-01", "address": HOSTILE}
    employers = [HOSTILE, *FORMULAS]
    numbers = range(len(employers))
    made = Registers(
        folder,
        [
            *(record(n, employer_code=e, address=e, province_code="01" if n else HOSTILE)
              for n, e in enumerate(employers)),
            record(60, full_name=f"{HOSTILE} Nguyễn", gender=HOSTILE, id_number=HOSTILE),
            record(61, full_name=HOSTILE, gender=HOSTILE, employer_code=HOSTILE),
            dict.fromkeys(INSURANCE_COLUMNS, HOSTILE),
            dict.fromkeys(INSURANCE_COLUMNS, f"={HOSTILE}"),
            dict.fromkeys(INSURANCE_COLUMNS, HOSTILE) | {"record_id": "all of it"},
            dict.fromkeys(INSURANCE_COLUMNS) | {"record_id": "=nothing", "employer_code": HOSTILE},
        ],
        [
            *(citizen(n, **dead) for n in numbers),
            citizen(60),
            citizen(61, full_name=HOSTILE, address=HOSTILE),
            dict.fromkeys(POPULATION_COLUMNS, HOSTILE),
        ],
        *(f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")),
    ).write()  # fmt: skip
    with warehouse_for(made.settings, Run("hostile")) as warehouse:
        runner.run(warehouse, made.settings)
        for suite in SUITES:
            results = run_suite(warehouse, suite)
            write_docs(warehouse, suite, results, folder / "data_docs", made.settings.schedule)
    release_lock(made.settings)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run(doisoat_here: Callable[..., Command], registers: Registers) -> Callable[..., Command]:
    """The command with the configuration of these registers."""
    return lambda *arguments, **environment: doisoat_here(
        "--config", registers.file, *arguments, **environment
    )


def _obeyed(text: str) -> set[str]:
    """The characters of a text that are neither printable nor line ends."""
    return {f"U+{ord(c):04X}" for c in text if c != "\n" and not c.isprintable()}


def _harmless(done: Command) -> str:
    assert done.exit_code == 0, done.errors
    assert _obeyed(done.output + done.errors) == set()
    return done.output


@pytest.mark.parametrize("rule", [None, DEAD, REJECTED])
def test_triage_lists_them(run: Callable[..., Command], rule: str | None) -> None:
    rules = [rule] if rule else []
    output = _harmless(run("triage", *rules, COLUMNS="4000"))  # with every column

    if rule == DEAD:
        assert "[/][boldred]x[/bold]" in "".join(output.split())  # whole, wherever the line breaks
        assert "⟨U+001B⟩" in output


def test_triage_narrows_by_a_hostile_employer(run: Callable[..., Command]) -> None:
    assert "1 rows fail" in _harmless(run("triage", DEAD, "--employer", HOSTILE))
    assert "No row fails" in _harmless(run("triage", DEAD, "--employer", "[/]"))


@pytest.mark.parametrize("arguments", [[], [DEAD], [DEAD, "--ids"], [REJECTED]])
def test_json_stays_json_and_gives_the_values_back(
    run: Callable[..., Command], arguments: list[str]
) -> None:
    rows = json.loads(_harmless(run("triage", *arguments, "--json")))

    if DEAD in arguments:
        assert {row["employer_code"] for row in rows} == EMPLOYERS


@pytest.mark.parametrize("ids", [[], ["--ids"]])
@pytest.mark.parametrize("rule", [DEAD, REJECTED])
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_no_cell_of_a_file_is_a_formula(
    run: Callable[..., Command], folder: Path, rule: str, ids: list[str], ending: str
) -> None:
    file = folder / f"list.{ending}"
    _harmless(run("triage", rule, *ids, "--out", file))

    cells = _csv_cells(file) if ending == "csv" else _excel_cells(file)
    assert len(cells) > 3
    assert [cell for cell in cells if re.match(r'[\s"]*[=+\-@＝＋－＠]', cell)] == []
    assert [cell for cell in cells if _obeyed(cell) or "\n" in cell] == []
    if rule == DEAD:
        assert "'=1+1" in cells
        assert "'＝1+1" in cells


def _csv_cells(file: Path) -> list[str]:
    """Every cell, for spreadsheets that separate cells by a comma or by a semicolon."""
    text = file.read_text("utf-8-sig")
    return [
        cell for sign in ",;" for row in csv.reader(io.StringIO(text), delimiter=sign)
        for cell in row
    ]  # fmt: skip


def _excel_cells(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    return re.findall(r"<t[^>]*>([^<]*)</t>", sheet)


def test_one_row_is_shown(run: Callable[..., Command]) -> None:
    for rule in (DEAD, REJECTED):
        rows = json.loads(run("triage", rule, "--json").output)
        (row, *_) = (row for row in rows if row["employer_code"] == HOSTILE)
        _harmless(run("triage", rule, "--record", row["record_key"]))


@pytest.mark.parametrize("arguments", [[], ["--lang", "en"], ["--json"]])
def test_a_record_is_explained(run: Callable[..., Command], arguments: list[str]) -> None:
    for record_id in ("R000000", "all of it"):
        _harmless(run("explain", record_id, *arguments))


def test_the_page_of_a_record_holds_text_and_no_more(
    run: Callable[..., Command], folder: Path
) -> None:
    for record_id in ("R000060", HOSTILE):
        file = folder / "page.html"
        _harmless(run("explain", record_id, "--html", file))

        _is_harmless_page(file.read_text("utf-8"))


def _is_harmless_page(page: str) -> None:
    # The chart libraries between the tags are not ours.
    ours = re.sub(r"<script>(?!alert).*?</script>", "", page, flags=re.DOTALL)
    assert _obeyed(ours) == set()
    assert "<script>alert" not in ours
    assert "<img" not in ours
    assert "href=javascript" not in ours.replace('"', "")


def test_charts_and_data_docs_hold_none_of_it(registers: Registers, folder: Path) -> None:
    with reading(registers.settings) as warehouse:
        write_charts(warehouse, folder / "charts.html")

    for page in (folder / "charts.html", *(registers.folder / "data_docs").glob("*.html")):
        text = page.read_text("utf-8")
        _is_harmless_page(text)
        assert "ZXZpbA" not in text


def test_the_tables_keep_the_values_as_they_are(registers: Registers) -> None:
    found = from_warehouse(registers.settings, "select employer_code from publish.reconciled")

    assert {row["employer_code"] for row in found} >= EMPLOYERS


def test_normalise_shows_what_it_is_given(run: Callable[..., Command]) -> None:
    for arguments in ([], ["--lang", "en"], ["--json"]):
        _harmless(
            run("normalise", HOSTILE, "--id", HOSTILE, "--born", HOSTILE, "--gender", HOSTILE,
                "--insurance", HOSTILE, "--card", HOSTILE, *arguments)
        )  # fmt: skip


def test_names_of_files_rules_and_keys_obey_nobody(
    run: Callable[..., Command], folder: Path
) -> None:
    odd = "a\x1b[31m\u202e[bold] [red]\n:key:"
    written = run("triage", DEAD, "--out", folder / f"{odd}.csv")
    assert written.exit_code == 0, written.errors
    for arguments in (
        ["triage", odd],
        ["triage", DEAD, "--record", odd],
        ["explain", odd],
        ["acknowledge", odd, "--reason", odd],
        ["triage", DEAD, "--out", folder / odd / "list.csv"],
        ["triage", DEAD, "--out", folder / odd],
        ["charts", "--output", f"/dev/null/{odd}"],
    ):
        done = run(*arguments)
        assert done.exit_code == 2, done.errors
        assert _obeyed(done.output + done.errors) == set()
    assert _obeyed(written.output) == set()
    noted = run("acknowledge", DEAD, "--reason", f"{odd} =1")
    assert noted.exit_code == 0
    assert "[bold] [red]" in _harmless(run("triage", DEAD))
