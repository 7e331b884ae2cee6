"""What the probabilistic step may and may not do, on simulated registers with known truth."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.pipeline import runner
from etl.pipeline.lock import release_lock
from etl.pipeline.reference import current_model, load_reference
from etl.pipeline.run import Run, warehouse_for
from etl.reconcile.model import COMPARED, Model, default_model, splink_settings
from etl.reconcile.training import Trained, keep, train
from etl.settings import Settings
from etl.simulate import SimulationSpec, write_database
from etl.state.copying import refresh
from tests.support import Registers, citizen, from_warehouse, memory_folder, record

CITIZENS = 12_000


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Registers in which 1,500 people are born a day, with their truth."""
    folder = memory_folder("doisoat-probabilistic-")
    urls = {name: f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population", "target")}
    write_database(
        SimulationSpec(citizens=CITIZENS, seed=6, birth_window_days=8),
        urls["insurance"],
        urls["population"],
        truth=folder,
    )
    registers = Registers(folder, [], [], urls["insurance"], urls["population"], urls["target"])
    yield registers.settings
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    """The same, reconciled."""
    truth = settings.file.parent / "truth.parquet"
    with warehouse_for(settings, Run("probabilistic")) as opened:
        runner.run(opened, settings)
        opened.connection.execute(f"create table truth as from '{truth}'")
        yield opened
    release_lock(settings)


def test_it_links_what_no_other_step_could_and_links_nobody_wrong(warehouse: Warehouse) -> None:
    (found,) = warehouse.rows(
        """
        select
            count(*) as links,
            count(*) filter (truth.personal_id is distinct from links.personal_id) as wrong
        from core.links as links
        inner join truth on links.record_id = truth.record_id
        where links.match_step = 'probabilistic'
        """
    )
    assert int(str(found["links"])) > 20
    assert found["wrong"] == 0


def test_doubt_goes_to_a_person_with_the_true_citizen_among_the_candidates(
    warehouse: Warehouse,
) -> None:
    (found,) = warehouse.rows(
        """
        select
            count(*) as records,
            count(*) filter (
                exists (
                    select 1 from core.candidates as candidates
                    where
                        candidates.record_id = truth.record_id
                        and candidates.personal_id = truth.personal_id
                )
            ) as shown
        from core.reconciled as reconciled
        inner join truth on reconciled.record_id = truth.record_id
        where reconciled.status = 'REVIEW' and truth.personal_id is not null
        """
    )
    assert int(str(found["records"])) > 10
    assert int(str(found["shown"])) / int(str(found["records"])) > 0.9


def test_each_link_met_its_threshold_and_the_rules(warehouse: Warehouse) -> None:
    against = warehouse.number(
        """
        select count(*)
        from core.step_probabilistic as step
        inner join ref.verdicts as verdicts
            using (name_agreement, birth_agreement, gender_agreement)
        where
            step.verdict = 'link'
            and (
                step.match_probability < 1 - 20 / 1e6
                or verdicts.verdict <> 'link'
            )
        """
    )
    assert against == 0


def test_a_citizen_whom_a_number_brought_and_who_looked_different_does_not_come_back(
    warehouse: Warehouse,
) -> None:
    back = warehouse.number(
        "select count(*) from core.near_citizens semi join "
        "(from core.number_pairs where reason = 'looks_different') using (record_id, personal_id)"
    )
    assert back == 0


def test_a_number_whose_owner_may_be_meant_is_never_decided_by_weights(
    warehouse: Warehouse,
) -> None:
    contested = """
        from core.step_probabilistic as step
        semi join (from core.number_pairs where reason = 'somebody_fits_better') using (record_id)
    """
    assert warehouse.number(f"select count(*) {contested}") > 0
    assert warehouse.number(f"select count(*) {contested} where verdict = 'link'") == 0


def test_probabilities_of_a_record_leave_room_for_none_of_them(warehouse: Warehouse) -> None:
    sums = warehouse.rows(
        "select sum(match_probability) as total from core.near_scores group by record_id"
    )
    assert sums
    assert all(0 < float(str(row["total"])) < 1 + 1e-9 for row in sums)


def test_a_crowded_key_brings_nobody_together(warehouse: Warehouse) -> None:
    connection = warehouse.connection
    limit = warehouse.number("select block_limit from ops.parameters")
    by_day = warehouse.number(
        "select max(n) from (select count(*) as n from clean.population group by birth_date)"
    )
    assert by_day > limit, "or this test shows nothing"
    strangers = connection.execute(
        """
        select count(*)
        from core.near_citizens as pairs
        inner join clean.population as citizens using (personal_id)
        inner join core.near_records as records using (record_id)
        where
            records.birth_date = citizens.birth_date
            and records.numbers is null
            and records.address is distinct from citizens.address
            and records.province_code <> citizens.province_code
            and split_part(records.name_key, ' ', 1) <> split_part(citizens.name_key, ' ', 1)
            and split_part(records.name_key, ' ', -1) <> split_part(citizens.name_key, ' ', -1)
        """
    ).fetchone()
    assert strangers == (0,)


def test_the_weights_are_those_that_splink_gives(warehouse: Warehouse) -> None:
    """Splink judges our SQL: the same pairs, model and frequencies must give the same weights."""
    ours = {
        (row["record_id"], row["personal_id"]): float(str(row["weight"]))
        for row in warehouse.rows(
            "select record_id, personal_id, match_weight - prior_weight as weight "
            "from core.near_scores"
        )
    }
    theirs = _splink_weights(warehouse)

    assert len(ours) > 300
    assert set(ours) == set(theirs)
    worst = max(abs(ours[pair] - theirs[pair]) for pair in ours)
    assert worst < 1e-6


def _splink_weights(warehouse: Warehouse) -> dict[tuple[object, object], float]:
    """Scores the pairs of ``core.near_scores`` by Splink."""
    from splink import DuckDBAPI, Linker

    connection = warehouse.connection
    connection.execute(_INPUTS)
    api = DuckDBAPI(connection)
    tables = [
        api.register(name, dataset_display_name=name)
        for name in ("judged_citizens", "judged_records")
    ]
    linker = Linker(tables, _with_parameters(warehouse), log_level=None)
    management = linker.table_management
    for column in ("name_key", "birth_date"):
        management.register_term_frequency_lookup(api.register(f"tf_of_{column}"), column)
    management.register_blocked_pairs_for_predict(api.register("judged_pairs"))
    predicted = linker.inference.predict().as_duckdbpyrelation()
    return {
        (row[0], row[1]): row[2]
        for row in predicted.project("unique_id_r, unique_id_l, match_weight").fetchall()
    }


_COLUMNS = (
    "recorded_name, full_name, name_key, birth_date, birth_year, birth_month, gender, "
    "province_code, address_parts(address, false) as address_parts"
)
_INPUTS = f"""
create or replace temp table judged_records as
select record_id as unique_id, {_COLUMNS}, numbers from core.near_records;
create or replace temp table judged_citizens as
with former as (
    select personal_id, list(former_number) as numbers from clean.former_numbers group by all
)
select personal_id as unique_id, {_COLUMNS}, list_concat([personal_id], former.numbers) as numbers
from clean.population left join former using (personal_id);
create or replace temp table judged_pairs as
select
    'judged_citizens-__-' || personal_id as join_key_l,
    'judged_records-__-' || record_id as join_key_r,
    '0' as match_key
from core.near_scores;
create or replace temp table tf_of_name_key as
select name_key, count(*) / sum(count(*)) over () as tf_name_key
from clean.population group by name_key;
create or replace temp table tf_of_birth_date as
select birth_date, count(*) / (select count(*) from clean.population) as tf_birth_date
from clean.population group by birth_date;
"""


def _with_parameters(warehouse: Warehouse) -> dict[str, Any]:
    """The model as Splink's settings, with the model's m and these registers' u."""
    weights = {
        (row["comparison"], row["level"]): row
        for row in warehouse.rows("select * from core.level_weights")
    }
    settings = splink_settings().create_settings_dict("duckdb")
    settings["probability_two_random_records_match"] = 0.5
    for compared, comparison in zip(COMPARED, settings["comparisons"], strict=True):
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            name = level["label_for_charts"]
            weight = weights[compared.name, name]
            same_person = float(str(weight["same_person"]))
            level["m_probability"] = same_person
            level["u_probability"] = same_person / 2 ** float(str(weight["weight"]))
            column = _FREQUENCIES.get((compared.name, name))
            if column:
                level |= {
                    "tf_adjustment_column": column,
                    "tf_adjustment_weight": 1.0,
                    "disable_tf_exact_match_detection": True,
                }
    return settings


_FREQUENCIES = {
    ("name", "same"): "name_key",
    ("name", "accents_differ"): "name_key",
    ("birth", "same"): "birth_date",
}


def test_the_model_that_ships_has_a_share_for_every_level() -> None:
    model = default_model()
    for compared in COMPARED:
        shares = model.same_person[compared.name]
        assert set(shares) == {group[0] for group in compared.groups}
        assert math.isclose(sum(shares.values()), 1, rel_tol=1e-6)
    assert Model.from_json(model.to_json()) == model


def test_an_address_that_is_nearly_the_same_never_speaks_against(warehouse: Warehouse) -> None:
    """This holds whatever a model has learnt, because offices write one address in many ways."""
    weighing = TableName("core", "level_weights")
    warehouse.connection.execute(
        "create or replace temp table taught as from ref.match_model; "
        "update ref.match_model set same_person = 1e-9 where comparison = 'address'"
    )
    try:
        runner.build(warehouse, weighing)
        weights = {
            row["level"]: row["weight"]
            for row in warehouse.rows("from core.level_weights where comparison = 'address'")
        }
    finally:
        warehouse.connection.execute("create or replace table ref.match_model as from taught")
        runner.build(warehouse, weighing)

    assert weights["near"] == 0
    assert weights["different"] < 0


@pytest.fixture(scope="module")
def trained(warehouse: Warehouse) -> Trained:
    """A model of these registers; training takes half a minute."""
    return train(warehouse, seed=3)


@pytest.mark.long
@pytest.mark.wide
def test_the_same_seed_gives_the_same_model(warehouse: Warehouse, trained: Trained) -> None:
    assert trained.model.same_person == train(warehouse, seed=3).model.same_person


@pytest.mark.wide
def test_training_needs_no_labels(trained: Trained) -> None:
    name, birth = trained.model.same_person["name"], trained.model.same_person["birth"]
    assert name["same"] > 0.9
    assert birth["same"] > 0.9
    # The simulator mistypes 1% of the names and drops 1% of the middle names.
    assert 0.003 < name["one_edit"] < 0.03
    assert 0.002 < name["middle_missing"] < 0.03


@pytest.mark.wide
def test_the_model_trained_last_is_the_one_in_use(
    warehouse: Warehouse, settings: Settings, trained: Trained
) -> None:
    assert current_model(warehouse).version == default_model().version
    keep(settings, trained.model)
    refresh(warehouse, settings)
    load_reference(warehouse)

    assert warehouse.value("select distinct version from ref.match_model") == trained.model.version
    assert all("<html" in page and 'src="http' not in page for page in trained.charts.values())


# --- who is compared -------------------------------------------------------------------------


def _nobody_numbered(**changes: object) -> dict[str, object]:
    """A record with only a name and a birth date."""
    known = {"full_name": "Mạc Thị Quyên", "date_of_birth": "1990-05-05", "gender": "Nữ"}
    return record(1, id_number=None, insurance_number=None, **known, **changes)


def test_a_record_meets_no_more_citizens_than_block_limit_those_of_its_narrowest_keys_first(
    registers: Callable[..., Registers],
) -> None:
    """Each of the two keys alone may be used; both together bring too many citizens."""
    born = [
        citizen(n, full_name=name, date_of_birth="1990-05-05", province_code="79")
        for n, name in enumerate(["Lê Văn Sen", "Phan Văn Bảo", "Vũ Văn Dịu"], start=11)
    ]
    named = [
        citizen(n, full_name="Mạc Thị Quyên", date_of_birth=f"19{n}-03-03", province_code="79")
        for n in range(51, 55)
    ]
    pair = registers([_nobody_numbered()], [*born, *named])
    pair.options["reconcile"] = {"block_limit": 5}
    pair.sync()

    met = from_warehouse(pair.settings, "select personal_id from core.near_citizens")

    assert {row["personal_id"] for row in met} == {one["personal_id"] for one in born}

    pair.options["reconcile"] = {"block_limit": 7}
    pair.sync()
    met = from_warehouse(pair.settings, "select personal_id from core.near_citizens")
    assert {row["personal_id"] for row in met} == {row["personal_id"] for row in [*born, *named]}


@pytest.mark.parametrize(
    ("changes", "is_weighed"),
    [
        ({}, False),
        ({"province_code": "01"}, True),
        ({"province_code": None}, True),
        ({"date_of_birth": "1990-05-06"}, True),
        ({"former_id_numbers": "023751469"}, True),
        ({"address": "12 Hàng Bạc"}, True),
    ],
    ids=["nothing", "place", "place unknown", "near birth", "near number", "address"],
)
def test_a_namesake_is_weighed_where_more_than_the_name_is_in_common(
    registers: Callable[..., Registers], changes: dict[str, object], is_weighed: bool
) -> None:
    namesake = {"full_name": "Mạc Thị Quyên", "date_of_birth": "1961-03-03", "gender": "Nữ"}
    pair = registers(
        [
            _nobody_numbered(health_card_number=None, address="12 Hàng Bạc")
            | {"id_number": "023751468"}
        ],
        [citizen(7, **({**namesake, "province_code": "79"} | changes))],
    )
    pair.sync()

    compared = from_warehouse(pair.settings, "select name_agreement from core.near_pairs")
    weighed = from_warehouse(pair.settings, "select name_agreement from core.near_evidence")

    assert compared == [{"name_agreement": "same"}]
    assert bool(weighed) is is_weighed
