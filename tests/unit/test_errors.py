"""The table of errors has the words that the program prints."""

from __future__ import annotations

import ast

import pytest

from tests.support import ROOT, docs_script


def _said() -> list[str]:
    """Every text of the program, with … for the values in it."""
    texts = []
    for package in ("etl", "assets", "expectations"):
        for file in (ROOT / package).rglob("*.py"):
            if file.name == "errors.py":
                continue
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (
                        str(part.value) if isinstance(part, ast.Constant) else "…"
                        for part in node.values
                    )
                    texts.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return texts


def test_the_page_is_up_to_date() -> None:
    script = docs_script("errors")
    assert script.PAGE.read_text("utf-8") == script.page(), "run: python docs/errors.py"


def test_every_kind_of_error_is_told() -> None:
    for kind in docs_script("errors").kinds():
        assert "told" in vars(kind), f"{kind.__name__} needs what docs/errors.md says of it"
        assert kind.exit_code in (1, 2, 3)


def test_what_the_page_says_is_seen_is_what_the_program_says() -> None:
    texts = _said()
    unknown = [
        fragment
        for kind in docs_script("errors").kinds()
        for told in kind.told
        for phrase in told.seen
        for fragment in phrase.split("…")
        if len(fragment.strip()) > 3 and not any(fragment.strip() in text for text in texts)
    ]
    assert unknown == [" is damaged and cannot be read"]  # the class itself has these words


def test_every_message_says_what_to_do() -> None:
    raised = list(docs_script("errors").raised())
    assert len(raised) > 150
    # (Damaged files have one message, made by the class itself.)
    silent = [f for f in raised if not f.remedy and f.kind.__name__ != "DamagedError"]
    assert silent == []


def test_every_message_is_on_the_page() -> None:
    script = docs_script("errors")
    page = script.PAGE.read_text("utf-8")
    missing = [
        found.what
        for found in script.raised()
        if script.fragments(found.what)
        and not script.is_told(found)
        and found.what.rstrip(".") not in page
    ]
    assert missing == []


@pytest.mark.parametrize("needed", ["The user lacks a right", "no encrypted connection", "130"])
def test_the_page_knows_what_databases_refuse(needed: str) -> None:
    assert needed.lower() in docs_script("errors").page().lower()
