"""Sex and yes/no flags, in the spellings that registers hold.

Belongs here: looking a spelling up in ``data/value_spellings.csv``. Does not belong here: the sex
that a personal number encodes (``numbers``).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Literal, cast

from etl.normalise.files import read_rows

Gender = Literal["M", "F"]


@cache
def _spellings(kind: str) -> dict[str, str]:
    rows = read_rows("value_spellings.csv")
    return {_folded(row["spelling"]): row["value"] for row in rows if row["kind"] == kind}


def _folded(raw: str) -> str:
    text = unicodedata.normalize("NFKC", raw).lower().strip(" .'\"\t\r\n\u200b\ufeff")
    text = " ".join(text.split())
    return text.removesuffix(".0") if text[:-2].isdigit() else text


def _value(kind: str, raw: str | None) -> str | None:
    if raw is None or len(raw) > 100:
        return None
    return _spellings(kind).get(raw) or _spellings(kind).get(_folded(raw))


def parse_gender(raw: str | None) -> Gender | None:
    """Sex as recorded: Nam, nữ, NU, 1, 2, 0, M, female, true.

    Codes: 1 and true are male, 0, 2 and false female, as Vietnamese registers write them.

    Returns:
        ``M``, ``F``, or None when missing or not understood.
    """
    return cast("Gender | None", _value("gender", raw))


def parse_flag(raw: str | None) -> bool | None:
    """A yes or no: 1, 0, true, x, có, không.

    Returns:
        None when missing or not understood; an empty flag is not a no.
    """
    value = _value("flag", raw)
    return None if value is None else value == "true"
