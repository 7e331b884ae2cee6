"""Pseudonyms: how a record is named where its data may not appear.

Belongs here: the record key, its secret, and how to keep values out of messages. Does not belong
here: who may see what (``etl/cli.py`` asks) and encryption of the warehouse file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from etl.errors import ConfigError

KEY_VARIABLE = "DOISOAT_KEY"
"""The environment variable that holds the secret of the record keys, 64 hex digits."""

_BLOCK = 64  # HMAC's block size for SHA-256, RFC 2104
_SHOWN = 16  # hex digits of a record key: 64 bits, no chance collision among 100 million


@dataclass(frozen=True)
class RecordKey:
    """Makes record keys: HMAC-SHA-256 of the record id, first 16 hex digits.

    A keyed hash of a number is still personal data (DOMAIN, "The programme"): it may be logged,
    not published.
    """

    secret: bytes

    def __repr__(self) -> str:
        """Keeps the secret out of tracebacks."""
        return "RecordKey(...)"

    def of(self, record_id: str) -> str:
        """Returns the key of one record."""
        return hmac.new(self.secret, record_id.encode(), hashlib.sha256).hexdigest()[:_SHOWN]

    @property
    def macro_sql(self) -> str:
        """The same function as a DuckDB macro that lives in memory only.

        It computes HMAC from its definition, sha256(outer || sha256(inner || message)), because
        DuckDB has no HMAC.
        """
        padded = self.secret.ljust(_BLOCK, b"\0")
        inner = bytes(byte ^ 0x36 for byte in padded).hex()
        outer = bytes(byte ^ 0x5C for byte in padded).hex()
        return (
            "create or replace temp macro record_key(record_id) as "
            f"substr(sha256(unhex('{outer}') || "
            f"unhex(sha256(unhex('{inner}') || encode(record_id)))), 1, {_SHOWN})"
        )


def load_record_key(home: Path) -> RecordKey:
    """Returns the key from the environment, or from a file made once, readable by its owner.

    Raises:
        ConfigError: The environment's key is not 64 hex digits, or the file is readable by others.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        return RecordKey(_parse(given, KEY_VARIABLE))
    file = home / "record_key"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(32))
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ConfigError(
            "The secret of the record keys can be read by others.",
            where=str(file),
            remedy=f"Run: chmod 600 {file}",
        )
    return RecordKey(_parse(file.read_text().strip(), str(file)))


def _parse(text: str, where: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ConfigError(
            "The secret of the record keys is not 64 hexadecimal digits.",
            where=where,
            remedy="Make one with: openssl rand -hex 32",
        )
    return bytes.fromhex(text)
