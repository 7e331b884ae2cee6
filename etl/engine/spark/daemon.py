"""The process from which Spark forks its Python workers: it has imported what they need.

A worker that imports all of it itself takes a second of a processor before its first row, and each
stage of a statement may need several.

Belongs here: imports. Does not belong here: what a worker does (``etl/engine/duckdb/scalars.py``,
``spreading.py``).
"""

from __future__ import annotations

import pandas  # noqa: F401 - PySpark's own workers import it
import pyarrow.parquet  # noqa: F401
import pyspark.sql.pandas.serializers
import pyspark.worker  # noqa: F401
from pyspark.daemon import manager

import etl.engine.duckdb.scalars  # noqa: F401

if __name__ == "__main__":
    manager()
