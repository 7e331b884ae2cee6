"""Sex and yes/no flags, in the spellings that registers hold.

Belongs here: looking a spelling up in ``data/value_spellings.csv``, as it stands or in any encoding
that Vietnamese was stored in. Does not belong here: the sex that a personal number encodes
(``numbers``), nor the encodings (``encodings``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Literal, cast

from etl.normalise.encodings import all_readings
from etl.normalise.files import read_rows
from etl.normalise.letters import composed

Gender = Literal["M", "F"]
_MAX_LENGTH = 100


@cache
def _spellings(kind: str) -> dict[str, str]:
    rows = read_rows("value_spellings.csv")
    return {_folded(row["spelling"]): row["value"] for row in rows if row["kind"] == kind}


def _folded(raw: str) -> str:
    text = composed(unicodedata.normalize("NFKC", raw)).lower().strip(" .'\"\t\r\n\u200b\ufeff")
    text = " ".join(text.split())
    return text.removesuffix(".0") if text[:-2].isdigit() else text


def _value(kind: str, raw: str | None) -> str | None:
    if raw is None or len(raw) > _MAX_LENGTH:
        return None
    spellings = _spellings(kind)
    return spellings.get(raw) or in_any_encoding(raw, lambda text: spellings.get(_folded(text)))


def in_any_encoding(raw: str, understand: Callable[[str], str | None]) -> str | None:
    """What a word of a register means, as it stands or in an encoding other than Unicode.

    Args:
        raw: As recorded.
        understand: Returns what a text means, or None.

    Returns:
        None where nothing is understood, or two readings mean different things.
    """
    found = understand(raw)
    if found is not None:
        return found
    meanings = {understand(reading) for reading in all_readings(raw.strip(" \t\r\n"))} - {None}
    return meanings.pop() if len(meanings) == 1 else None


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
