"""Splink alone on the same clean tables, set up with care, as a good analyst could do in a day.

It compares names with term frequencies, birth date in levels, sex, province and number, and has
several blocking rules. u is found by random sampling, m by expectation maximisation. The best link
of each record is kept, or of each record and each citizen; ties are dropped. Thresholds are chosen
with the truth at hand, which nobody has in real life; this favours Splink.

Belongs here: this set-up and its links. Does not belong here: doisoat's own use of Splink
(``etl/reconcile``).
"""

from __future__ import annotations

import logging
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink import comparison_level_library as levels
from splink import comparison_library as comparisons

from benchmarks.accuracy.report import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 1
SWEEP = (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 35, 40)
"""Thresholds of match weight: 10 means odds of a thousand to one, 20 of a million to one."""

_TARGETS = (0.999, 0.9995, 0.9999)
_BEFOREHAND = (0, 10, 20)
_KEEP_FROM = 0.0  # match weight; below 0 a link is less likely than not


def tables(
    connection: duckdb.DuckDBPyConnection, insurance: Path, population: Path, former: Path
) -> None:
    """Makes the two input tables, ``records`` and ``citizens``, from the clean tables' files."""
    shape = files(__package__).joinpath("splink_columns.sql").read_text("utf-8")
    records = shape.format(
        key="record_id",
        number="coalesce(id_number, insurance_personal_id)",
        numbers="list_filter([id_number, insurance_personal_id] "
        "|| string_split(id_candidates, ';'), number -> number <> '')",
        table=f"read_parquet('{insurance}')",
    )
    citizens = shape.format(
        key="personal_id",
        number="personal_id",
        numbers="[personal_id] || coalesce(formers, [])",
        table=f"read_parquet('{population}') left join (select personal_id, list(former_number) "
        f"as formers from read_parquet('{former}') group by personal_id) using (personal_id)",
    )
    connection.execute(f"create table records as {records}")
    connection.execute(f"create table citizens as {citizens}")


def link(connection: duckdb.DuckDBPyConnection) -> float:
    """Trains and predicts; makes the table ``best``, the best link of each record.

    Returns:
        The seconds that the training took, which a later run with the same model would save.
    """
    linker = _linker(connection, _settings())
    start = time.perf_counter()
    _train(linker)
    training = time.perf_counter() - start
    predicted = linker.inference.predict(threshold_match_weight=_KEEP_FROM)
    best_links(connection, predicted.physical_name)
    return training


def _linker(connection: duckdb.DuckDBPyConnection, settings: SettingsCreator) -> Linker:
    logging.getLogger("splink").setLevel(logging.ERROR)
    api = DuckDBAPI(connection)
    # Splink takes the table whose name comes first as the left one, so "a_records".
    inputs = [
        api.register("records", dataset_display_name="a_records"),
        api.register("citizens", dataset_display_name="b_citizens"),
    ]
    return Linker(inputs, settings, log_level=logging.ERROR)


def _settings() -> SettingsCreator:
    return SettingsCreator(
        link_type="link_only",
        comparisons=[
            _name(),
            _birth(),
            comparisons.ExactMatch("gender"),
            comparisons.ExactMatch("province_code").configure(term_frequency_adjustments=True),
            _number(),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("numbers", arrays_to_explode=["numbers"]),
            block_on("name_key", "birth_year"),
            block_on("name_key", "birth_day"),
            block_on("name_key", "province_code"),
            block_on("birth_date", "given_key"),
            block_on("birth_date", "surname_key", "gender", "province_code"),
        ],
        retain_matching_columns=False,
    )


def _name() -> Any:
    return comparisons.CustomComparison(
        output_column_name="name",
        comparison_levels=[
            levels.NullLevel("name_key"),
            levels.ExactMatchLevel("full_name", term_frequency_adjustments=True),
            levels.ExactMatchLevel("name_key", term_frequency_adjustments=True),
            levels.DamerauLevenshteinLevel("name_key", 1),
            levels.JaroWinklerLevel("name_key", 0.92),
            levels.And(levels.ExactMatchLevel("surname_key"), levels.ExactMatchLevel("given_key")),
            levels.ExactMatchLevel("given_key", term_frequency_adjustments=True),
            levels.ElseLevel(),
        ],
    )


