"""Warehouse -> target database: only the differences, in one transaction.

Belongs here: the statements of the schema ``publish`` (``sql/``), what differs
(``differences.py``), how a product is written (``writers.py``), the one transaction
(``transaction.py``), the proof that nothing was lost (``ledger.py``), rows that somebody else has
changed (``drift.py``), what the target knows of runs (``asking.py``) and the memory of links
(``history.py``). Does not belong here: any decision about a record.
"""

from etl.publish.transaction import PublishedCounts, inputs_of, publish

__all__ = ["PublishedCounts", "inputs_of", "publish"]
