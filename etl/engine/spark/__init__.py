"""Spark: the large tables are built by a cluster, everything else by the driver's DuckDB.

Belongs here: everything that speaks to Spark.
"""
