"""Statements: what the lineage graph shows is read from the SQL, and the SQL is complete."""

from __future__ import annotations

import pytest

from etl.clean.dictionaries import tables as dictionary_tables
from etl.domain import codes
from etl.domain.contract import REGISTERS
from etl.engine.lineage import column_lineage
from etl.engine.statements import Statement, TableName, statements
from etl.pipeline.reference import read_data

TABLES = {"clean.people": [("name", "varchar"), ("born", "date")]}


def columns_of(table: TableName) -> list[tuple[str, str]]:
    return TABLES.get(table.sql, [])


def statement(query: str) -> Statement:
    return Statement(TableName("core", "made"), query, "tests")


def test_dependencies_are_the_tables_that_the_sql_names():
    made = statement("with a as (select * from clean.people) select * from a join core.b using (x)")
    assert made.depends_on == {TableName("clean", "people"), TableName("core", "b")}


def test_the_runs_parameters_are_no_dependency():
    assert statement("select run_id from ops.parameters").depends_on == frozenset()


def test_a_columns_origins_are_followed_through_ctes_functions_and_stars():
    made = statement(
        "with a as (select p.*, upper(name) as loud from clean.people as p) "
        "select loud || born as both_of_them, 1 as constant, a.* exclude (loud) from a"
    )
    people = TableName("clean", "people")
    assert column_lineage(made, columns_of) == {
        "both_of_them": [(people, "born"), (people, "name")],
        "constant": [],
        "name": [(people, "name")],
        "born": [(people, "born")],
    }


@pytest.mark.parametrize("name", sorted(statements()))
def test_every_statement_begins_with_what_it_decides(name: TableName):
    assert len(statements()[name].description) > 30


def test_every_table_that_is_read_is_made_by_somebody():
    made = set(statements())
    given = {"raw", "ref", "ops"}
    dictionaries = set(dictionary_tables())
    for one in statements().values():
        for table in one.depends_on:
            assert table in made or table.schema in given or table.table in dictionaries, table


def test_no_two_kinds_of_label_share_a_code():
    every = [label.code for kind in codes.LABELS.values() for label in kind]
    assert len(every) == len(set(every))
    assert all(label.vi and label.en for label in codes.labels().values())


def test_every_word_of_the_contract_is_in_the_vocabularies():
    text = statements()[TableName("clean", "vocabularies")].text
    for register, columns in REGISTERS.items():
        for column in columns:
            counted = f"'{register}' as register, '{column.name}'" in text or (
                f"select '{register}', '{column.name}', {column.name}, count(*)" in text
            )
            assert counted == bool(column.vocabulary), column.name


def test_every_combination_of_levels_has_a_verdict_and_unknown_levels_are_refused():
    from etl.pipeline.reference import _levels, _verdicts

    verdicts = _verdicts()
    combinations = len(codes.NAME_LEVELS) * len(codes.BIRTH_LEVELS) * len(codes.GENDER_LEVELS)
    assert verdicts.num_rows == combinations
    assert set(verdicts["verdict"].to_pylist()) == {
        "link", "link_if_alone", "review", "other"
    }  # fmt: skip
    with pytest.raises(ValueError, match="unknown level"):
        _levels("same|almost", codes.NAME_LEVELS)


def test_every_agreement_rule_says_why():
    assert all(read_data("agreement_rules.csv", "etl.reconcile")["why"].to_pylist())


def test_no_rule_links_two_people_by_a_number_alone():
    from etl.pipeline.reference import _verdicts

    for row in _verdicts().to_pylist():
        if row["verdict"] == "link":
            named = row["name_agreement"] not in ("different", "missing", "surname_shared")
            assert named, row
        if row["verdict"] == "link_if_alone":
            assert row["name_agreement"] not in ("different", "missing"), row
            assert (row["birth_agreement"], row["gender_agreement"]) == ("same", "same"), row


@pytest.mark.parametrize("code", sorted(codes.labels()))
def test_every_code_speaks_both_languages(code: str):
    label = codes.labels()[code]
    assert label.vi
    assert label.en
    assert label.vi != label.en
