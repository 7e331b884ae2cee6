"""docs/target.md says what each published column holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from etl.domain.contract import target_metadata

ROOT = Path(__file__).resolve().parents[2]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_target", ROOT / "docs" / "target.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_is_up_to_date() -> None:
    script = _script()
    assert script.PAGE.read_text("utf-8") == script.page(), "run: python docs/target.py"


def test_every_table_is_on_the_page_and_every_column_says_what_it_holds() -> None:
    page = _script().page()
    for table in target_metadata(None).sorted_tables:
        assert f"\n### {table.name}\n" in page
        assert [column.name for column in table.columns if not column.comment] == []
