"""Sex and yes/no flags, in the spellings that registers hold.

Belongs here: looking a spelling up in ``data/value_spellings.csv``, as it stands or in any encoding
that Vietnamese was stored in. Does not belong here: the sex that a personal number encodes
(``numbers``), nor the encodings (``encodings``).
"""

from __future__ import annotations

import unicodedata
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
    return spellings.get(raw) or spellings.get(_folded(raw)) or _decoded(raw, spellings)


def _decoded(raw: str, spellings: dict[str, str]) -> str | None:
    """The value in an encoding other than Unicode; None where two readings say two things."""
    readings = {_folded(reading) for reading in all_readings(raw.strip(" \t\r\n"))}
    found = {spellings[reading] for reading in readings if reading in spellings}
    return found.pop() if len(found) == 1 else None


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
