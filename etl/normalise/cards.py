"""Health insurance cards (thẻ BHYT): object code, benefit level, province, insurance number.

Belongs here: the structure of the 15-character card. Does not belong here: cleaning of the typed
text, and cards that are only an insurance number (``numbers``).

A card reads ``DN 4 79 0123456789``: two letters for the group insured, a benefit level from 1 to 5,
the issuing province, the 10-digit insurance number. Cards printed since 1/4/2021 show only the
last part.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from etl.normalise.files import read_rows
from etl.normalise.places import card_province_known

_CARD = re.compile(r"([A-Z]{2})([0-9])([0-9]{2})([0-9]{10})")


class Card(NamedTuple):
    """A 15-character card taken apart."""

    card_code: str
    number: str
    warnings: tuple[str, ...]


@cache
def object_levels() -> dict[str, frozenset[str]]:
    """Benefit levels that each object code occurs with, from ``data/card_objects.csv``."""
    levels: dict[str, set[str]] = {}
    for row in read_rows("card_objects.csv"):
        for code in row["codes"].split():
            levels.setdefault(code, set()).add(row["level"])
    return {code: frozenset(found) for code, found in levels.items()}


def parse_card(text: str) -> Card | None:
    """Take a card apart.

    Args:
        text: 15 characters, capitals, without separators.

    Returns:
        None when the text has another structure. Unknown codes are warnings only: the list of
        codes grows by decree.
    """
    match = _CARD.fullmatch(text)
    if match is None:
        return None
    code, level, province, number = match.groups()
    warnings = []
    known = object_levels().get(code)
    if known is None:
        warnings.append("unknown_object_code")
    elif level not in known:
        warnings.append("benefit_level_disagrees")
    if not card_province_known(province):
        warnings.append("unknown_place_code")
    return Card(code + level + province, number, tuple(warnings))
