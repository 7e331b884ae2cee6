"""The stewards' workbench in the browser: queues, cases, search, and who may see what.

Belongs here: pages and what guards them. Does not belong here: what waits and what a decision is
(``etl/stewards``), and what is told of a record (``etl/explain``).
"""
