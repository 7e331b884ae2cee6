"""Access to the data files of the package.

Belongs here: reading CSV files that ship with ``etl``. Does not belong here: what their rows mean.
"""

from __future__ import annotations

import csv
from importlib.resources import files


def read_rows(name: str, package: str = "etl.normalise") -> list[dict[str, str]]:
    """Rows of ``data/<name>`` in a package, each a mapping from column to text.

    Args:
        name: File name, such as ``rhymes.csv``.
        package: ``etl.normalise`` for its own facts, ``etl.domain`` for the shared ones.
    """
    root = files(package.partition(".")[0])
    for part in package.split(".")[1:]:
        root = root / part
    with (root / "data" / name).open(encoding="utf-8") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        return list(csv.DictReader(lines))
