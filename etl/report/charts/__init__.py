"""The charts of a run: one self-contained page for managers and stewards, without personal data.

Belongs here: the page that ``doisoat charts`` and the end of each run write. ``counts.py`` reads
what is shown, ``result.py`` gives the result in numbers, ``drawing.py`` draws the charts,
``page.py`` puts all into a page. Does not belong here: the charts of the linkage model
(``etl/reconcile/training.py``) and of one record (``etl/explain/page.py``).
"""

from __future__ import annotations

from pathlib import Path

from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.process.files import folder_for, write_whole
from etl.report.charts.counts import read_counts
from etl.report.charts.drawing import run_charts
from etl.report.charts.page import make_page
from etl.report.charts.result import TITLE, result
from etl.settings import Schedule, Settings

FILE = "run.html"


def charts_file(settings: Settings) -> Path:
    """Returns where the charts of the last run are, if no other place is named."""
    return settings.home / "charts" / FILE


def write_charts(
    warehouse: Warehouse, file: Path, schedule: Schedule | None = None, *, private: bool = True
) -> None:
    """Draws the run that is in the warehouse, and replaces what was drawn before.

    Args:
        warehouse: Holds ``core`` and ``publish`` of a run.
        file: The page.
        schedule: Has the time zone in which times are shown; by default that of Vietnam.
        private: Whether only its owner may read the page; else all whom the user's umask allows.

    Raises:
        ConfigError: Nothing has been reconciled yet, or the file cannot be written.
    """
    counts = read_counts(warehouse)
    page = make_page(TITLE, run_charts(counts), result(counts, schedule or Schedule()))
    try:
        folder_for(file.parent)
        write_whole(file, page, private=private)
    except ConfigError as error:
        error.remedy += " --output names another file."
        raise
