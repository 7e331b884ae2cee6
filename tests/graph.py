"""The graph as text: every asset and every check, as they are declared to Dagster.

``python -m tests.graph`` (``make graph``) writes ``graph.txt`` anew. ``unit/test_graph.py``
compares it, so that a reviewer sees each change of the graph, line by line.

Belongs here: the text. Does not belong here: the test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from etl.settings import CONFIG_VARIABLE

FILE = Path(__file__).with_name("graph.txt")
MADE_BY = "make graph"


def text() -> str:
    """Returns the graph of the shipped definitions, whatever is configured on this machine."""
    configured = os.environ.pop(CONFIG_VARIABLE, None)
    try:
        with TemporaryDirectory() as nowhere, chdir(nowhere):
            return "\n".join(_lines()) + "\n"
    finally:
        if configured is not None:
            os.environ[CONFIG_VARIABLE] = configured


def _lines() -> Iterator[str]:
    from assets.definitions import build_defs

    definitions = build_defs()
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    checks: dict[dg.AssetKey, list[dg.AssetCheckSpec]] = {}
    for made in definitions.asset_checks or ():
        for check in made.check_specs:
            checks.setdefault(check.asset_key, []).append(check)
    yield f"Every asset and its checks. Written by `{MADE_BY}`; read the difference before you"
    yield "commit it. `-` is a check, `!` one that stops what is downstream when it fails."
    for key in sorted(specs, key=lambda key: ((specs[key].group_name or ""), key.path)):
        yield ""
        yield from _asset(specs[key])
        for check in checks.get(key, ()):
            yield _check(check)
    for key in sorted(checks.keys() - specs.keys()):
        yield f"checks of {key.to_user_string()}, which is no asset"


def _asset(spec: dg.AssetSpec) -> Iterator[str]:
    kinds = " ".join(sorted(spec.kinds))
    yield f"{spec.key.to_user_string()}  [{spec.group_name}] {kinds}"
    if spec.description:
        yield f"    {spec.description.splitlines()[0]}"
    reads = sorted(dep.asset_key.to_user_string() for dep in spec.deps)
    if reads:
        yield f"    reads {' '.join(reads)}"


def _check(spec: dg.AssetCheckSpec) -> str:
    waits = sorted(dep.asset_key.to_user_string() for dep in spec.additional_deps)
    also = f", reads {' '.join(waits)}" if waits else ""
    return f"  {'!' if spec.blocking else '-'} {spec.name}: {spec.metadata['severity']}{also}"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
