"""Other ways to bring a Vietnamese name or number to one form.

Belongs here: first scripts, pandas, and the text packages of PyPI, each wrapped as a function of
one string. Does not belong here: timing (``normalise.py``). The packages are in the dependency
group ``bench`` (``uv sync --group bench``); one that is not installed is left out and named.

A package does only a part of the work. The rest is done for it: its result is composed, its spaces
are collapsed and its words are capitalised, as a first script would do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from typing import Any

import pandas as pd

Way = Callable[[str], Any]

PACKAGES = ("ftfy", "underthesea", "viet_text_tools", "vn_text", "unidecode", "vn_ident")


def missing() -> list[str]:
    """The packages of the comparison that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def naive_name(raw: str) -> str:
    """Does what a first script does: compose, trim, capitalise."""
    return " ".join(unicodedata.normalize("NFC", raw).split()).title()


def naive_number(raw: str) -> str:
    """Keeps the digits, padded to twelve."""
    return "".join(c for c in raw.removesuffix(".0") if c.isdigit()).zfill(12)


def pandas_birth(raw: str) -> date | None:
    """Parses by pandas, day first."""
    found = pd.to_datetime(raw, dayfirst=True, errors="coerce")
    return None if pd.isna(found) else found.date()


def name_packages() -> dict[str, Way]:
    """What the installed packages make of a name."""
    absent = missing()
    steps: dict[str, Way] = {}
    if "ftfy" not in absent:
        from ftfy import fix_text

        steps["ftfy"] = fix_text
    if "vn_text" not in absent:
        import vn_text

        steps["vn-text"] = lambda raw: vn_text.normalize(vn_text.repair_mojibake(raw))
    if "viet_text_tools" not in absent:
        from viet_text_tools import normalize_diacritics

        steps["viet-text-tools"] = lambda raw: normalize_diacritics(
            unicodedata.normalize("NFC", raw)
        )
    if "underthesea" not in absent:
        from underthesea.pipeline.text_normalize import text_normalize

        steps["underthesea"] = text_normalize
    ways = {label: _then_naive(step) for label, step in steps.items()}
    if "ftfy" in steps and "viet-text-tools" in steps:
        ways["ftfy, viet-text-tools"] = _then_naive(
            lambda raw: steps["viet-text-tools"](steps["ftfy"](raw))
        )
    if "unidecode" not in absent:
        from unidecode import unidecode

        ways["unidecode"] = _then_naive(unidecode)
    return ways


def _then_naive(step: Way) -> Way:
    return lambda raw: naive_name(step(raw))


def number_packages() -> dict[str, Way]:
    """What the installed packages make of a personal number."""
    if "vn_ident" in missing():
        return {}
    import vn_ident

    def parsed(raw: str) -> str | None:
        digits = "".join(c for c in raw if c.isdigit())
        return digits if vn_ident.parse_cccd(digits) else None

    return {"vn-ident parse_cccd": parsed}
