"""The errors a person can do something about, and how they are worded.

Belongs here: one exception per kind of trouble, each with what happened, where, and what to do
next, and the exit code it ends the command with. Does not belong here: programming errors, which
stay ordinary exceptions. No message may carry a name, a number or a birth date of a person.
"""

from __future__ import annotations

from pathlib import Path

from etl.showing import visible


class DoisoatError(Exception):
    """A trouble with a known remedy.

    Attributes:
        what: What happened, one sentence.
        where: The file, setting, table or server it happened at.
        remedy: What to do next, one sentence.
        exit_code: What the command line ends with.
        may_pass: Whether it may pass by itself, so that another try is worth its time.
    """

    exit_code = 2
    may_pass = False

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        """Returns the three parts on one line each, leaving out what is empty.

        They may hold a name of a file or a rule that somebody chose, which obeys nobody here.
        """
        parts = [self.what]
        if self.where:
            parts.append(f"Where: {self.where}")
        if self.remedy:
            parts.append(f"What to do: {self.remedy}")
        return "\n".join(visible(part, None) for part in parts)


class ConfigError(DoisoatError):
    """The configuration is wrong: a file, a setting, a column mapping."""


class ContractError(DoisoatError):
    """A source does not offer what the contract asks for."""


class ConnectionFailedError(DoisoatError):
    """A source or the target could not be reached, or refused."""

    exit_code = 3


class ServerAwayError(ConnectionFailedError):
    """A server that is away, busy or full now, and may not be in a minute."""

    may_pass = True


class WarehouseBusyError(DoisoatError):
    """Another run is at work."""


class WarehouseHeldError(WarehouseBusyError):
    """Another process has the warehouse's file open, a command for a look at it, say."""

    may_pass = True


class DiskFullError(DoisoatError):
    """The disk of the home, or of a file that is to be written, is full."""

    exit_code = 3
    may_pass = True


class DamagedError(DoisoatError):
    """A file of the home cannot be read: a disk's fault, or a copy that broke off.

    Attributes:
        file: Which.
    """

    exit_code = 3

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(
            f"{file.name} is damaged and cannot be read.",
            where=str(file),
            remedy="Run: doisoat sync. It sets the file aside and builds anew what was in it.",
        )


class LedgerError(DoisoatError):
    """Rows were lost or made on the way: an equation of the ledger does not hold."""

    exit_code = 1


class QualityGateError(DoisoatError):
    """A blocking quality check failed: nothing was published."""

    exit_code = 1


class AlertError(DoisoatError):
    """A receiver of alerts could not be reached, or refused the message."""

    exit_code = 3


class PublishError(DoisoatError):
    """The target could not be written; it is as it was before."""

    exit_code = 3
