"""Faults of names: what is written, how it is spelled, how it is encoded and spaced.

Belongs here: one function per kind, from texts to texts, and the order in which kinds are applied
one after another. Does not belong here: the encodings themselves (encodings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow.compute as pc

from etl.simulate import arrow, encodings
from etl.simulate.columns import FaultLog
from etl.simulate.draws import Array, Draws
from etl.simulate.insurance import Records
from etl.simulate.names import parts

_WRONG_LETTERS = "abcdeghiklmnopqrstuvxyăâđêôơư"
Change = Callable[[Draws, Records, Array, list[str]], Sequence[str]]


def _whole(change: Callable[[str], str]) -> Change:
    """Makes a ``Change`` that applies a function once, to all texts joined by newlines."""

    def apply(_draws: Draws, _records: Records, _rows: Array, texts: list[str]) -> list[str]:
        return change("\n".join(texts)).split("\n")

    return apply


def _typos(draws: Draws, _records: Records, _rows: Array, texts: list[str]) -> list[str]:
    """Replaces, drops, doubles or exchanges one letter, never a blank."""
    kinds = draws.below(4, len(texts)).tolist()
    places = draws.unit(len(texts)).tolist()
    letters = draws.below(len(_WRONG_LETTERS), len(texts)).tolist()
    return [
        _typo(text, kind, int(place * len(text)), _WRONG_LETTERS[letter])
        for text, kind, place, letter in zip(texts, kinds, places, letters, strict=True)
    ]


def _typo(text: str, kind: int, place: int, letter: str) -> str:
    if not text[place].isalpha():
        place -= 1
    before, here, after = text[:place], text[place], text[place + 1 :]
    if kind == 0 and here.lower() != letter:
        return before + letter + after
    if kind == 1 and len(text) > 2:
        return before + after
    if kind == 2 and after[:1].isalpha() and after[0] != here:
        return before + after[0] + here + after[1:]
    return before + here + here.lower() + after


def _drop_middle(text: str) -> str:
    """Leaves out Thị or Văn between other syllables, so that at least two syllables are left."""
    return text.replace(" Thị ", " ").replace(" Văn ", " ")


def _abbreviate(text: str) -> str:
    lines = f"\n{text}".replace("\nNguyễn ", "\nNg. ").replace(" Thị ", " T. ")
    return lines[1:]


def _daily_names(draws: Draws, records: Records, rows: Array, texts: list[str]) -> list[str]:
    """Replaces the given name by another of the same sex."""
    pools = parts()
    sex = records.people.sex[records.person[rows]]
    bits = draws.bits16(len(texts))
    men, women = (arrow.gather(pools.given_texts[s], pools.given[s][bits]) for s in range(2))
    others = pc.if_else(arrow.from_mask(sex == 1), women, men).to_pylist()
    return [
        f"{text.rpartition(' ')[0]} {other}".strip()
        for text, other in zip(texts, others, strict=True)
    ]


def _swap_order(_draws: Draws, _records: Records, _rows: Array, texts: list[str]) -> list[str]:
    """Writes the last syllable first."""
    return [" ".join([*text.split(" ")[-1:], *text.split(" ")[:-1]]) for text in texts]


def _double_spaces(draws: Draws, _records: Records, _rows: Array, texts: list[str]) -> list[str]:
    forms = ("{0}  {1}", " {0} {1}", "{0} {1} ")
    chosen = draws.below(len(forms), len(texts)).tolist()
    return [
        forms[form].format(*text.partition(" ")[::2])
        for text, form in zip(texts, chosen, strict=True)
    ]


def _zero_width(draws: Draws, _records: Records, _rows: Array, texts: list[str]) -> list[str]:
    places = draws.unit(len(texts)).tolist()
    cuts = [int(place * len(text)) for text, place in zip(texts, places, strict=True)]
    return [f"{text[:cut]}\u200b{text[cut:]}" for text, cut in zip(texts, cuts, strict=True)]


CHANGES: tuple[dict[str, Change], ...] = (
    {
        "name_typo": _typos,
        "name_dropped_middle": _whole(_drop_middle),
        "name_abbreviated": _whole(_abbreviate),
        "name_daily_use": _daily_names,
        "name_swapped": _swap_order,
    },
    {
        "name_tone_style": _whole(encodings.other_tone_style),
        "name_i_y": _whole(encodings.other_i_or_y),
    },
    {"name_upper": _whole(str.upper), "name_lower": _whole(str.lower)},
    {
        "name_nfd": _whole(encodings.decomposed),
        "name_eth": _whole(encodings.eth),
        "name_unaccented": _whole(encodings.unaccented),
        "name_tcvn3": _whole(encodings.tcvn3),
        "name_vni": _whole(encodings.vni),
        "name_viqr": _whole(encodings.viqr),
        "name_double_utf8": _whole(encodings.double_utf8),
    },
    {
        "name_double_space": _double_spaces,
        "name_nbsp": _whole(lambda text: text.replace(" ", "\u00a0")),
        "name_zero_width": _zero_width,
    },
)
"""The kinds in layers, which are applied in this order; a name gets at most one kind of a layer."""


def apply_name_faults(
    draws: Draws, records: Records, rates: dict[str, float], log: FaultLog
) -> None:
    """Puts name faults into the records.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        rates: Probability of each kind.
        log: Gets a note of every fault that changed something.
    """
    column = records.columns["full_name"]
    for layer in CHANGES:
        drawn = draws.one_of({kind: rates[kind] for kind in layer}, records.size)
        for kind, rows in drawn.items():
            before = column.texts(rows)
            if kind == "name_upper":
                after = pc.utf8_upper(before)
            else:
                texts = layer[kind](draws, records, rows, before.to_pylist()) if len(rows) else []
                after = arrow.from_texts(texts)
            changed = arrow.to_mask(pc.not_equal(before, after))
            column.replace(rows[changed], after.filter(arrow.from_mask(changed)))
            log.note(kind, rows[changed])
