"""People's decisions on records: made, taken back, and compared with what the machine had said.

Belongs here: what a person who corrects records does. Does not belong here: what a decision does to
a link (``etl/reconcile/sql/core/decided.sql`` and the steps), and keeping it (``etl/state``).
"""
