"""Source database -> warehouse: reading a register, read-only, in one consistent snapshot.

Belongs here: connecting (``connect.py``), turning the column mapping into a SELECT
(``mapping.py``), streaming the rows (``streams.py``) and loading them (``load.py``). Does not
belong here: any change to a value; rows arrive in ``raw`` as recorded, as text.
"""

from etl.extract.load import Extraction, extract_register

__all__ = ["Extraction", "extract_register"]
