"""doisoat beside Splink alone where names and birth dates collide as among 100 million.

All births fall within 90 days, 3,000 a day, as in the whole country.

Belongs here: running both on the same clean tables. Does not belong here: either of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.accuracy import judge, simulated
from benchmarks.accuracy.report import Section, console
from benchmarks.accuracy.simulated import Simulated
from etl.simulate import SimulationSpec

DAYS = 90
CITIZENS = 270_000
"""3,000 births a day, as in the country."""


def run(citizens: int, seeds: Sequence[int], home: Path, *, alone: bool) -> list[Section]:
    """Measures both; ``alone`` leaves Splink out."""
    datasets = []
    for seed in seeds:
        # A smaller register keeps the crowd: fewer days, not fewer births a day.
        days = max(1, round(DAYS * min(1.0, citizens / CITIZENS)))
        spec = SimulationSpec(citizens, seed=seed, birth_window_days=days)
        datasets.append(Simulated.of(spec, home))
        simulated.reconcile(datasets[-1])
    judged = [data.file("judged") for data in datasets]
    title = f"Crowded: {citizens:,} citizens born within {days} days"
    sections = judge.all_sections(judged, title)
    if not alone:
        sections += _beside_splink(datasets)
    return sections


def _beside_splink(datasets: Sequence[Simulated]) -> list[Section]:
    from benchmarks.accuracy import splink_alone

    swept = []
    for data in datasets:
        with console.status(f"Splink alone, seed {data.spec.seed}"):
            swept.append(link_with_splink(data))
    rows = _pooled([rows for rows, _ in swept])
    citizens, identifiable = (sum(part) for part in zip(*(t for _, t in swept), strict=True))
    best = splink_alone.best_recalls(rows, citizens)
    return [
        splink_alone.sweep_section(rows, citizens, identifiable),
        _comparison(datasets, best),
    ]


def link_with_splink(data: Simulated) -> tuple[list[tuple[object, ...]], tuple[int, int]]:
    """Links the clean tables of a reconciled pair of registers with Splink, and sweeps.

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
    """Adds the sweeps of several seeds up."""
    found: dict[tuple[object, ...], list[int]] = {}
    for rows in sweeps:
        for threshold, one_to_one, *counts in rows:
            sums = found.setdefault((threshold, one_to_one), [0] * len(counts))
            for index, count in enumerate(counts):
                sums[index] += int(str(count))
    return [(*key, *sums) for key, sums in found.items()]


def _comparison(
    datasets: Sequence[Simulated], best: Sequence[tuple[float, float | None, float | None]]
) -> Section:
    """Lays both contenders side by side."""
    connection = judge.open_judged([data.file("judged") for data in datasets])
    ours = connection.execute("""
        select
            count(*) filter (outcome = 'right') / count(*) filter (outcome in ('right', 'wrong')),
            count(*) filter (outcome = 'right') / count(*) filter (has_citizen)
        from judged
    """).fetchall()[0]
    rows: list[tuple[object, ...]] = [("doisoat", "its own", *ours)]
    rows += [
        (f"Splink alone, at least {target:.2%}", f"weight {threshold:g}" if threshold is not None
         else "none reaches it", target, recall)
        for target, recall, threshold in best
    ]  # fmt: skip
    note = "Splink's thresholds are chosen with the truth in hand, to its advantage."
    return Section("Side by side", ("contender", "threshold", "precision", "recall"), rows, note)
