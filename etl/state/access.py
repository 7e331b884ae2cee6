"""Who looked at whose data: the access log.

Belongs here: writing the access log and naming who asks. Does not belong here: showing data
(the commands), or deciding who may (whoever may read the warehouse file may read all of it).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from uuid import uuid4

from etl.settings import Settings
from etl.state.store import State, now, open_state

USER_VARIABLE = "DOISOAT_USER"
"""The environment variable that says who asks, where the system's user is shared by several."""


def log_access(
    settings: Settings, record_keys: Iterable[str], command: str, *, by: str | None = None
) -> None:
    """Writes that records' values are about to be shown; call it before they are.

    Args:
        settings: Whose state.
        record_keys: The records, by their keyed pseudonyms; each access has its own row.
        command: What is about to show them.
        by: Who asks; by default whoever runs the command.

    Raises:
        ConnectionFailedError: The state's database cannot be reached; then nothing may be shown.
    """
    keys = list(record_keys)
    if keys:
        with open_state(settings) as state:
            log_within(state, keys, command, by=by)


def log_within(
    state: State, record_keys: Iterable[str], command: str, *, by: str | None = None
) -> None:
    """As ``log_access``, in a state that is open; the entry counts when that is committed."""
    rows = [
        {
            "access_id": uuid4().hex,
            "accessed_at": now(),
            "accessed_by": by or who_asks(),
            "record_key": key,
            "command": command,
        }
        for key in record_keys
    ]
    if rows:
        state.add("access_log", rows)


def who_asks() -> str:
    """Returns $DOISOAT_USER, or the system's user, which no variable can pretend to be."""
    named = os.environ.get(USER_VARIABLE, "").strip()
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        return f"uid {os.getuid()}"
