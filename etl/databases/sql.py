"""SQL that a person wrote, made fit to stand inside other SQL.

Belongs here: removing what stands at its end. Does not belong here: what the SQL means.
"""

from __future__ import annotations

import re

from etl.domain.errors import ConfigError

_PIECES = r"""
    (?<!\w)[eE]'(?:[^'\\]|''|\\.)*'      # PostgreSQL's text in which a backslash hides a quote
    | '(?:[^'{escape}]|''|{escaped})*'      # text
    | "(?:[^"]|"")*"                      # a name
    | `[^`]*`
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$     # text between dollars
    | (?P<idle>--{comment}[^\n]*|/\*.*?\*/{hash}|\s+)
    | (?P<end>;)
    | .
"""
_USUAL = _PIECES.format(escape="", escaped="(?!)", comment="", hash="")
# To MySQL a comment needs a space after its dashes, 5--1 is 6; and a backslash hides a quote.
_MYSQL = _PIECES.format(escape=r"\\", escaped=r"\\.", comment=r"(?=\s|$)", hash=r"|\#[^\n]*")
_PIECE = {
    name: re.compile(pieces, re.VERBOSE | re.DOTALL)
    for name, pieces in (("usual", _USUAL), ("mysql", _MYSQL))
}


def bare_sql(written: str, product: str, setting: str) -> str:
    """Takes away what may stand at the end of a statement, but not inside another one.

    Args:
        written: A SELECT or an expression.
        product: SQLAlchemy's name of the database product.
        setting: Where it is written, for the message.

    Returns:
        The same without semicolon, comment and space at its end.

    Raises:
        ConfigError: Something follows a semicolon.
    """
    piece = _PIECE["mysql" if product in ("mysql", "mariadb") else "usual"]
    end, ended = 0, False
    for found in piece.finditer(written):
        if found["end"]:
            ended = True
        elif not found["idle"]:
            if ended:
                raise ConfigError(
                    f"The SQL of '{setting}' holds several statements.",
                    remedy="Write one SELECT, or one expression; what comes before it belongs into "
                    "a view of the database.",
                )
            end = found.end()
    return written[:end].lstrip()
