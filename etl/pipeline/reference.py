"""The reference tables: facts and words that statements join with.

Belongs here: loading the facts and codes of ``etl/domain`` and the linkage model into the schema
``ref``. Does not belong here: the facts themselves, which a domain expert corrects there.
"""

from __future__ import annotations

from importlib.resources import files

import pyarrow as pa
import pyarrow.csv as pa_csv

from etl.domain import codes
from etl.domain.contract import REGISTERS
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.reconcile.model import Model, default_model
from etl.settings import Settings


def read_data(name: str, package: str = "etl.domain.data") -> pa.Table:
    """Reads a data file of the package, every column as text."""
    with files(package).joinpath(name).open("rb") as handle:
        header = handle.readline().decode("utf-8").strip().split(",")
        handle.seek(0)
        return pa_csv.read_csv(
            handle,
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )


def load_reference(warehouse: Warehouse) -> None:
    """Writes the reference tables anew, so that they are those of this version."""
    warehouse.load(TableName("ref", "provinces"), read_data("province_codes.csv"))
    warehouse.load(TableName("ref", "verdicts"), _verdicts())
    warehouse.load(TableName("ref", "mismatch_codes"), _mismatch_codes())
    warehouse.load(TableName("ref", "labels"), _labels())
    model = current_model(warehouse)
    warehouse.load(
        TableName("ref", "match_model"),
        pa.Table.from_pylist([{"version": model.version, **level} for level in model.levels()]),
    )


def load_configured_words(warehouse: Warehouse, settings: Settings) -> None:
    """Writes what the configuration says that words of the registers mean."""
    rows = [
        (register, column, spelling.strip().lower(), value)
        for register in REGISTERS
        for column, words in getattr(settings, register).values.items()
        for spelling, value in words.items()
    ]
    names = ("register", "column_name", "spelling", "value")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    table = {name: pa.array(c, pa.string()) for name, c in zip(names, columns, strict=True)}
    warehouse.load(TableName("ref", "configured_words"), pa.table(table))


def current_model(warehouse: Warehouse) -> Model:
    """Returns the model trained last in this warehouse, or the one that ships with the package."""
    found = warehouse.value("select model from ops.models order by trained_at desc limit 1")
    return Model.from_json(str(found)) if found else default_model()


def _mismatch_codes() -> pa.Table:
    names = ("code", "owner", "severity", "portal_code", "field", "vi", "en")
    return pa.table(
        {name: [str(getattr(code, name)) for code in codes.MISMATCH_CODES] for name in names}
    )


def _labels() -> pa.Table:
    every = [(kind, label) for kind, labels in codes.LABELS.items() for label in labels]
    columns = {name: [getattr(label, name) for _, label in every] for name in ("code", "vi", "en")}
    return pa.table({"kind": [kind for kind, _ in every], **columns})


def _verdicts() -> pa.Table:
    """The agreement rules, spelt out: one row for each combination of levels.

    In the file, the first line that covers a combination decides it.
    """
    rules = read_data("agreement_rules.csv", "etl.reconcile").to_pylist()
    decided: dict[tuple[str, str, str], str] = {}
    for rule in rules:
        for name in _levels(rule["name_agreement"], codes.NAME_LEVELS):
            for birth in _levels(rule["birth_agreement"], codes.BIRTH_LEVELS):
                for gender in _levels(rule["gender_agreement"], codes.GENDER_LEVELS):
                    decided.setdefault((name, birth, gender), rule["verdict"])
    rows = [(*levels, verdict) for levels, verdict in decided.items()]
    names = ("name_agreement", "birth_agreement", "gender_agreement", "verdict")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _levels(pattern: str, every: tuple[str, ...]) -> tuple[str, ...]:
    """Reads ``a|b`` or ``*``; an unknown level is a mistake in the file and must not pass."""
    if pattern == "*":
        return every
    named = tuple(pattern.split("|"))
    unknown = set(named) - set(every)
    if unknown:
        raise ValueError(f"agreement_rules.csv: unknown level {', '.join(sorted(unknown))}")
    return named
