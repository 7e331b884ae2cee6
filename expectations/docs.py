"""Data Docs of the last run: an index and one page per table, for a browser, without any value.

Belongs here: laying out what was judged. Great Expectations' own renderers make the tables of a
page; the frame is ours, because theirs fetches styles, scripts and pictures from the internet, and
these pages must open on a machine that has none. Great Expectations is loaded with this module, so
import it where a page is written. Does not belong here: judging (``runner.py``), which lets nothing
of a row come this far.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.render.components import RenderedDocumentContent
from great_expectations.render.renderer.content_block import validation_results_table_content_block
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView

from etl.codes import Severity
from etl.warehouse.engine import Warehouse
from etl.warehouse.statements import TableName
from expectations.rules import Suite
from expectations.runner import RuleResult

INDEX = "index.html"

_TEMPLATES = files(__package__).joinpath("templates")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The Content-Security-Policy of the pages: no script, nothing fetched."""

# A step that was tried again has judged its table twice.
_TABLES_OF_RUN = """
with judged as (
    select results.*
    from ops.quality_results as results
    semi join ops.parameters as run on results.run_id = run.run_id
    qualify row_number() over (partition by table_name, check_name order by checked_at desc) = 1
)

select
    table_name as table,
    max(checked_rows) as rows,
    count(*) as rules,
    count(*) filter (not passed and severity = $error) as errors,
    count(*) filter (not passed and severity <> $error) as warnings,
    bool_or(not passed and blocking) as stopped
from judged
group by table_name
order by stopped desc, errors > 0 desc, warnings > 0 desc, min(checked_at), table_name
"""


def page_file(folder: Path, table: TableName) -> Path:
    """Returns the page of a table."""
    return folder / f"{table.sql}.html"


def write_docs(
    warehouse: Warehouse, suite: Suite, results: Iterable[RuleResult], folder: Path
) -> Path:
    """Writes the page of a table and brings the index up to date.

    Pages of tables that this run has not judged are deleted: what is there is one run's.

    Args:
        warehouse: Holds the run's results of this table already.
        suite: The suite of the table.
        results: What came of it.
        folder: Where the pages are.

    Returns:
        The table's page.

    Raises:
        OSError: A page cannot be written.
    """
    run_id = str(warehouse.value("select run_id from ops.parameters"))
    tables = warehouse.rows(_TABLES_OF_RUN, {"error": Severity.ERROR.value})
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    page = page_file(folder, suite.table)
    _put(page, _page(suite, list(results), run_id))
    _put(folder / INDEX, _index(tables, run_id))
    _forget(folder, {INDEX, *(f"{row['table']}.html" for row in tables)})
    return page


_OURS = (".html", ".new")
"""Pages, and drafts of a process that died."""


def _put(file: Path, text: str) -> None:
    """Writes a file whole, readable by its owner only: a reader has the last one or this one."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    draft.replace(file)


def _forget(folder: Path, kept: set[str]) -> None:
    for file in folder.iterdir():
        if file.suffix in _OURS and file.name not in kept:
            file.unlink()


def _page(suite: Suite, results: list[RuleResult], run_id: str) -> str:
    """Renders a table's page: its statistics, then each expectation by column."""
    held = sum(result.passed for result in results)
    outcome = ExpectationSuiteValidationResult(
        success=held == len(results),
        results=[_for_page(result) for result in results],
        suite_name=suite.table.sql,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": held,
            "unsuccessful_expectations": len(results) - held,
            "success_percent": 100 * held / len(results) if results else None,
        },
    )
    document = ValidationResultsPageRenderer(_SECTIONS).render(outcome)
    # Of the overview only the statistics: its head links to a page that is not made here.
    document.sections[0].content_blocks = document.sections[0].content_blocks[1:2]
    return _framed(
        document,
        "doisoat_page.j2",
        title=suite.table.sql,
        run_id=run_id,
        rows=max((result.checked for result in results), default=0),
        rules=len(results),
        failing=[result.rule.name for result in results if not result.passed],
    )


def _for_page(result: RuleResult) -> ExpectationValidationResult:
    """Returns a rule's result with what our rules know beside it."""
    evidence, rule = result.evidence, result.rule
    counted = result.failed and result.checked  # an empty table may fail as a whole
    share = f" ({result.failed / result.checked:.2%})" if counted else ""
    return ExpectationValidationResult(
        success=evidence.success,
        result=evidence.result,
        exception_info=evidence.exception_info,
        expectation_config=evidence.expectation_config,
        meta={
            "Rows that fail": f"{result.failed:,}{share}" if rule.failing else "not about rows",
            "Check": rule.name,
            "Severity": f"{rule.severity.value}{', stops the publish' if rule.blocking else ''}",
            "Expected": rule.limit,
            "Meaning": rule.why,
        },
    )


class Expectations(
    validation_results_table_content_block.ValidationResultsTableContentBlockRenderer
):
    """Great Expectations' table of expectations, with a column for each thing in their meta."""

    @classmethod
    def _process_content_block(
        cls, content_block: Any, has_failed_evr: bool | None, render_object: Any = None
    ) -> None:
        super()._process_content_block(content_block, has_failed_evr, render_object)
        content_block.header_row += list(render_object[0].meta)
        for row, result in zip(content_block.table, render_object, strict=True):
            row += [escape(text) for text in result.meta.values()]  # the templates do not


_SECTIONS = {
    "class_name": "ValidationResultsColumnSectionRenderer",
    "table_renderer": {"module_name": __name__, "class_name": Expectations.__name__},
}
"""Which classes lay out a page's sections, as Great Expectations is told."""


def _index(tables: list[dict[str, Any]], run_id: str) -> str:
    return _framed(
        RenderedDocumentContent(sections=[]),
        "doisoat_index.j2",
        tables=tables,
        run_id=run_id,
        failing=sum(bool(row["errors"] or row["warnings"]) for row in tables),
    )


def _framed(document: RenderedDocumentContent, template: str, **known: Any) -> str:
    """Puts a document into our frame, by the view that lays out each of its blocks."""
    style = _TEMPLATES.joinpath("data_docs.css").read_text("utf-8")
    frame = {"style": style, "policy": _POLICY, "index": INDEX}
    return str(_view().render(document, template, **frame, **known))  # type: ignore[no-untyped-call]


@cache
def _view() -> DefaultJinjaPageView:
    """Their templates and ours; compiling them takes longer than filling them."""
    return DefaultJinjaPageView(custom_views_directory=str(_TEMPLATES))
