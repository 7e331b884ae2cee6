"""Loading Great Expectations: once, without the large libraries that no rule here uses.

Belongs here: what is left out of it. Does not belong here: using it (``runner.py``, ``docs.py``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import LazyLoader, find_spec, module_from_spec

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

_LATER = ("altair", "scipy.stats")
_HIDDEN = ("pyspark", "pyspark.sql.connect")


def load_great_expectations() -> None:
    """Loads it; must be called before Great Expectations is imported.

    It would also load PySpark if that is installed. No rule here needs it: in a run on Spark, too,
    they read the tables through DuckDB. If the server of Spark Connect is missing, importing
    PySpark may even end the process.
    """
    if "great_expectations" in sys.modules:
        return
    _load_when_asked(*_LATER)
    with _as_if_missing(*_HIDDEN):
        import_module("great_expectations")


def _load_when_asked(*modules: str) -> None:
    """Loads modules when something in them is used, and not when they are imported.

    A third of the time that Great Expectations takes to load is that of two libraries for
    expectations that no rule here uses.
    """
    for name in modules:
        if name in sys.modules or (spec := find_spec(name)) is None or spec.loader is None:
            continue
        spec.loader = LazyLoader(spec.loader)
        sys.modules[name] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        # Otherwise an import from its package would look into the module, and so load it.
        package, _, short = name.rpartition(".")
        if package:
            setattr(sys.modules[package], short, module)


@contextmanager
def _as_if_missing(*names: str) -> Iterator[None]:
    """Hides libraries that are not loaded yet."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        # With None, Python reports the module as missing.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
