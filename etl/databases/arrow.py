"""The ADBC connection to PostgreSQL, by which rows travel as Arrow.

Belongs here: opening it. Does not belong here: what is read (``streams.py``) or written
(``etl.databases.writers``) on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import adbc_driver_manager

from etl.databases.connect import patiently, postgresql_address
from etl.databases.refusals import explained
from etl.settings import Database

if TYPE_CHECKING:
    import adbc_driver_postgresql.dbapi as adbc


def arrow_connection(database: Database, what: str) -> adbc.Connection:
    """Connects, in UTF-8 whatever the database's own encoding.

    Args:
        database: A PostgreSQL.
        what: What is done, for the message.

    Raises:
        ConfigError: The URL cannot be used.
        ConnectionFailedError: The server cannot be reached or refuses.
    """
    import adbc_driver_postgresql.dbapi as adbc  # which loads pandas

    address = postgresql_address(database)
    try:
        return patiently(lambda: adbc.connect(address))
    except adbc_driver_manager.Error as error:
        raise explained(database, what, error) from None
