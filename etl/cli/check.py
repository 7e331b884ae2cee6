"""Trying the configuration before a run: ``doisoat check``."""

from __future__ import annotations

import os
from dataclasses import asdict

import typer

from etl.cli.common import JsonOption, print_json, settings_with_databases
from etl.domain.showing import in_markup
from etl.process.machine import (
    told_of_letters,
)
from etl.report import display


def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Try the configuration and the machine: databases, columns, home; no data are moved."""
    from assets.jobs import next_nightly
    from etl.cli.probe import Finding, probe, tried

    settings = settings_with_databases(context)
    findings = [*probe(settings), tried("schedule", lambda: next_nightly(settings))]
    if letters := told_of_letters():
        findings.append(Finding("terminal", letters))
    if file := settings.quality.thresholds:
        from assets.checks import try_thresholds

        findings.append(tried("thresholds", lambda: try_thresholds(file)))
    # (If the home cannot be read, its own finding says so.)
    if os.access(settings.console_users, os.F_OK):
        from console.users import try_users

        findings.append(tried("workbench", lambda: try_users(settings.console_users)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            if finding.error is None:
                display.say(f"[green]✓[/] {in_markup(finding.name)}: {in_markup(finding.detail)}")
            else:
                display.show_problem(f"{finding.name}: {finding.error}")
    raise typer.Exit(max((finding.exit_code for finding in findings), default=0))
