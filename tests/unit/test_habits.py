"""A commit is held to what ``make check`` says, no more and no less."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def _of_make(target: str) -> list[str]:
    """The commands of a target of the Makefile, with its variables put in."""
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
