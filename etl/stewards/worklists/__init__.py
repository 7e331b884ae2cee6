"""Worklists: lists of records for offices to settle or correct, and the answers that come back.

Belongs here: which rows an office is sent (``queries``), how a list looks (``templates``,
``forms.py``), its files (``writing.py``, ``reading.py``), sending (``sending.py``), taking answers
in (``answers.py``) and listing (``listing.py``). Does not belong here: one decision at a time
(``etl/stewards/decide.py``), and what becomes of what was sent (``publish.worklist_status``).
"""
