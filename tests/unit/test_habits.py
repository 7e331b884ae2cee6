"""The checks before a commit are those of ``make check``, no more and no less."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def _of_make(target: str) -> list[str]:
    """The commands of a target of the Makefile, with its variables replaced."""
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    bin_ = next(line.split(":=")[1].strip() for line in lines if line.startswith("RUN :="))
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{target}:"))
    commands = []
    for line in lines[start + 1 :]:
        if not line.startswith("\t"):
            break
        commands.append(line.strip().replace("$(RUN)", bin_))
    return commands


def test_a_commit_runs_the_commands_of_make_check_with_its_tools() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == _of_make("check")
    assert {repo["repo"] for repo in config["repos"]} == {"local"}, "nothing is fetched"
    for hook in hooks:
        assert hook["language"] == "system"
        assert hook["always_run"], "also where the commit only deletes"
        assert not hook["pass_filenames"], "the whole tree, as make check"


BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
PACKAGES = ("etl", "assets", "expectations", "benchmarks")


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_imports_what_is_there(file: Path) -> None:
    """Nobody runs benchmarks for weeks, and meanwhile the code that they import is moved."""
    gone = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module.split(".")[0] not in PACKAGES:
            continue
        if node.module.startswith("benchmarks"):  # they load libraries that only benchmarks need
            found = ROOT.joinpath(*node.module.split("."))
            assert found.is_dir() or found.with_suffix(".py").is_file(), node.module
            continue
        module = importlib.import_module(node.module)
        gone += [
            f"{node.module}.{alias.name}"
            for alias in node.names
            if not hasattr(module, alias.name) and not _is_module(node.module, alias.name)
        ]
    assert gone == []


def _is_module(package: str, name: str) -> bool:
    return importlib.util.find_spec(f"{package}.{name}") is not None
