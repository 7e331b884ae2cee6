"""Imports run one way: assets -> expectations -> etl, and normalisation knows nothing of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("etl", "expectations", "assets")

MAY_IMPORT = {
    "etl": {"etl"},
    "expectations": {"expectations", "etl"},
    "assets": {"assets", "expectations", "etl"},
}
CLI = "etl.cli"
NORMALISE_MAY_IMPORT = ("etl.normalise", "etl.codes", "etl.data")
FRAMEWORKS = {"dagster", "great_expectations"}


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


def _within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in allowed)


def violations(root: Path) -> list[str]:
    """Every import under a root that goes the wrong way."""
    wrong = []
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            module = _module(file, root)
            imported = _imports(file.read_text("utf-8"), module, file.name == "__init__.py")
            wrong += [f"{module} imports {name}" for name in sorted(_forbidden(module, imported))]
    return wrong


def _forbidden(module: str, imported: set[str]) -> set[str]:
    package = module.partition(".")[0]
    ours = {name for name in imported if name.partition(".")[0] in PACKAGES}
    wrong = {name for name in ours if name.partition(".")[0] not in MAY_IMPORT[package]}
    if module == CLI:
        wrong = {name for name in wrong if not _within(name, ("assets",))}
    elif package == "etl":
        wrong |= {name for name in imported if name.partition(".")[0] in FRAMEWORKS}
    if _within(module, ("etl.normalise",)):
        # "from etl import codes" imports the package "etl" too, which is empty.
        wrong |= {n for n in ours if not _within(n, NORMALISE_MAY_IMPORT) and n != "etl"}
    return wrong


def test_imports_run_one_way() -> None:
    assert violations(ROOT) == []


def test_every_package_is_looked_at() -> None:
    modules = [_module(file, ROOT) for name in PACKAGES for file in (ROOT / name).rglob("*.py")]

    assert {CLI, "etl.normalise", "etl.normalise.names", "assets.definitions"} <= set(modules)
    source = (ROOT / "etl" / "cli.py").read_text("utf-8")
    assert "assets.running" in _imports(source, CLI, is_package=False)


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("etl/a.py", "import assets.running", "etl.a imports assets.running"),
        ("etl/a.py", "def f():\n    from assets import jobs", "etl.a imports assets"),
        ("etl/a.py", "from expectations.core import x", "etl.a imports expectations.core"),
        ("etl/a.py", "import importlib\nimportlib.import_module('assets.jobs')",
         "etl.a imports assets.jobs"),
        ("etl/a.py", "import dagster as dg", "etl.a imports dagster"),
        ("etl/b/__init__.py", "from great_expectations import x",
         "etl.b imports great_expectations"),
        ("etl/cli.py", "import expectations", "etl.cli imports expectations"),
        ("expectations/a.py", "from assets import checks", "expectations.a imports assets"),
        ("etl/normalise/a.py", "from etl.settings import x",
         "etl.normalise.a imports etl.settings"),
        ("etl/normalise/a.py", "from .. import warehouse",
         "etl.normalise.a imports etl.warehouse"),
        ("etl/normalise/a.py", "from ..warehouse import engine",
         "etl.normalise.a imports etl.warehouse"),
        ("etl/normalise/__init__.py", "from ..errors import x",
         "etl.normalise imports etl.errors"),
    ],
)  # fmt: skip
def test_a_wrong_import_is_found(tmp_path: Path, file: str, source: str, found: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source, encoding="utf-8")

    assert found in violations(tmp_path)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("etl/cli.py", "def f():\n    from assets.running import run_full_sync"),
        ("etl/a.py", "from etl.settings import Settings\nimport duckdb"),
        ("etl/normalise/a.py", "from etl.codes import X\nfrom etl import codes\nfrom . import b"),
        ("expectations/a.py", "from etl import codes\nimport great_expectations as gx"),
        ("assets/a.py", "import dagster\nfrom expectations import SUITES\nimport etl.settings"),
    ],
)
def test_a_right_import_is_no_fault(tmp_path: Path, file: str, source: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source, encoding="utf-8")

    assert violations(tmp_path) == []
