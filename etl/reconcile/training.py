"""Training the linkage model, without labels, on a sample of the registers.

Belongs here: the sample and Splink's estimation. Does not belong here: what the model compares
(``model.py``), or when it is used (``sql/core``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl.domain.errors import ConfigError
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.process.files import folder_for, write_whole
from etl.reconcile.model import COMPARED, NEVER_SEEN, Model, default_model, splink_settings
from etl.settings import Settings
from etl.state.store import now, open_state

if TYPE_CHECKING:
    from pathlib import Path

    from splink import Linker

SAMPLE_RECORDS = 100_000
RANDOM_PAIRS = 1_000_000
PAIRS_PER_PASS = 1_000_000
_LEAST_PAIRS = 200

# The same person's pairs are found in three ways. From each way the model learns how often all
# fields agree but those by which the pairs were found.
_PASSES = (
    ("numbers[1]",),
    ("name_key", "province_code"),
    ("birth_date", "province_code"),
)

_RECORDS = """
create or replace temp table training_records as
with numbers as (
    select record_id, list(number order by field, number) as numbers
    from (
        select record_id, number, field from core.claims where not is_repaired
        union all
        select record_id, id_number, 'id_number'
        from clean.insurance semi join core.settled using (record)
    ) as carried
    group by record_id
)
select
    insurance.record_id as unique_id,
    'insurance' as source_dataset,
    recorded_name, full_name, name_key, birth_date, birth_year, birth_month, gender,
    province_code, address_parts(address, street_addresses) as address_parts, numbers.numbers
from clean.insurance as insurance
left join numbers on insurance.record_id = numbers.record_id
cross join ops.parameters
order by hash(insurance.record_id, $seed)
limit $records
"""

_CITIZENS = """
create or replace temp table training_citizens as
with former as (
    select personal_id, list(former_number order by former_number) as numbers
    from clean.former_numbers
    anti join clean.fillers as fillers on former_number = fillers.number
    group by personal_id
)
select
    population.personal_id as unique_id,
    'population' as source_dataset,
    recorded_name, full_name, name_key, birth_date, birth_year, birth_month, gender,
    province_code, address_parts(address, street_addresses) as address_parts,
    list_concat([population.personal_id], former.numbers) as numbers
from clean.population as population
left join former on population.personal_id = former.personal_id
cross join ops.parameters
where
    population.personal_id in (select unnest(numbers) from training_records)
    or (name_key, province_code) in (select (name_key, province_code) from training_records)
    or (birth_date, province_code) in (select (birth_date, province_code) from training_records)
"""


@dataclass(frozen=True)
class Trained:
    """What training gives.

    Attributes:
        model: The model.
        charts: Splink's charts of it, each a page that needs no network, by name.
    """

    model: Model
    charts: dict[str, str]


def train(warehouse: Warehouse, seed: int = 1) -> Trained:
    """Estimates the model from the clean tables of the last run; keeps nothing.

    Args:
        warehouse: Holds ``clean`` and ``core.claims``.
        seed: Chooses the sample; the same seed on the same data gives the same model.

    Raises:
        ConfigError: There is nothing to train on.
    """
    started = datetime.now(UTC)
    if not warehouse.exists(TableName("core", "claims")):
        raise ConfigError(
            "There is nothing to train on yet.",
            where="the warehouse",
            remedy="Run: doisoat sync. It uses the model that ships with doisoat.",
        )
    warehouse.execute(_RECORDS, {"seed": seed, "records": SAMPLE_RECORDS})
    warehouse.execute(_CITIZENS)
    sizes = {
        "records": warehouse.number("select count(*) from training_records"),
        "citizens": warehouse.number("select count(*) from training_citizens"),
    }
    if min(sizes.values()) < 1000:
        raise ConfigError(
            "There is too little to train on: a thousand records that share a number, a name or a "
            "birth date with citizens are the least.",
            where="the warehouse",
            remedy="Run doisoat sync first, or keep the model that ships with doisoat.",
        )
    linker = _estimate(warehouse, seed)
    found = linker.misc.save_model_to_json()
    version = f"{started:%Y%m%dT%H%M%S}"
    seconds = round((datetime.now(UTC) - started).total_seconds(), 1)
    model = Model(version, sizes | {"seed": seed, "seconds": seconds}, _same_person(found), found)
    return Trained(model, _charts(linker))


def write_pages(trained: Trained, folder: Path) -> None:
    """Writes the charts of a model, a page each.

    Raises:
        ConfigError: They cannot be written.
    """
    folder_for(folder)
    for name, page in trained.charts.items():
        write_whole(folder / f"{name}.html", page)


def keep(settings: Settings, model: Model) -> None:
    """Puts a model into the state: the next run uses it.

    Raises:
        ConnectionFailedError: The state's database cannot be reached.
    """
    row = {"version": model.version, "trained_at": now(), "model": model.to_json()}
    with open_state(settings) as state:
        state.add("models", [row])


def _charts(linker: Linker) -> dict[str, str]:
    charts = linker.visualisations
    return {
        "match_weights": charts.match_weights_chart().to_html(inline=True),
        "m_u_parameters": charts.m_u_parameters_chart().to_html(inline=True),
    }


def _estimate(warehouse: Warehouse, seed: int) -> Linker:
    from splink import Linker

    api = warehouse.for_splink()
    tables = [api.register("training_records"), api.register("training_citizens")]
    linker = Linker(tables, splink_settings(), log_level=logging.ERROR)
    linker.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=seed)
    for keys in _PASSES:
        if _pairs(warehouse, keys) < _LEAST_PAIRS:
            continue
        rule = " and ".join(f"l.{key} = r.{key}" for key in keys)
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, max_pairs=PAIRS_PER_PASS
        )
    return linker


def _pairs(warehouse: Warehouse, keys: Sequence[str]) -> int:
    """Counts the pairs of the sample that have equal keys, without making the pairs."""
    named = ", ".join(f"{key} as key_{place}" for place, key in enumerate(keys))
    names = ", ".join(f"key_{place}" for place in range(len(keys)))
    records, citizens = (
        f"(select {named}, count(*) as rows from training_{side} group by all)"  # noqa: S608 - our own keys
        for side in ("records", "citizens")
    )
    return warehouse.number(
        f"select sum(r.rows * l.rows) from {citizens} as l "  # noqa: S608
        f"inner join {records} as r using ({names})"
    )


def _same_person(model: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Returns m for every comparison and level; a level without an estimate gets ``NEVER_SEEN``.

    A comparison for which the sample gives no estimate has the shares of ``default_model``.
    """
    found: dict[str, dict[str, float]] = {}
    for compared, comparison in zip(COMPARED, model["comparisons"], strict=True):
        estimated = {
            level["label_for_charts"]: level.get("m_probability")
            for level in comparison["comparison_levels"]
            if not level.get("is_null_level")
        }
        if not any(estimated.values()):
            found[compared.name] = default_model().same_person[compared.name]
            continue
        shares = {level: max(share or 0.0, NEVER_SEEN) for level, share in estimated.items()}
        total = sum(shares.values())
        found[compared.name] = {level: share / total for level, share in shares.items()}
    return found
