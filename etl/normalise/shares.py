"""How common syllables are in Vietnamese names: the evidence for one reading of a text or another.

Belongs here: shares of syllables and surnames, from ``etl/domain/data/name_frequencies.csv``. Does
not belong here: what a text can be read as (``legacy``, ``misread``).
"""

from __future__ import annotations

from functools import cache
from math import log

from etl.normalise.files import read_rows
from etl.normalise.syllables import standard_syllable

# Share, in percent, given to a syllable that the frequency table lacks.
_UNSEEN_SHARE = 0.001
# From this share on, a syllable is evidence that a name is Vietnamese.
_TELLING_SHARE = 0.05
# Log-likelihood by which a reading must beat another to be believed.
CLEAR_LEAD = log(10)


@cache
def _name_weights() -> dict[str, float]:
    """How common each syllable is in names, in percent, accents kept, lower case."""
    weights: dict[str, float] = {}
    for row in read_rows("name_frequencies.csv", "etl.domain"):
        for syllable in row["value"].lower().split():
            key = standard_syllable(syllable) or syllable
            weights[key] = weights.get(key, 0.0) + float(row["share_percent"])
    return weights


def likelihood(syllable: str | None) -> float:
    """The log share of a syllable, in the standard spelling, among those of names; None: unseen."""
    return log(_name_weights().get(syllable or "", _UNSEEN_SHARE))


def is_common_in_names(syllable: str) -> bool:
    """Whether a syllable, in the standard spelling, is common enough to show a Vietnamese name."""
    return _name_weights().get(syllable, 0.0) >= _TELLING_SHARE


@cache
def common_surnames() -> frozenset[str]:
    """Surnames that are common enough to show a Vietnamese name, in small letters."""
    rows = read_rows("name_frequencies.csv", "etl.domain")
    return frozenset(
        row["value"].lower()
        for row in rows
        if row["part"] == "surname" and float(row["share_percent"]) >= _TELLING_SHARE
    )
