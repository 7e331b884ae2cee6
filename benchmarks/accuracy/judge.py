"""Compares the result with the truth: precision, recall, and what became of each fault.

Belongs here: counting records by what became of them. Does not belong here: who made the links
(``pipeline.py``, ``splink_alone.py``) and layout (``report.py``).
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import duckdb

from benchmarks.accuracy.bounds import lower_bound, share
from benchmarks.accuracy.report import Section
from etl.engine.port import Warehouse

WRITING_ONLY = (
    "name_tone_style", "name_upper", "name_lower", "name_nfd", "name_eth",
    "name_double_space", "name_nbsp", "name_zero_width",
    "birth_iso", "birth_iso_time", "birth_unpadded", "birth_dashes", "birth_dots", "birth_compact",
    "birth_serial", "gender_form", "card_missing", "card_unknown_code", "province_old_code",
    "address_missing", "address_other", "id_apostrophe", "id_separators",
)  # fmt: skip
"""Faults that the list of combinations leaves out, so that it stays short.

Wrong encodings are listed, because not every one of them is understood.
"""

_OUTCOMES = ("right", "wrong", "review_with", "review_without", "not_found", "rejected")
_OUTCOME_HEADINGS = (
    "linked right", "linked wrong", "review, citizen shown", "review, not shown", "not found",
    "rejected",
)  # fmt: skip
_COUNTS = ", ".join(f"count(*) filter (outcome = '{name}')" for name in _OUTCOMES)


def judge(warehouse: Warehouse, truth: Path, judged: Path, seed: int) -> None:
    """Writes one row per record into a file: identifiable or not, and what became of it."""
    warehouse.execute(f"create or replace temp table truth as from read_parquet('{truth}')")
    query = files(__package__).joinpath("truth.sql").read_text("utf-8")
    warehouse.execute(
        f"copy (select {seed} as seed, * from ({query})) to '{judged}' (format parquet)"
    )


def weigh(warehouse: Warehouse, weighed: Path) -> None:
    """Writes the records that reach the probabilistic step, once ``judge`` has read the truth."""
    query = files(__package__).joinpath("weighed.sql").read_text("utf-8")
    warehouse.execute(f"copy ({query}) to '{weighed}' (format parquet)")


def open_judged(judged: list[Path]) -> duckdb.DuckDBPyConnection:
    """Opens the judged records of all seeds as the table ``judged``."""
    connection = duckdb.connect()
    connection.execute(
        "create table judged as select *, coalesce(faults, '') as kinds from read_parquet(?)",
        [[str(file) for file in judged]],
    )
    return connection


def totals(judged: list[Path]) -> tuple[int, int]:
    """Returns how many records have a citizen, and how many of them are identifiable."""
    query = "select count(*) filter (has_citizen), count(*) filter (identifiable) from judged"
    citizens, identifiable = open_judged(judged).execute(query).fetchall()[0]
    return citizens, identifiable


def headline(connection: duckdb.DuckDBPyConnection, title: str) -> Section:
    """Returns precision, recall and review by seed, and over all."""
    rows = connection.execute("""
        select
            if(grouping(seed) = 1, 'all', seed::varchar),
            count(*),
            count(*) filter (outcome in ('right', 'wrong')),
            count(*) filter (outcome = 'right'),
            count(*) filter (has_citizen),
            count(*) filter (identifiable),
            count(*) filter (identifiable and outcome = 'right'),
            count(*) filter (has_citizen and not identifiable),
            count(*) filter (has_citizen and not identifiable and outcome = 'right'),
            count(*) filter (has_citizen and not identifiable and outcome = 'review_with')
        from judged
        group by grouping sets ((seed), ())
        order by grouping(seed), seed
    """).fetchall()
    columns = (
        "seed", "records", "links", "wrong", "precision", "at least (95%)", "recall, identifiable",
        "recall, all citizens'", "rest", "rest linked right", "rest in review with the citizen",
        "share of the rest not linked",
    )  # fmt: skip
    note = (
        "Identifiable: as docs/benchmarks.md defines it. Rest: the other records of citizens; "
        "ghosts and junk are in neither."
    )
    return Section(title, columns, [_headline_row(*row) for row in rows], note)


def _headline_row(
    seed: str, records: int, links: int, right: int, citizens: int, identifiable: int,
    identified: int, rest: int, rest_right: int, rest_shown: int,
) -> tuple[object, ...]:  # fmt: skip
    return (
        seed, records, links, links - right, share(right, links), lower_bound(right, links),
        share(identified, identifiable), share(right, citizens), rest, rest_right, rest_shown,
        share(rest_shown, rest - rest_right),
    )  # fmt: skip


def by_fault(connection: duckdb.DuckDBPyConnection) -> Section:
    """Returns what became of the records with each fault; a record counts under all its faults."""
    rows = connection.execute(f"""
        with kinds as (
            select
                unnest(string_split(if(kinds = '', '(none)', kinds), ';')) as kind,
                outcome,
                identifiable
            from judged
        )
        select kind, count(*), {_COUNTS}, count(*) filter (identifiable and outcome <> 'right')
        from kinds group by kind order by kind
    """).fetchall()
    columns = ("fault", "records", *_OUTCOME_HEADINGS, "identifiable, not linked right")
    return Section("By fault kind", columns, rows, "A record stands under each of its faults.")


def by_step(connection: duckdb.DuckDBPyConnection) -> Section:
    """Returns links by the step that made them."""
    rows = connection.execute("""
        select match_step, count(*), count(*) filter (outcome = 'right') as linked_right
        from judged where outcome in ('right', 'wrong')
        group by match_step order by count(*) desc
    """).fetchall()
    columns = ("step", "links", "wrong", "precision", "at least (95%)")
    return Section(
        "By step", columns,
        [(step, n, n - ok, share(ok, n), lower_bound(ok, n)) for step, n, ok in rows],
    )  # fmt: skip


def missed(connection: duckdb.DuckDBPyConnection, *, identifiable: bool, most: int = 25) -> Section:
    """Returns records of citizens that were not linked right, by the faults that matter."""
    kind = "Identifiable records" if identifiable else "The rest"
    rows = connection.execute(
        f"""
        select
            coalesce(nullif(array_to_string(list_filter(
                string_split(kinds, ';'), lambda kind: not list_contains($writing, kind)
            ), ' + '), ''), '(none)') as combination,
            string_agg(distinct true_name_agreement, ', ' order by true_name_agreement),
            string_agg(distinct true_birth_agreement, ', ' order by true_birth_agreement),
            {_COUNTS.split(", ", 1)[1]}
        from judged
        where has_citizen and outcome <> 'right' and identifiable = $identifiable
        group by combination
        order by count(*) desc, combination
        limit $most
        """,
        {"writing": list(WRITING_ONLY), "identifiable": identifiable, "most": most},
    ).fetchall()
    columns = ("faults that matter", "names", "births", *_OUTCOME_HEADINGS[1:])
    return Section(f"{kind} not linked right, by combination of faults", columns, rows)


def wrong_links(connection: duckdb.DuckDBPyConnection, most: int = 200) -> Section:
    """Returns every wrong link by record key and levels of agreement, without names and numbers."""
    rows = connection.execute(
        """
        select
            seed::varchar, record_id, match_step, match_probability, name_agreement,
            birth_agreement, gender_agreement,
            if(has_citizen, true_name_agreement || ' / ' || true_birth_agreement, 'no citizen'),
            replace(kinds, ';', ' ')
        from judged where outcome = 'wrong'
        order by seed, match_step, record_id limit $most
        """,
        {"most": most},
    ).fetchall()
    columns = (
        "seed", "record", "step", "probability", "name", "birth", "sex", "the true citizen's",
        "faults",
    )  # fmt: skip
    return Section("Every wrong link", columns, rows, "" if rows else "There is none.")


def all_sections(judged: list[Path], title: str) -> list[Section]:
    """Returns the whole report about judged records."""
    connection = open_judged(judged)
    return [
        headline(connection, title),
        by_step(connection),
        by_fault(connection),
        missed(connection, identifiable=True),
        missed(connection, identifiable=False),
        wrong_links(connection),
    ]
