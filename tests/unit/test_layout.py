"""Imports go one way: console, assets -> expectations -> etl, and inside ``etl`` room by room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("etl", "expectations", "assets", "console")

FLOORS = (
    ("domain",),
    ("normalise", "process"),
    ("settings",),
    ("databases", "engine"),
    ("state",),
    ("extract", "clean", "reconcile", "publish"),
    ("pipeline",),
    ("alerts", "simulate"),
    ("report",),
    ("explain", "stewards"),
    ("demo", "bench"),
    ("cli",),
)
"""The rooms of ``etl`` by floor, the lowest first: a room imports from lower floors only."""

ABOVE_ETL = {
    "etl": (),
    "expectations": ("etl",),
    "assets": ("etl", "expectations"),
    "console": ("etl", "expectations"),
}
"""The packages, and those that each may import. The command line puts the parts together, so it
may call ``assets`` and ``console``."""

NORMALISE_MAY_IMPORT = {"domain", "normalise"}
"""Pure functions: they import nothing from their own floor."""

FRAMEWORKS = {"dagster", "great_expectations"}
"""Packages that ``etl`` does not import."""

ENGINES = {"duckdb": "etl.engine.duckdb", "pyspark": "etl.engine.spark"}
"""The engines, and the folder of each; only that folder imports the engine."""


def _module(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(source: str, module: str, is_package: bool) -> set[str]:
    """The modules that a source file imports, anywhere in it, by their full names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: None if is_package else -1]
                above = above[: len(above) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith(("import_module", "__import__")) and node.args:
                name = node.args[0]
                found |= {str(name.value)} if isinstance(name, ast.Constant) else set()
    return found


def graph(root: Path) -> dict[str, set[str]]:
    """Every module under a root, with all that it imports, also for type checking."""
    found = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            module = _module(file, root)
            found[module] = _imports(file.read_text("utf-8"), module, file.name == "__init__.py")
    return found


def _room(module: str) -> str | None:
    """The room of a module of ``etl``; None for a module in no room, such as the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "etl" and len(parts) > 1 else None


_FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def violations(root: Path) -> list[str]:
    """Every import under a root that goes the wrong way, and every module without a room."""
    return [
        f"{module} {wrong}"
        for module, imported in graph(root).items()
        for wrong in sorted(_wrong(module, imported))
    ]


def _wrong(module: str, imported: set[str]) -> Iterator[str]:
    package, room = module.partition(".")[0], _room(module)
    if package == "etl" and room not in (*_FLOOR, "__main__", None):
        yield "is in no room"
        return
    for name in imported:
        other, its_room = name.partition(".")[0], _room(name)
        if other in PACKAGES and other not in (package, *ABOVE_ETL[package]):
            if not (room == "cli" and other in ("assets", "console")):
                yield f"imports {name}"
        elif package == "etl" and (other in FRAMEWORKS or not _allowed(room, its_room)):
            yield f"imports {name}"


def _allowed(room: str | None, other: str | None) -> bool:
    if room not in _FLOOR or other in (room, None):
        return True
    if room == "normalise" and other not in NORMALISE_MAY_IMPORT:
        return False
    return other in _FLOOR and _FLOOR[other] < _FLOOR[room]


def circle(root: Path) -> list[str]:
    """The modules of a circle of imports under a root; empty if there is none."""
    modules = graph(root)
    edges = {
        module: {name for name in imported if name in modules and not module.startswith(name)}
        for module, imported in modules.items()
    }
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_imports_run_one_way() -> None:
    assert violations(ROOT) == []


def test_no_module_imports_itself_in_the_end() -> None:
    assert circle(ROOT) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_only_its_own_folder_speaks_to_an_engine(engine: str) -> None:
    speaks = {
        module
        for module, imported in graph(ROOT).items()
        if engine in {name.partition(".")[0] for name in imported}
    }

    assert speaks
    assert {module for module in speaks if not module.startswith(ENGINES[engine])} == set()


def test_every_package_is_looked_at() -> None:
    modules = graph(ROOT)

    assert {"etl.cli.sync", "etl.normalise.names", "assets.definitions"} <= set(modules)
    assert "assets.running" in modules["etl.cli.sync"]
    assert {_room(module) for module in modules} - {None, "__main__"} == set(_FLOOR)


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("etl/state/a.py", "import assets.running", "etl.state.a imports assets.running"),
        ("etl/state/a.py", "def f():\n    from assets import jobs", "etl.state.a imports assets"),
        ("etl/state/a.py", "from expectations.core import x",
         "etl.state.a imports expectations.core"),
        ("etl/state/a.py", "import importlib\nimportlib.import_module('assets.jobs')",
         "etl.state.a imports assets.jobs"),
        ("etl/state/a.py", "import dagster as dg", "etl.state.a imports dagster"),
        ("etl/state/__init__.py", "from great_expectations import x",
         "etl.state imports great_expectations"),
        ("etl/cli/a.py", "import expectations", "etl.cli.a imports expectations"),
        ("expectations/a.py", "from assets import checks", "expectations.a imports assets"),
        ("etl/normalise/a.py", "from etl.settings import x",
         "etl.normalise.a imports etl.settings"),
        ("etl/normalise/a.py", "from ..pipeline import run",
         "etl.normalise.a imports etl.pipeline"),
        ("etl/normalise/a.py", "import etl.process.home",
         "etl.normalise.a imports etl.process.home"),
        ("etl/extract/a.py", "from etl.publish import x", "etl.extract.a imports etl.publish"),
        ("etl/settings/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
         "    from etl.engine import x", "etl.settings.a imports etl.engine"),
        ("etl/loose.py", "", "etl.loose is in no room"),
    ],
)  # fmt: skip
def test_a_wrong_import_is_found(tmp_path: Path, file: str, source: str, found: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source, encoding="utf-8")

    assert found in violations(tmp_path)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("etl/cli/a.py", "def f():\n    from assets.running import run_full_sync"),
        ("etl/publish/a.py", "from etl.settings import Settings\nfrom etl.state import memory"),
        ("etl/normalise/a.py", "from etl.domain.codes import X\nfrom etl import domain"),
        ("expectations/a.py", "from etl.domain import codes\nimport great_expectations as gx"),
        ("assets/a.py", "import dagster\nfrom expectations import SUITES\nimport etl.settings"),
    ],
)
def test_a_right_import_is_no_fault(tmp_path: Path, file: str, source: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source, encoding="utf-8")

    assert violations(tmp_path) == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    room = tmp_path / "etl" / "state"
    room.mkdir(parents=True)
    for module, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (room / f"{module}.py").write_text(f"from etl.state import {other}\n", encoding="utf-8")

    assert set(circle(tmp_path)) == {"etl.state.a", "etl.state.b", "etl.state.c"}
