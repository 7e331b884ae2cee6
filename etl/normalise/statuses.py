"""Statuses of insurance records and of citizens, in the spellings that registers hold.

Belongs here: looking a spelling up in ``etl/domain/data/status_spellings.csv``. Does not belong
here: the words of one register alone, which its configuration maps.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from etl.normalise.files import read_rows
from etl.normalise.syllables import unaccent
from etl.normalise.values import in_any_encoding

Register = Literal["insurance", "population"]

_MAX_RAW_LENGTH = 100


@cache
def _spellings(register: Register) -> dict[str, str]:
    rows = read_rows("status_spellings.csv", "etl.domain")
    return {_folded(row["raw"]): row["value"] for row in rows if row["register"] == register}


def _folded(text: str) -> str:
    plain = " ".join(unaccent(text.lower()).strip(" .;,'\"\t\r\n\u200b\ufeff").split())
    return plain.removesuffix(".0") if plain[:-2].isdigit() else plain


def parse_status(raw: str | None, register: Register) -> str | None:
    """A status as recorded: Đang tham gia, đã dừng, 1; Còn sống, ĐÃ CHẾT, deceased.

    Case and accents do not count. Single letters (D, S) mean different things in different
    registers, so they are read only if the configuration says what they mean.

    Args:
        raw: As recorded.
        register: Whose status it is.

    Returns:
        A word of ``etl.domain.codes.VOCABULARIES``, or None when missing or not understood.
    """
    if raw is None or len(raw) > _MAX_RAW_LENGTH:
        return None
    known = _spellings(register)
    return in_any_encoding(raw, lambda text: known.get(_folded(text)))
