"""Data Docs of the last run: an index and one page per table, for a browser, without any value.

Belongs here: laying out the results for a person who corrects faults: failures first, the meaning
before the SQL. Great Expectations' own words stand below each expectation, folded; the frame is
ours, because theirs fetches styles, scripts and pictures from the internet, and these pages must
open on a machine that has none. Importing this module loads Great Expectations, so import it only
where a page is written. Does not belong here: judging (``runner.py``), which keeps the values of
rows from reaching this module, and handing out the pages (``assets/pages.py``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from etl.domain.codes import Severity
from etl.engine.port import Warehouse
from etl.pipeline.run import last_published
from etl.report import advice
from etl.settings import Schedule
from expectations.loading import load_great_expectations
from expectations.rules import Rule, Suite, page_file
from expectations.runner import RuleResult

load_great_expectations()

from great_expectations.core import ExpectationValidationResult  # noqa: E402
from great_expectations.render.components import (  # noqa: E402
    RenderedDocumentContent,
    RenderedSectionContent,
)
from great_expectations.render.renderer.content_block.validation_results_table_content_block import (  # noqa: E402, E501
    ValidationResultsTableContentBlockRenderer,
)
from great_expectations.render.view.view import DefaultJinjaPageView  # noqa: E402

INDEX = "index.html"

_TEMPLATES = files(__package__).joinpath("templates")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The Content-Security-Policy of the pages: no script, nothing fetched."""

_RUN = "select run_id, started_at from ops.parameters"

# A step that was tried again has judged its table twice: the last time counts.
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


@dataclass(frozen=True, slots=True)
class _RunShown:
    """The run of a page, as its first lines name it."""

    run_id: str
    started: datetime
    schedule: Schedule
    published: tuple[str, datetime] | None

    @property
    def began(self) -> str:
        """When it began, for people."""
        return self.at(self.started)

    def at(self, moment: datetime) -> str:
        """Writes a time in the time zone of the readers."""
        return self.schedule.shown(moment)


def write_docs(
    warehouse: Warehouse,
    suite: Suite,
    results: Iterable[RuleResult],
    folder: Path,
    schedule: Schedule,
) -> str:
    """Writes the page of a table and brings the index up to date.

    Pages of tables that this run has not judged are deleted, so that all pages are of one run.

    Args:
        warehouse: Holds the run's results of this table already.
        suite: The suite of the table.
        results: Its results.
        folder: Where the pages are.
        schedule: Has the time zone of those who read them.

    Returns:
        The run of the pages; links name it, because the next run overwrites the pages.

    Raises:
        OSError: A page cannot be written.
    """
    run = _shown_run(warehouse, schedule)
    tables = warehouse.rows(_TABLES_OF_RUN, {"error": Severity.ERROR.value})
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _put(page_file(folder, suite.table), _page(suite, list(results), run))
    _put(folder / INDEX, _index(tables, run))
    _forget(folder, {INDEX, *(f"{row['table']}.html" for row in tables)})
    return run.run_id


def _shown_run(warehouse: Warehouse, schedule: Schedule) -> _RunShown:
    rows: list[dict[str, Any]] = warehouse.rows(_RUN)
    (run,) = rows
    return _RunShown(run["run_id"], run["started_at"], schedule, last_published(warehouse))


_OURS = (".html", ".new")
"""Pages, and drafts of a process that died."""


def _put(file: Path, text: str) -> None:
    """Writes a file whole, for its owner only; readers get the former file or the new one."""
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


# --- the page of a table --------------------------------------------------------------------------

_ERROR, _WARNING, _TOLERATED, _HOLDS = range(4)

_GROUPS = {
    _ERROR: ("failed", "Errors", "fails"),
    _WARNING: ("warned", "Warnings", "warns"),
    _TOLERATED: ("tolerated", "Within tolerance", "holds within its tolerance"),
    _HOLDS: ("held", "What holds", "holds"),
}
"""Style, heading, and outcome of each group of expectations, in the order of a page."""

_LISTS = {"column_list": "Columns", "value_set": "Allowed words"}
"""Arguments of rules that are lists: of columns, or of a vocabulary of ``etl/domain/codes.py``."""


def _page(suite: Suite, results: list[RuleResult], run: _RunShown) -> str:
    """Renders a table's page: what fails, what nearly does, what holds."""
    ordered = sorted(results, key=lambda result: (_group(result), not result.rule.blocking))
    groups = [_group(result) for result in results]
    stopped = any(result.rule.blocking and not result.passed for result in results)
    return _framed(
        RenderedDocumentContent(sections=[_own_words(result.evidence) for result in ordered]),
        "doisoat_page.j2",
        title=suite.table.sql,
        run=run,
        cards=[_card(suite, result, run) for result in ordered],
        summary=_summary(results, groups, stopped),
        target=_target(stopped, run),
        **_verdict(stopped, groups.count(_ERROR), groups.count(_WARNING)),
    )


def _group(result: RuleResult) -> int:
    if not result.passed:
        return _ERROR if result.rule.severity is Severity.ERROR else _WARNING
    return _TOLERATED if result.failed else _HOLDS


def _verdict(stopped: bool, errors: int, warnings: int) -> dict[str, str]:
    """The headline of a page: its style and its text."""
    if stopped:
        return {"look": "failed", "words": "The publish was stopped"}
    if errors:
        return {"look": "failed", "words": "Errors, which do not stop the publish"}
    if warnings:
        return {"look": "warned", "words": "Warnings, which do not stop the publish"}
    return {"look": "held", "words": "Every expectation holds"}


def _target(stopped: bool, run: _RunShown) -> str:
    """What the target holds if this run does not publish."""
    if not stopped:
        return ""
    return f"Nothing of this run leaves; {advice.target(run.published, run.schedule)}."


