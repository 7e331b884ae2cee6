"""What a terminal shows: keys and commands stay whole at any width."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import typer
from rich.text import Text

from etl.cli.app import app
from etl.domain.showing import SafeConsole
from etl.report import display
from etl.settings import Schedule

NOW = datetime(2026, 11, 26, 1, tzinfo=UTC)
RUN = "20261126T010000-f32c0a2b"
RULE = "publish.mismatches.every_mismatch_is_answered"
KEY = "1c7cf48ba4dee08e"


@pytest.fixture(params=[160, 80, 60, 45])
def shown(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None]], str]:
    console = SafeConsole(width=request.param, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    monkeypatch.setattr(display, "console", console)

    def show(what: Callable[[], None]) -> str:
        what()
        return console.export_text()

    return show


def test_runs_keep_their_ids(shown: Callable[[Callable[[], None]], str]) -> None:
    run = {"run_id": RUN, "started_at": NOW, "published": True, "checks": 155, "errors": 0,
           "warnings": 12}  # fmt: skip
    text = shown(lambda: display.show_runs([run, run], Schedule()))
    assert text.count(RUN) == 2
    assert "…" not in text


def test_triage_keeps_rules_keys_and_commands(
    shown: Callable[[Callable[[], None]], str],
) -> None:
    rule = {
        "rule": RULE, "severity": "error", "failed_rows": 3, "new_since_last_run": 1,
        "first_seen": NOW, "owner": "insurance", "passed": False, "blocking": True,
        "acknowledged_until": None, "of_last_run": True, "explained": True, "has_ids": True,
    }  # fmt: skip
    row = {"record_key": KEY, "province_code": "79", "employer_code": "TZ0123X", "first_seen": NOW,
           "first_run": RUN, "last_run": RUN}  # fmt: skip

    def everything() -> None:
        display.show_failing_rules([rule], Schedule())
        display.show_failing_records(rule, [row], Schedule())
        table, _, check = RULE.rpartition(".")
        display.show_checks(
            [{"table": table, "check": check, "severity": "error", "observed": "3 rows"}]
        )

    text = shown(everything)
    assert KEY in text
    assert f"doisoat triage {RULE} --record KEY" in text
    assert f"3 rows fail {RULE}".replace("3", "1") in text
    assert text.count(RULE) == 4
    assert "…" not in text


def _helps(command: object, path: str) -> Iterator[tuple[str, str]]:
    """The help of a command, of its options and of the commands below it."""
    yield path, getattr(command, "help", None) or ""
    yield path, getattr(command, "epilog", None) or ""
    for option in getattr(command, "params", ()):
        yield f"{path} {option.name}", getattr(option, "help", None) or ""
    for name, below in getattr(command, "commands", {}).items():
        yield from _helps(below, f"{path} {name}")


def test_no_word_of_a_help_text_is_taken_for_markup() -> None:
    helps = list(_helps(typer.main.get_command(app), "doisoat"))
    assert len(helps) > 100
    assert [where for where, help_ in helps if Text.from_markup(help_).plain != help_] == []
