"""The commands of docs/operations.md do what the page says, one after the other."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Command, Registers, from_state, record

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "operations.md").read_text("utf-8")
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
RULE = "core.reconciled.everybody_is_found"


def commands(section: str) -> list[str]:
    """The lines of the shell blocks in a section."""
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.wide
def test_every_section_has_commands_that_end_well(registers: Make, doisoat_here: Doisoat) -> None:
    pair = registers(
        [*(record(n) for n in range(1, 31)),
         record(900, id_number=None, full_name="Không Ai Biết", date_of_birth="1999-09-09")],
    )  # fmt: skip
    assert doisoat_here("--config", pair.file, "sync").exit_code == 0
    done = 0
    for title, section in SECTIONS:
        for line in commands(section):
            words = [{"RULE": RULE, "RECORD": "R000001"}.get(w, w) for w in shlex.split(line)]
            if words[0] == "doisoat":
                told = doisoat_here("--config", pair.file, *words[1:])
                assert told.exit_code == 0, (title, line, told.output, told.errors)
            else:
                subprocess.run(words, cwd=pair.folder, check=True)
            done += 1
    assert done > 20
    decisions = from_state(pair.settings, "select verdict from {decisions} order by decided_at")
    assert [row["verdict"] for row in decisions] == ["not_a_person", "undo"]
    assert len(pair.published("select 1 from {sync_runs}")) == 1 + TEXT.count("\ndoisoat sync")
    for asked in re.findall(
        r"```sql\n(.*?)```", (DOCS / "target.md").read_text("utf-8"), re.DOTALL
    ):
        assert pair.published(asked), asked
