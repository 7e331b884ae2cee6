"""raw -> clean: every row understood, or set aside with its reason.

Belongs here: the dictionaries (``dictionaries.py``) and the statements of the schema ``clean``
(``sql/``). Does not belong here: how one value is understood (``etl/normalise``).
"""
