"""The stewards' workbench in the browser: queues, cases, search, and who may see what.

Belongs here: pages and what guards them. Does not belong here: which records wait and how a
decision is made (``etl/stewards``), and a record's story (``etl/explain``).
"""
