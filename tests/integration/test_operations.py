"""The commands of docs/operations.md do what the page says, one after the other."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable

import pytest

from tests.support import ROOT, Command, Registers, docs_script, from_state, record

Doisoat = Callable[..., Command]
Make = Callable[..., Registers]

TEXT = (ROOT / "docs" / "operations.md").read_text("utf-8")
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


def test_the_queries_of_the_page_of_tables_find_rows(synced: Make) -> None:
    nobody = record(900, id_number=None, full_name="Không Ai Biết", date_of_birth="1999-09-09")
    pair = synced([*(record(n) for n in range(1, 31)), nobody])
    queries = docs_script("target").QUERIES
    assert len(queries) > 2
    for asked, sql in queries.items():
        assert pair.published(sql), asked
