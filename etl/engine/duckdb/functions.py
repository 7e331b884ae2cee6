"""Functions that DuckDB lacks and that are no macros of the project: those with a secret in them.

Belongs here: SQL that exists only in the memory of a connection.
"""

from __future__ import annotations

from etl.process.privacy import BLOCK, FINGERPRINT, SHOWN, RecordKey


def keyed_functions(key: RecordKey) -> str:
    """Returns the SQL that makes ``record_key(record_id)`` and ``fingerprint(content)``.

    ``record_key`` is ``RecordKey.of``. ``fingerprint`` names a row of the target by its content; it
    is keyed, because whoever has a plain hash of a number finds the number by trying all numbers.

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
        # The message differs from that of a record key, so that the target does not disclose the
        # record keys of a log.
        "create or replace temp macro fingerprint(content) as "
        f"left(keyed_hash('content:' || content), {FINGERPRINT})"
    )
