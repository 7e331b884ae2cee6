"""DuckDB: one file and the Parquet files beside it, one writer at a time.

Belongs here: everything that speaks to DuckDB.
"""
