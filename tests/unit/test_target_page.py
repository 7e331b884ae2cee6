"""docs/target.md says what each published column holds."""

from __future__ import annotations

from etl.domain.contract import target_metadata
from tests.support import docs_script


def test_the_page_is_up_to_date() -> None:
    script = docs_script("target")
    assert script.PAGE.read_text("utf-8") == script.page(), "run: python docs/target.py"


def test_every_table_is_on_the_page_and_every_column_says_what_it_holds() -> None:
    page = docs_script("target").page()
    for table in target_metadata(None).sorted_tables:
        assert f"\n### {table.name}\n" in page
        assert [column.name for column in table.columns if not column.comment] == []