def _birth() -> Any:
    partial = "birth_year_l = birth_year_r and (birth_date_l is null or birth_date_r is null)"
    return comparisons.CustomComparison(
        output_column_name="birth",
        comparison_levels=[
            levels.NullLevel("birth_year"),
            levels.ExactMatchLevel("birth_date"),
            levels.CustomLevel(partial, "same year, the day unknown"),
            levels.DamerauLevenshteinLevel("birth_date", 1),
            levels.CustomLevel("birth_year_l = birth_year_r", "same year"),
            levels.CustomLevel("birth_day_l = birth_day_r", "same day and month"),
            levels.CustomLevel("abs(birth_year_l - birth_year_r) <= 1", "a year apart"),
            levels.ElseLevel(),
        ],
    )


def _number() -> Any:
    return comparisons.CustomComparison(
        output_column_name="number",
        comparison_levels=[
            levels.NullLevel("number"),
            levels.ExactMatchLevel("number"),
            levels.CustomLevel("list_has_any(numbers_l, numbers_r)", "a former number"),
            levels.DamerauLevenshteinLevel("number", 1),
            levels.ElseLevel(),
        ],
    )


def _train(linker: Linker) -> None:
    """Trains as Splink recommends: prior, u, then m in passes that block on different columns."""
    linker.training.estimate_probability_two_random_records_match(
        [block_on("number"), block_on("name_key", "birth_date", "province_code")], recall=0.95
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e7, seed=SEED)
    for rule in (block_on("birth_date"), block_on("name_key")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule, max_pairs=5e6)


def best_links(
    connection: duckdb.DuckDBPyConnection, predicted: str, key: str = "unique_id"
) -> None:
    """Makes the table ``best``: the best citizen of each record; after a tie there is none.

    ``mutual`` says that the record is also the only best one of that citizen.
    """
    connection.execute(f"""
        create or replace table best as
        with ranked as (
            select
                if(source_dataset_l = 'a_records', {key}_l, {key}_r) as record_id,
                if(source_dataset_l = 'a_records', {key}_r, {key}_l) as personal_id,
                match_weight,
                rank() over (partition by record_id order by match_weight desc) as record_rank,
                rank() over (partition by personal_id order by match_weight desc) as citizen_rank
            from {predicted}
        )
        select
            record_id,
            personal_id,
            match_weight,
            citizen_rank = 1 and count(*) over (partition by personal_id, citizen_rank) = 1
                as mutual
        from ranked
        where record_rank = 1
        qualify count(*) over (partition by record_id) = 1
    """)


def sweep(
    connection: duckdb.DuckDBPyConnection, thresholds: Sequence[float] = SWEEP
) -> list[tuple[Any, ...]]:
    """Returns threshold, one-to-one or not, links, right links, and those of identifiable records.

    Reads ``best`` and ``truth`` (record_id, personal_id, identifiable).
    """
    return connection.execute(
        """
        select
            threshold,
            one_to_one,
            count(*) as links,
            count(*) filter (best.personal_id = truth.personal_id) as linked_right,
            count(*) filter (best.personal_id = truth.personal_id and identifiable)
        from best
        inner join truth on best.record_id = truth.record_id
        cross join (select unnest($thresholds::double[]) as threshold)
        cross join (select unnest([false, true]) as one_to_one)
        where match_weight >= threshold and (mutual or not one_to_one)
        group by threshold, one_to_one
        order by one_to_one, threshold
        """,
        {"thresholds": list(thresholds)},
    ).fetchall()


def totals(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Returns how many records have a citizen and how many are identifiable."""
    found = connection.execute(
        "select count(personal_id), count(*) filter (identifiable) from truth"
    ).fetchone()
    return found[0], found[1]  # type: ignore[index]


def best_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, tuple[Any, ...] | None]]:
    """Returns the rows of a sweep with which doisoat is compared, each with its description.

    First come thresholds that somebody could choose beforehand. Then, for each wanted precision,
    comes the row with the most right links that reaches it; only the truth can tell which it is.
    """
    one = [row for row in rows if not row[1]]
    found = [(f"weight from {w:g}", next((r for r in one if r[0] == w), None)) for w in _BEFOREHAND]
    for target in _TARGETS:
        good = [row for row in rows if row[3] / row[2] >= target]
        best = max(good, key=lambda row: (row[3], row[0]), default=None)
        found.append((f"precision of {target:.2%} or better", best))
    return found


def sweep_section(rows: Sequence[tuple[Any, ...]], citizens: int, identifiable: int) -> Section:
    """Makes a table of the sweep."""
    columns = (
        "match weight from", "one to one", "links", "wrong", "precision", "recall",
        "recall, identifiable",
    )  # fmt: skip
    return Section(
        "Splink alone, by threshold",
        columns,
        [
            (f"{t:g}", one, n, n - ok, ok / n, ok / citizens, known / identifiable)
            for t, one, n, ok, known in rows
        ],
    )
