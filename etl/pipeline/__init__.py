"""From two registers to the published tables: every table, in one order.

Belongs here: the graph of tables, the run that builds them, the reference tables that statements
join with. Does not belong here: how one table is understood (`clean`, `reconcile`, `publish`).
"""
