"""Faults of whole records: junk in every column, and faults that come from whose record it is.

Belongs here: junk rows, and noting duplicates, ghosts and the deceased. Does not belong here:
faults of single columns.
"""

from __future__ import annotations

import numpy as np

from etl.simulate import reference
from etl.simulate.columns import FaultLog
from etl.simulate.draws import Draws
from etl.simulate.insurance import Records


def note_row_faults(records: Records, log: FaultLog) -> None:
    """Notes the faults that come from whose record it is.

    Args:
        records: Read only.
        log: Gets notes of ghosts, duplicates and the deceased with active insurance.
    """
    log.note("ghost", np.flatnonzero(records.ghost & ~records.junk))
    log.note("duplicate", np.flatnonzero(records.duplicate))
    dead = records.people.death_day[records.person] >= 0
    log.note("deceased_active", np.flatnonzero(dead & ~records.ended & ~records.junk))


def apply_junk(draws: Draws, records: Records, log: FaultLog) -> None:
    """Overwrites every text column of the junk rows.

    Args:
        draws: The chunk's random numbers.
        records: Changed in place.
        log: Gets a note of the junk rows.
    """
    rows = np.flatnonzero(records.junk)
    for name, values in reference.toml_table("junk.toml").items():
        column = records.columns[name]
        texts = [_spell_out(value) for value in values]
        chosen = draws.below(len(texts) + 1, len(rows))
        positions = np.append(column.add(texts), np.int32(-1))
        column.index[rows] = positions[chosen]
    log.note("junk", rows)


def _spell_out(value: str) -> str:
    """Returns the value itself, or what `repeat:times:text` stands for."""
    if not value.startswith("repeat:"):
        return value
    _, times, text = value.split(":", 2)
    return text * int(times)
