"""The private names of other packages that are used are listed, and still exist.

The list is in docs/dependencies.md, "Private APIs". It names for each the test that fails if the
name comes to mean something else. This file tests that the list is complete and each name exists.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("etl", "expectations", "assets")
PUBLIC = {"_replace", "_asdict", "_exit"}
"""Names that are public although they begin with an underscore: of named tuples, and of ``os``."""


def _trees() -> Iterator[ast.Module]:
    for package in OURS:
        for file in sorted((ROOT / package).rglob("*.py")):
            yield ast.parse(file.read_text("utf-8"))


def _imported() -> set[str]:
    """Every name that is imported from a private module of another package."""
    return {
        f"{node.module}.{alias.name}"
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        if node.module.partition(".")[0] not in OURS
        for alias in node.names
        if any(re.match("_(?!_)", part) for part in (*node.module.split("."), alias.name))
        or "internals" in node.module
    }


def _attributes() -> set[str]:
    """Every use of a private attribute of an object that is not of our own classes."""
    asked, made = set(), set(PUBLIC)
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                made |= {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                made |= {t.id for t in targets if isinstance(t, ast.Name)}
                made |= {t.attr for t in targets if _own(t)}
            elif isinstance(node, ast.Attribute) and not _own(node):
                asked.add(node.attr)
    return {name for name in asked - made if re.match("_(?!_)", name)}


def _own(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    )


def _listed() -> list[str]:
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    section = text.partition("## Private APIs")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, re.M)


def test_every_private_name_that_is_used_is_listed() -> None:
    listed = _listed()

    used = _imported() | {f".{name}" for name in _attributes()}

    assert {name for name in listed if "._" in name or "internals" in name} == used
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("name", [name for name in _listed() if not name.startswith(".")])
def test_a_listed_name_is_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)


def test_what_is_called_takes_what_it_is_given() -> None:
    """The signatures of functions that no other test calls in the same way."""
    from dagster._core.execution.api import execute_run_iterator
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster_webserver.app import create_app_from_workspace_process_context

    assert list(inspect.signature(execute_run_iterator).parameters)[:3] == [
        "job", "dagster_run", "instance",
    ]  # fmt: skip
    assert {"instance", "workspace_load_target", "version"} <= set(
        inspect.signature(WorkspaceProcessContext).parameters
    )
    ui = inspect.signature(create_app_from_workspace_process_context)
    assert "live_data_poll_rate" in ui.parameters


def test_a_log_that_was_set_aside_is_made_anew_when_dagster_forgets_it(tmp_path: Path) -> None:
    """Dagster remembers in ``_initialized_dbs`` that a run's log exists."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    storage = SqliteEventLogStorage(str(tmp_path))
    assert storage.get_logs_for_run("r") == []
    Path(storage.path_for_shard("r")).unlink()

    storage._initialized_dbs.discard("r")

    assert storage.get_logs_for_run("r") == []


def test_a_copied_column_belongs_to_no_table_and_is_the_same() -> None:
    from sqlalchemy import Column, MetaData, String, Table

    column = Table("a", MetaData(), Column("x", String(3), nullable=False)).c.x

    copied = Table("b", MetaData(), column._copy()).c.x

    assert (copied.name, copied.type.length, copied.nullable) == ("x", 3, False)
    assert column.table.name == "a"


def test_dagsters_databases_keep_their_engines(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Only one engine is made for a database, however often it is used."""
    from dagster import DagsterInstance

    from assets import engines

    made: list[str] = []

    def making(url: str, **options: object) -> object:
        made.append(url)
        return make(url, **options)

    make = engines.create_engine
    monkeypatch.setattr(engines, "create_engine", making)
    engines._engine.cache_clear()
    engines.keep_engines()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        for _ in range(3):
            instance.report_engine_event("at work", job_name="job", run_id="some-run")
            instance.all_instigator_state()
            instance.get_runs(limit=1)

        assert len(instance.all_logs("some-run")) == 3
    assert len(made) == len(set(made))
    assert {Path(url).name for url in made} >= {"runs.db", "some-run.db", "schedules.db"}


def test_dagsters_databases_stay_open_while_a_run_works(tmp_path: Path) -> None:
    """All events of a run use the same connections; afterwards none is open, and no log is left."""
    import psutil
    from dagster import DagsterInstance

    from assets import engines

    def opened() -> list[str]:
        return sorted(Path(file.path).name for file in psutil.Process().open_files()
                      if file.path.startswith(str(tmp_path)))  # fmt: skip

    at_work = []
    engines.keep_engines()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        with engines.held_open():
            for _ in range(3):
                instance.report_engine_event("at work", job_name="job", run_id="some-run")
                instance.get_runs(limit=1)
                at_work.append(opened())
        after = opened()

        assert len(instance.all_logs("some-run")) == 3
    assert at_work[0] == at_work[1] == at_work[2]
    assert {"runs.db", "some-run.db"} <= set(at_work[0])
    assert after == []
    assert not list(tmp_path.rglob("*.db-wal"))
