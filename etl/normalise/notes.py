"""The words for what normalisation did: notes, repairs, warnings and rejects.

Belongs here: the codes' sentences (``data/notes.csv``) and the packing of name notes into one
integer. Does not belong here: deciding when a code applies.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from etl.normalise.files import read_rows

NAME_NOTES = (
    "case", "spaces", "nfc", "eth", "mistaken_letters", "half_horn", "tone_style", "unaccented",
    "decoded_tcvn3", "decoded_vni", "decoded_viscii", "decoded_vps", "decoded_viqr",
    "decoded_cp1258", "decoded_double_utf8", "decoded_escapes",
    "expanded_abbreviation", "abbreviated", "control_characters", "invisible_characters",
    "full_width", "lookalike_letters", "punctuation", "digits", "letter_for_digit",
    "alias_dropped", "qr_text", "lost_letters", "too_long", "junk",
)  # fmt: skip

NAME_NOTE_BIT = {code: 1 << i for i, code in enumerate(NAME_NOTES)}


@cache
def unpack(mask: int) -> tuple[str, ...]:
    """The name notes in a bit mask, in the order of ``NAME_NOTES``."""
    return tuple(code for i, code in enumerate(NAME_NOTES) if mask >> i & 1)


@cache
def joined(mask: int) -> str:
    """The name notes in a bit mask, with ``;`` between."""
    return ";".join(unpack(mask))


@cache
def _sentences() -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in read_rows("notes.csv")}


def describe(code: str, lang: Literal["vi", "en"] = "vi") -> str:
    """The sentence for a note, repair, warning or reject.

    Args:
        code: Such as ``tone_style`` or ``number_scientific``.
        lang: ``vi`` or ``en``.

    Returns:
        The sentence; the code itself when it has none.
    """
    row = _sentences().get(code)
    return row[lang] if row else code
