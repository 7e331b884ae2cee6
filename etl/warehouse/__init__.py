"""The engine and its memory.

Belongs here: opening DuckDB, finding and running statements, column lineage, reference tables, the
current run. Does not belong here: what a table means.
"""