def _summary(results: list[RuleResult], groups: list[int], stopped: bool) -> str:
    rows = max((result.checked for result in results), default=0)
    fail, warn, tolerated = map(groups.count, (_ERROR, _WARNING, _TOLERATED))
    within = f" ({tolerated} within tolerance)" if tolerated else ""
    return (
        f"{_many(rows, 'row was', 'rows were')} checked; of "
        f"{_many(len(results), 'expectation', 'expectations')} "
        f"{_do(len(results) - fail - warn, 'hold')}{within}, {_do(fail, 'fail')} and "
        f"{_do(warn, 'warn')}; this table {'stopped' if stopped else 'did not stop'} the publish."
    )


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _do(count: int, verb: str) -> str:
    return f"{count or 'none'} {verb}{'s' if count < 2 else ''}"


def _card(suite: Suite, result: RuleResult, run: _RunShown) -> dict[str, Any]:
    """What a person reads about one expectation: its meaning, its standing, what to do next."""
    look, group, outcome = _GROUPS[_group(result)]
    rule = result.rule
    open_matter = result.failed or not result.passed
    return {
        "look": look,
        "group": group,
        "outcome": outcome,
        "name": rule.name,
        "meaning": rule.why,
        "facts": {
            "Observed": _observed(result),
            "Expected": rule.limit,
            **_listed(rule),
            "Severity": _weight(rule),
            "Owner": rule.owner.words,
            **_standing(result, run),
            **({"Rows that failed, last runs": advice.trend(result.trend)} if open_matter else {}),
        },
        "commands": _commands(suite, result) if open_matter else {},
    }


def _commands(suite: Suite, result: RuleResult) -> dict[str, str]:
    """What to do next: commands by their purpose."""
    name = f"{suite.table.sql}.{result.rule.name}"
    found = {"Next": advice.more(name)}
    if result.sample:
        found["One row"] = advice.one_row(name, result.sample[0])
        if advice.id_column(suite.table.sql, suite.key):
            found["List for its office"] = advice.for_the_office(name)
    return found


def _observed(result: RuleResult) -> str:
    """Describes what was seen: how many rows fail, if the rule is about rows."""
    evidence, rule = result.evidence, result.rule
    if evidence.exception_info["raised_exception"] or rule.seen:
        return result.observed
    if rule.failing and (result.failed or result.passed):
        return _rows_that_fail(result)
    if "unexpected_rows_query" in rule.arguments:  # its count says nothing: of the table as a whole
        return "holds" if result.passed else "does not hold"
    seen = evidence.result.get("observed_value")
    if isinstance(seen, int):
        return _many(seen, "row", "rows")
    if isinstance(seen, list) and not result.passed:
        return f"{result.observed}: {', '.join(map(str, seen))}"
    return result.observed


def _rows_that_fail(result: RuleResult) -> str:
    if not result.failed:
        return "no row fails"
    share = f" ({result.failed / result.checked:.2%})" if result.checked else ""
    return f"{result.failed:,} of {_many(result.checked, 'row', 'rows')} fail{share}"


def _listed(rule: Rule) -> dict[str, str]:
    return {
        term: ", ".join(map(str, rule.arguments[name]))
        for name, term in _LISTS.items()
        if name in rule.arguments
    }


def _weight(rule: Rule) -> str:
    stops = "stops" if rule.blocking else "does not stop"
    return f"{rule.severity.value}; a failure {stops} the publish"


def _standing(result: RuleResult, run: _RunShown) -> dict[str, str]:
    found = result.standing
    if found is None:
        return {}
    known = found.acknowledged_until
    return {
        "Failing since": run.at(found.since),
        **({"Acknowledged until": run.at(known)} if known else {}),
    }


def _own_words(evidence: ExpectationValidationResult) -> RenderedSectionContent:
    """Great Expectations' own rendering of one expectation."""
    result = dict(evidence.result)
    if isinstance(result.get("observed_value"), list):
        # Great Expectations would write a list as Python does, and without escaping.
        result["observed_value"] = escape(", ".join(map(str, result["observed_value"])))
    told = ExpectationValidationResult(
        success=evidence.success,
        result=result,
        exception_info=evidence.exception_info,
        expectation_config=evidence.expectation_config,
    )
    table = ValidationResultsTableContentBlockRenderer.render([told])
    return RenderedSectionContent(content_blocks=[table])


# --- the index ------------------------------------------------------------------------------------


def _index(tables: list[dict[str, Any]], run: _RunShown) -> str:
    failing = sum(bool(row["errors"] or row["warnings"]) for row in tables)
    stopped = any(row["stopped"] for row in tables)
    judged = _many(len(tables), "table was", "tables were")
    return _framed(
        RenderedDocumentContent(sections=[]),
        "doisoat_index.j2",
        title="Data Docs of the last run",
        run=run,
        tables=tables,
        target=_target(stopped, run),
        summary=f"{judged} judged; in {failing or 'none'} of them something does not hold.",
        **_verdict(
            stopped,
            sum(row["errors"] for row in tables),
            sum(row["warnings"] for row in tables),
        ),
    )


def _framed(document: RenderedDocumentContent, template: str, **known: Any) -> str:
    """Renders a document's blocks by the view, within our frame."""
    style = _TEMPLATES.joinpath("data_docs.css").read_text("utf-8")
    frame = {"style": style, "policy": _POLICY, "index": INDEX}
    return str(_view().render(document, template, **frame, **known))  # type: ignore[no-untyped-call]


@cache
def _view() -> DefaultJinjaPageView:
    """A view of their templates and ours; cached, because compiling takes longer than rendering."""
    return DefaultJinjaPageView(custom_views_directory=str(_TEMPLATES))
