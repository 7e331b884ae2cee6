"""doisoat compared with Splink alone, where names and birth dates coincide as among 100 million.

All births fall within 90 days, 3,000 a day, as in the whole country.

Belongs here: running both on the same clean tables. Does not belong here: either of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.accuracy import judge, limits, simulated
from benchmarks.accuracy.bounds import lower_bound, share
from benchmarks.accuracy.report import Section, console
from benchmarks.accuracy.simulated import Simulated
from etl.simulate import SimulationSpec

DAYS = 90
CITIZENS = 270_000
"""3,000 births a day, as in the country."""


def run(
    citizens: int, seeds: Sequence[int], home: Path, *, alone: bool, charts: Path | None = None
) -> list[Section]:
    """Measures both; ``alone`` leaves Splink out."""
    datasets, swept = [], []
    for seed in seeds:
        # A smaller register stays as crowded: it has fewer days, not fewer births a day.
        days = max(1, round(DAYS * min(1.0, citizens / CITIZENS)))
        spec = SimulationSpec(citizens, seed=seed, birth_window_days=days)
        datasets.append(Simulated.of(spec, home))
        swept.append(simulated.reconcile(datasets[-1]))
    judged = [data.file("judged") for data in datasets]
    title = f"Crowded: {citizens:,} citizens born within {days} days"
    if charts:
        simulated.draw(datasets, charts, "crowded", title)
    at_limits = limits.pooled(swept)
    sections = [
        *judge.all_sections(judged, title),
        limits.section(at_limits, *judge.totals(judged)),
    ]
    if not alone:
        sections += _beside_splink(datasets, at_limits)
    return sections


def _beside_splink(
    datasets: Sequence[Simulated], at_limits: Sequence[limits.AtLimit]
) -> list[Section]:
    from benchmarks.accuracy import splink_alone

    swept = []
    for data in datasets:
        start = time.perf_counter()
        with console.status(f"Splink alone, seed {data.spec.seed}"):
            swept.append(link_with_splink(data))
        console.print(f"Splink alone, seed {data.spec.seed}: {time.perf_counter() - start:.0f} s")
    rows = _pooled([rows for rows, _ in swept])
    citizens, identifiable = (sum(part) for part in zip(*(t for _, t in swept), strict=True))
    return [
        splink_alone.sweep_section(rows, citizens, identifiable),
        _comparison(at_limits, splink_alone.best_rows(rows), citizens, identifiable),
    ]


def link_with_splink(data: Simulated) -> tuple[list[tuple[object, ...]], tuple[int, int]]:
    """Links the clean tables of a reconciled pair of registers with Splink, at many thresholds.

    Returns:
        The sweep, and how many records have a citizen and are identifiable.
    """
    from benchmarks.accuracy import splink_alone

    with duckdb.connect() as connection:
        clean = [data.file(f"clean_{t}") for t in ("insurance", "population", "former_numbers")]
        splink_alone.tables(connection, *clean)
        splink_alone.link(connection)
        connection.execute(
            "create table truth as select record_id, truth.personal_id, judged.identifiable "
            "from read_parquet(?) as truth inner join read_parquet(?) as judged using (record_id)",
            [str(data.file("truth")), str(data.file("judged"))],
        )
        return splink_alone.sweep(connection), splink_alone.totals(connection)


def _pooled(sweeps: Sequence[Sequence[tuple[object, ...]]]) -> list[tuple[object, ...]]:
    """Adds up the sweeps of several seeds."""
    found: dict[tuple[object, ...], list[int]] = {}
    for rows in sweeps:
        for threshold, one_to_one, *counts in rows:
            sums = found.setdefault((threshold, one_to_one), [0] * len(counts))
            for index, count in enumerate(counts):
                sums[index] += int(str(count))
    return [(*key, *sums) for key, sums in found.items()]


def _comparison(
    at_limits: Sequence[limits.AtLimit],
    best: Sequence[tuple[str, tuple[Any, ...] | None]],
    citizens: int,
    identifiable: int,
) -> Section:
    """Makes the table that shows both contenders."""
    rows = [_compared("doisoat", at.label, *at[1:], citizens, identifiable) for at in at_limits]
    for what, row in best:
        name = f"Splink alone, {what}"
        if row is None:
            rows.append((name, "none reaches it", *[None] * 6))
            continue
        chosen = f"{row[0]:g}{', one to one' if row[1] else ''}"
        links, right, identified = row[2:]
        rows.append(_compared(name, chosen, links, right, identified, citizens, identifiable))
    columns = (
        "contender", "threshold", "links", "wrong", "precision", "at least (95%)", "recall",
        "recall, identifiable",
    )  # fmt: skip
    note = "A threshold for a precision is chosen with the truth in hand, to Splink's advantage."
    return Section("Side by side", columns, rows, note)


def _compared(
    name: str, threshold: str, links: int, right: int, identified: int, citizens: int,
    identifiable: int,
) -> tuple[object, ...]:  # fmt: skip
    return (
        name, threshold, links, links - right, share(right, links), lower_bound(right, links),
        share(right, citizens), share(identified, identifiable),
    )  # fmt: skip
