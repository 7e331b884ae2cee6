"""The graph that is declared to Dagster is the one that was reviewed."""

from __future__ import annotations

import difflib

from etl.pipeline.graph import pipeline
from expectations import SUITES
from tests import graph


def test_the_graph_is_the_one_that_was_reviewed() -> None:
    reviewed, now = graph.FILE.read_text("utf-8").splitlines(), graph.text().splitlines()
    difference = "\n".join(difflib.unified_diff(reviewed, now, "reviewed", "now", lineterm="", n=2))

    assert not difference, (
        f"The graph has changed. If it was meant to: {graph.MADE_BY}, read the difference of "
        f"{graph.FILE.name}, and commit it.\n{difference}"
    )


def test_no_blocking_rule_waits_for_what_waits_for_it() -> None:
    """A table waits for the blocking rules of the tables that it reads, so a circle is an error."""
    circles = [
        f"{suite.table.sql}.{rule.name} reads {table.sql}"
        for suite in SUITES
        for rule in suite.rules
        for table in rule.reads
        if rule.blocking and table in pipeline() and suite.table in pipeline().upstream(table)
    ]

    assert circles == []
