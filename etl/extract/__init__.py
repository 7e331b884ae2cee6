"""Source database -> warehouse: reading a register, read-only, in one consistent snapshot.

Belongs here: turning the column mapping into a SELECT (``mapping.py``), streaming the rows
(``streams.py``), loading all of them (``load.py``) or those that have changed (``delta.py``). Does
not belong here: any change to a value; rows arrive in ``raw`` as recorded, as text.
"""

from etl.extract.delta import extract_changes, look_at
from etl.extract.load import Changes, Extraction, extract_register

__all__ = ["Changes", "Extraction", "extract_changes", "extract_register", "look_at"]
