"""Functions that DuckDB lacks and that are no macros of the project: those with a secret in them.

Belongs here: SQL that exists only in the memory of a connection.
"""

from __future__ import annotations

from etl.process.privacy import BLOCK, FINGERPRINT, SHOWN, RecordKey


def keyed_functions(key: RecordKey) -> str:
    """Returns the SQL that makes ``record_key(record_id)`` and ``fingerprint(content)``.

    The first is ``RecordKey.of``. The second names a row by what is in it, for the target: whoever
    has a plain hash of a number finds the number by trying all of them.

    HMAC is computed from its definition, sha256(outer || sha256(inner || message)), because DuckDB
    has none.
    """
    padded = key.secret.ljust(BLOCK, b"\0")
    inner = bytes(byte ^ 0x36 for byte in padded).hex()
    outer = bytes(byte ^ 0x5C for byte in padded).hex()
    return (
        "create or replace temp macro keyed_hash(message) as "
        f"sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode(message))));\n"
        "create or replace temp macro record_key(record_id) as "
        f"left(keyed_hash(record_id), {SHOWN});\n"
        # Another message than the key's, so that the target tells nobody a log's record keys.
        "create or replace temp macro fingerprint(content) as "
        f"left(keyed_hash('content:' || content), {FINGERPRINT})"
    )
