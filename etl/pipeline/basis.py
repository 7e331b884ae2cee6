"""What a run decides by, besides the registers. For a delta it must be the same as in the last run.

Belongs here: the fingerprint of rules, reference tables and configuration, and whether a delta may
continue with the tables of the last run. Does not belong here: what has changed in a register
(``etl/extract/delta.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import version

from etl.engine.builds import is_noted
from etl.engine.macros import macros
from etl.engine.port import Warehouse
from etl.engine.statements import Kind, TableName, statements
from etl.normalise import NORMALISER_VERSION
from etl.pipeline.graph import pipeline
from etl.settings import Settings

_PARAMETERS = TableName("ops", "parameters")


def basis_of(warehouse: Warehouse, settings: Settings) -> dict[str, str]:
    """Returns a fingerprint of each thing that a run decides by.

    Args:
        warehouse: With the reference tables of this run.
        settings: Of this run.

    Returns:
        What it is in words -> its fingerprint.
    """
    return {
        "the version of doisoat": _fingerprint(
            version("doisoat"),
            *(statement.text for statement in statements().values()),
            *(macro.create for macro in macros()),
        ),
        "the engine": warehouse.ENGINE,
        "the version of the normaliser": str(NORMALISER_VERSION),
        "the secret of the record keys": str(warehouse.value("select record_key('installation')")),
        "the linkage model, the codes or the words": _fingerprint(*_reference(warehouse)),
        "[reconcile]": _fingerprint(settings.reconcile.model_dump_json()),
        **{
            f"[{register}]": _fingerprint(
                source.shown, source.model_dump_json(exclude={"url", "user", "password", "delta"})
            )
            for register in ("insurance", "population")
            if (source := getattr(settings, register))
        },
    }


def why_not_a_delta(warehouse: Warehouse, last: str | None, basis: dict[str, str]) -> str:
    """Says why a delta must not continue with the tables of the last run; empty where it may.

    Args:
        warehouse: A copy of what the last run left.
        last: The basis of that run, as its parameters have it; None where they have none.
        basis: Of this run.
    """
    if warehouse.NO_PARTS:
        return warehouse.NO_PARTS
    if not last:
        return "there is no earlier run of this version that it could continue"
    known = json.loads(last)
    if changed := [what for what, found in basis.items() if known.get(what) != found]:
        return f"{' and '.join(changed)} changed since the last run"
    if not all(
        is_noted(warehouse, table.name)
        for table in pipeline().values()
        if table.kind is Kind.STATISTIC
    ):
        return "the last run ended before it made the statistics, which a delta reuses"
    return ""


def last_basis(warehouse: Warehouse) -> str | None:
    """Returns the basis of the run that built a warehouse; None where it holds none."""
    if "basis" not in {name for name, _ in warehouse.columns(_PARAMETERS)}:
        return None
    return str(warehouse.value("select basis from ops.parameters"))


def _reference(warehouse: Warehouse) -> Iterator[str]:
    for row in warehouse.rows(
        "select table_name from information_schema.tables where table_schema = 'ref' order by all"
    ):
        found = f"ref.{row['table_name']}"
        content = f"select sum(hash(rows)::hugeint)::varchar from {found} as rows"  # noqa: S608
        yield f"{found}={warehouse.value(content)}"


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
