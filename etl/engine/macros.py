"""The macros that statements share: how two values are compared, defined once.

Belongs here: finding them in the ``.sql`` files, with what each one calls, read from the syntax. An
engine that has macros is given them as they are written; one that has none puts them into the
statements' trees. Does not belong here: what a macro decides (the ``.sql`` files say it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from etl.engine.statements import DIALECT, packages, sql_files

_HEAD = ("create", "or", "replace", "temp", "macro")


@dataclass(frozen=True)
class Macro:
    """One macro.

    Attributes:
        name: What statements call.
        parameters: The names of its parameters, in order.
        body: What it stands for: an expression.
        calls: The functions that it calls, macros among them.
        package: The package that it lives in.
    """

    name: str
    parameters: tuple[str, ...]
    body: str
    calls: frozenset[str]
    package: str

    @property
    def create(self) -> str:
        """The statement that makes it in an engine that has macros."""
        given = ", ".join(self.parameters)
        return f"create or replace temp macro {self.name}({given}) as\n{self.body}"

    @cached_property
    def tree(self) -> exp.Expr:
        """The body's syntax tree."""
        return sqlglot.parse_one(self.body, dialect=DIALECT)


@cache
def macros() -> tuple[Macro, ...]:
    """Returns the macros of all packages, each after those that it calls.

    Raises:
        ValueError: A name is given twice, or macros call each other in a circle.
    """
    found = {
        macro.name: macro
        for package in packages()
        for _, text in sql_files(package)
        for macro in read_macros(text, package)
    }
    graph = {name: macro.calls & found.keys() for name, macro in found.items()}
    return tuple(found[name] for name in TopologicalSorter(graph).static_order())


def read_macros(text: str, package: str) -> list[Macro]:
    """Reads the macros of a file.

    Args:
        text: Statements ``create or replace temp macro …;``, and comments.
        package: Where the file lives.

    Raises:
        ValueError: It holds another statement.
    """
    found: list[Macro] = []
    statement: list[Token] = []
    for token in sqlglot.tokenize(text, read=DIALECT):
        if token.token_type == TokenType.SEMICOLON:
            found.append(_macro(text, statement, package))
            statement = []
        else:
            statement.append(token)
    if statement:
        raise ValueError(f"{package}: the last macro has no semicolon at its end")
    return found


def _macro(text: str, tokens: list[Token], package: str) -> Macro:
    words = [token.text.lower() for token in tokens]
    if tuple(words[: len(_HEAD)]) != _HEAD:
        raise ValueError(f"{package}: not a macro: {' '.join(words[:8])} …")
    closed = words.index(")")
    name, opened = words[len(_HEAD)], len(_HEAD) + 1
    if words[opened] != "(" or words[closed + 1] != "as":
        raise ValueError(f"{package}: macro {name} is not written as name(parameters) as body")
    parameters = tuple(word for word in words[opened + 1 : closed] if word != ",")
    body = text[tokens[closed + 2].start : tokens[-1].end + 1]
    inside = words[closed + 2 :]
    calls = frozenset(word for word, after in pairwise(inside) if after == "(")
    return Macro(name, parameters, body, calls, package)
