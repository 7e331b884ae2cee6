"""Who looked at whose data: the access log.

Belongs here: writing ``ops.access_log`` and naming who asks. Does not belong here: showing data
(the commands), or deciding who may (whoever may read the warehouse file may read all of it).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from datetime import UTC, datetime

from etl.engine.port import Warehouse
from etl.state.memory import make_memory

USER_VARIABLE = "DOISOAT_USER"
"""The environment variable that says who asks, where the system's user is shared by several."""


def log_access(warehouse: Warehouse, record_key: str, command: str) -> None:
    """Writes that one record's values are about to be shown; call it before they are."""
    make_memory(warehouse)
    warehouse.execute(
        "insert into ops.access_log (accessed_at, accessed_by, record_key, command) "
        "values ($at, $by, $key, $command)",
        {
            "at": datetime.now(UTC).replace(tzinfo=None),
            "by": who_asks(),
            "key": record_key,
            "command": command,
        },
    )


def log_accesses(warehouse: Warehouse, record_keys: Iterable[str], command: str) -> None:
    """The same of many records, each with a line of its own."""
    make_memory(warehouse)
    warehouse.execute(
        "insert into ops.access_log (accessed_at, accessed_by, record_key, command) "
        "select $at, $by, unnest($keys::varchar[]), $command",
        {
            "at": datetime.now(UTC).replace(tzinfo=None),
            "by": who_asks(),
            "keys": list(record_keys),
            "command": command,
        },
    )


def who_asks() -> str:
    """Returns $DOISOAT_USER, or the system's user, which no variable can pretend to be."""
    named = os.environ.get(USER_VARIABLE, "").strip()
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        return f"uid {os.getuid()}"
