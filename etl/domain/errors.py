"""The errors that a person can do something about, and how they are worded.

Belongs here: one exception per kind of trouble, each with what happened, where, what to do next,
and the exit code of the command; and the text about each kind from which ``python docs/errors.py``
writes ``docs/errors.md``. Does not belong here: programming errors, which stay
ordinary exceptions. No message may carry a name, a number or a birth date of a person.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from etl.domain.showing import visible


class Told(NamedTuple):
    """A row of the table in ``docs/errors.md``: one kind of trouble.

    Attributes:
        seen: The words of the messages, or a part of them; … stands for what varies.
        means: What they mean.
        do: What to do next.
    """

    seen: tuple[str, ...]
    means: str
    do: str


def installing(extra: str) -> str:
    """Returns what to do where a package of one of doisoat's extras is missing.

    Args:
        extra: The extra's name in pyproject.toml.
    """
    return (
        "Run `make install` in doisoat's clone, which installs all extras; in an environment of "
        f"your own: pip install 'CLONE[{extra}]', with the clone's folder for CLONE."
    )


class DoisoatError(Exception):
    """A trouble with a known remedy.

    Attributes:
        what: What happened, one sentence.
        where: The file, setting, table or server where it happened.
        remedy: What to do next, one sentence.
        exit_code: The exit code of the command line.
        may_pass: Whether the trouble may end by itself, so that trying again makes sense.
        told: What ``docs/errors.md`` says of this kind of trouble.
    """

    exit_code = 2
    may_pass = False
    told: tuple[Told, ...] = (
        Told(
            (
                "Nothing has been reconciled yet",
                "The row is no longer in …",
                "The process that holds Dagster's definitions did not start",
            ),
            "What was asked for is not there, or not there any more.",
            "Do what the message says; mostly that is `doisoat sync`.",
        ),
    )

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        """Returns the three parts, each on its own line, without empty ones.

        They may contain the name of a file or a rule, which may hold anything; so each part is made
        safe for a terminal.
        """
        parts = [self.what]
        if self.where:
            parts.append(f"Where: {self.where}")
        if self.remedy:
            parts.append(f"What to do: {self.remedy}")
        return "\n".join(visible(part, None) for part in parts)


class ConfigError(DoisoatError):
    """The configuration is wrong: a file, a setting, a column mapping."""

    told = (
        Told(
            (
                "There is no readable configuration file",
                "The configuration is not valid TOML",
                "The configuration cannot be used: …",
            ),
            "The file is missing, is not TOML in UTF-8, or a setting has a value that it cannot "
            "have.",
            "Correct the setting that the message names; `doisoat check` tries the whole file.",
        ),
        Told(
            ("The setting '…' uses the environment variable …, which is not set",),
            "A `${NAME}` of the configuration has no value where the command runs.",
            "`export NAME=…`, also for the nightly job and for `doisoat ui`.",
        ),
        Told(
            (
                "has a character in its user or password that may have ended it",
                "where a character of the password would end it",
                "has a character in its password that may have ended it",
            ),
            "In a URL of `[alerts]`, or of Dagster's storage, an `@`, `/`, `:`, `#` or `%41` of a "
            "password is read as something else.",
            "Give user and password beside the URL, unchanged, or write the character as in a "
            "URL: `@` as `%40`.",
        ),
        Told(
            ("home: the path … contains the character …",),
            "The paths of databases cannot have that character.",
            "Name a folder without it as `home`.",
        ),
        Told(
            (
                "The home is open to other users …",
                "The … cannot be written: …",
                "A part of the home cannot be written",
                "It cannot be read or written",
            ),
            "This user may not write where doisoat keeps its files, or the disk is read-only.",
            "Name a folder of this user's own as `home`; after a run by root, give the home back: "
            "`chown -R USER HOME`.",
        ),
        Told(
            (
                "[engine] memory is …",
                "is no size that the engine knows",
                "The engine does not run with …",
                "The engine ran out of the memory that it may take",
            ),
            "The limits do not suit the machine or its container.",
            "Leave `[engine]` out: the engine takes four fifths of the memory and all cores.",
        ),
        Told(
            (
                "[engine] name is spark, and PySpark is not installed",
                "Spark needs Java …, and this machine …",
            ),
            "Spark is chosen, but this machine lacks what its driver needs.",
            f"{installing('spark')} Debian: `apt-get install openjdk-17-jre-headless`.",
        ),
        Told(
            (
                "is no master that Spark knows",
                "is no server of Spark Connect",
                "is no folder of this machine; …",
                "What Spark's workers have written is not to be seen on this machine",
            ),
            "`[engine]` names the cluster in a form that Spark does not know, or a folder for the "
            "tables that this machine and the workers do not share.",
            "[scale.md](scale.md#deploying) says what each setting may be.",
        ),
        Told(
            (
                "The folder is a Delta table: read as Parquet, …",
                "The folder is an Iceberg table: read as Parquet, …",
                "The folder is a Hudi table: read as Parquet, …",
                "The package that reads Delta tables is not installed",
                "The package that reads Iceberg tables is not installed",
                "and only its catalog knows which of them counts",
                "the Iceberg table names files under …, and only files of this machine are read",
                "the Iceberg table names files outside of its folder",
                "the Iceberg table has equality deletes",
                "the package 'deltalake' takes %20 and the like in a path for other letters",
                "The folders of some files of a register name columns (column=value) that …",
                "a folder above it … would be taken for the column …",
                "A link among the files of a register leads to files that are read already",
            ),
            "The files of a register in a lake cannot be read as the URL says, or as one table.",
            "[configuration.md](configuration.md#registers-in-a-lake) says what can be read.",
        ),
        Told(
            (
                "[engine] lake is set, and the tables of this home lie in the home already",
                "The tables of this home lie outside of it, and [engine] lake …",
                "The folder of the lake to which this home leads belongs to the home …",
                "The folder of the lake to which this home leads has no mark …",
                "A part of the home is a link, and …, to which it leads, is not there",
                "The home's folder in the lake …",
            ),
            "The tables of the home are not where `[engine] lake` says, or the folder that it "
            "names belongs to another home, is not mounted, or is open to other users.",
            "Do what the message says; [scale.md](scale.md#the-lake) tells how a home and a lake "
            "belong together.",
        ),
        Told(
            ("Spark ran out of the memory that it may take",),
            "The driver or an executor has too little memory for its part of the work.",
            "Allow more in `[engine.spark]`, or give each executor fewer cores.",
        ),
        Told(
            ("[schedule] … which is no time of a schedule",),
            "Dagster takes five fields: minute, hour, day, month, weekday.",
            'Write, say, `cron = "0 1 * * *"`.',
        ),
        Told(
            (
                "Port … of this machine cannot be used",
                "A UI of this home is open already",
            ),
            "Another program, or another `doisoat ui`, uses the port.",
            "Use the address that it printed, or give another `--port`.",
        ),
        Told(
            ("The … could not be read: …",),
            "The file that you named is not there, is a folder, or this user may not read it.",
            "Check the path and the rights.",
        ),
        Told(
            ("The … could not be written", "file could not be written"),
            "The list, page or folder cannot be written at the place that you named.",
            "Name another place. A file that was there before is unchanged.",
        ),
        Told(
            ("The secret of the record keys …",),
            "`record_key` in the home, or `DOISOAT_KEY`, is damaged, or others can read it.",
            "Put it back from a backup, or `chmod 600` it.",
        ),
        Told(
            (
                "The warehouse was written by a newer version",
                "The warehouse was made by another version of doisoat",
            ),
            "The version changed between two runs.",
            "Use the newer version; or run `doisoat sync`, which builds the tables anew.",
        ),
    )


class ContractError(DoisoatError):
    """A source does not offer what the contract asks for."""

    told = (
        Told(
            (
                "The … register has no table or view …",
                "The … register does not offer: …",
            ),
            "A source does not offer a column that the contract asks for.",
            "Map it under `[insurance.columns]` or `[population.columns]`; the message lists what "
            "there is.",
        ),
        Told(
            (
                "A delta of the … register is to go by the time of change …",
                "The … register has no time of change accurate to the second",
                "The query of … delta] deleted gives … columns",
            ),
            "With this configuration a delta cannot find what has changed.",
            "Map `updated_at` to a column of the type date or time, leave `by` out, or start "
            "deltas at fixed times (`[schedule] delta_cron`). The query of deleted rows must "
            "return a key and a time.",
        ),
        Told(
            ("The files of a register keep … in types of which no one holds all values",),
            "If the files were read as one table, numbers would be rounded or times shifted.",
            "Have all files written with one type; for the numbers of persons that is text.",
        ),
    )


class ConnectionFailedError(DoisoatError):
    """A source or the target could not be reached, or refused the request."""

    exit_code = 3
    told: tuple[Told, ...] = (
        Told(
            ("The SQLite file does not exist",),
            "The path of the URL leads to no file.",
            "Check it; relative paths start at the configuration's folder.",
        ),
        Told(
            (
                "The folder or file of a register does not exist",
                "no Parquet file is there",
                "no Delta table is there",
                "no Iceberg table is there",
                "the version-hint.text of the Iceberg table names a metadata file that is …",
                "a file of it cannot be read",
                "the Delta table cannot be read",
                "the Iceberg table cannot be read",
                "A link among the files of a register leads to what is not there",
            ),
            "The URL of a register in a lake leads to nothing that can be read.",
            "[configuration.md](configuration.md#registers-in-a-lake) says what can be read.",
        ),
        Told(
            ("DuckDB, which reads the files, does not understand an SQL expression",),
            "The mapping or the `query` of a register in a lake is not valid SQL for DuckDB, or "
            "does not fit the values.",
            "Try it in DuckDB by hand.",
        ),
    )


class ServerAwayError(ConnectionFailedError):
    """A server is away, busy or full; another try may succeed a minute later."""

    may_pass = True
    told = (
        Told(
            (
                "… the database reported …",
                "its words are withheld because they may quote personal data",
            ),
            "The server refused with an error that doisoat does not know.",
            "Look in the database server's own log at that time.",
        ),
        Told(
            (
                "Spark's cluster does not answer",
                "Spark did not begin",
                "Spark's cluster has ended, or cannot be reached any more",
            ),
            "The cluster that `[engine]` names cannot be reached, or has nothing free for doisoat.",
            "Start it, or look in its UI at the application `doisoat`; then run again. The target "
            "is unchanged.",
        ),
        Told(
            (
                "somebody changed its files while they were read",
                "Somebody writes the files of a register, or broke off",
            ),
            "Another program was writing the Parquet files of a register.",
            "Run again when it has finished; let it write a new folder each time, or a Delta or "
            "Iceberg table.",
        ),
        Told(
            ("a file of it cannot be read, or is there no longer",),
            "A Delta or Iceberg table was cleaned up while it was read, or has lost a file.",
            "Run again; keep the files of the last versions for as long as a read takes.",
        ),
        Told(
            ("Dagster's storage, which is not in the home, cannot be opened",),
            "`dagster/dagster.yaml` in the home names a storage elsewhere. It cannot be reached, "
            "refuses, or needs a package that is not installed. No file was set aside.",
            "Correct that section, or delete it: then the storage is in the home.",
        ),
    )


class NothingYetError(DoisoatError):
    """No run has produced yet what is asked for."""

    exit_code = 2
    told = (
        Told(
            ("Nothing has been reconciled yet",),
            "No run in this home has yet produced what you asked for.",
            "Run `doisoat sync`; `doisoat runs` lists what was run.",
        ),
    )

    def __init__(self) -> None:
        super().__init__("Nothing has been reconciled yet.", remedy="Run: doisoat sync")


class WarehouseBusyError(DoisoatError):
    """Another run is at work."""

    told = (
        Told(
            ("Another run is at work (…)",),
            "Only one run is possible at a time; the message names the process of the other.",
            "Wait for it, or stop it; `doisoat runs` lists runs.",
        ),
    )


class WarehouseHeldError(WarehouseBusyError):
    """Another process has the warehouse's file open, such as a command that reads it."""

    may_pass = True
    told = (
        Told(
            ("Another process has the warehouse open",),
            "A command, or a program of yours, reads the file.",
            "Close it and run again.",
        ),
    )


class DiskFullError(DoisoatError):
    """The disk of the home, or of a file that is to be written, is full."""

    exit_code = 3
    may_pass = True
    told = (
        Told(
            ("The disk is full", "The disk is full, or reports an error"),
            "The disk of the home, or of the file that you asked for, has no space left. The "
            "target is unchanged.",
            "Free some space there and run again; nothing has to be cleaned up.",
        ),
        Told(
            ("The next run takes about … of the disk", "… citizens take about … more on this disk"),
            "The disk has less free space than the last run took, or than was measured for so many "
            "citizens.",
            "Free some space, keep fewer results (`[engine] keep_snapshots`), or name a home on a "
            "larger disk.",
        ),
    )


class DamagedError(DoisoatError):
    """A file of the home is damaged, by a fault of the disk or a copy that broke off.

    Attributes:
        file: The damaged file.
    """

    exit_code = 3
    told = (
        Told(
            ("… is damaged and cannot be read",),
            "A disk's fault, or a copy that broke off.",
            "`doisoat sync` sets the file aside and builds anew what was in it.",
        ),
    )

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(
            f"{file.name} is damaged and cannot be read.",
            where=str(file),
            remedy="Run: doisoat sync. It sets the file aside and builds anew what was in it.",
        )


class LedgerError(DoisoatError):
    """An equation of the ledger does not hold: rows were lost, or appeared, on the way."""

    exit_code = 1
    told = (
        Told(
            (
                "The … register counts … rows but … arrived",
                "The target would hold … rows of … where … were reconciled",
            ),
            "Rows were lost or added on the way: a connection broke off, or somebody else changed "
            "the target. Nothing was published.",
            "Run again; if it happens again, report it with its numbers.",
        ),
    )


class QualityGateError(DoisoatError):
    """A blocking quality check failed: nothing was published."""

    exit_code = 1
    told = (
        Told(
            ("A blocking quality check failed, so nothing was published",),
            "A register, or its mapping, is not as the check demands; the target is unchanged.",
            "`doisoat triage` lists what fails, and what to do; then `doisoat sync`.",
        ),
        Told(
            (
                "Blocking quality checks have not passed on the tables that would be published",
                "The ledger has not been balanced on the tables that would be published",
                "The tables do not belong together",
                "Another installation of doisoat publishes to this target",
                "… published records would vanish",
                "… records would be new",
                "… records would be left of the … that the last full run published",
            ),
            "The publish checked the tables and the target itself, and refused because it could "
            "do harm.",
            "Run a whole `doisoat sync`. If the change is right, run once: `doisoat sync "
            "--replace-target`.",
        ),
    )


class AlertError(DoisoatError):
    """A receiver of alerts could not be reached, or refused the message."""

    exit_code = 3
    told = (
        Told(
            ("… of [alerts] urls did not accept the message",),
            "The run is not affected; the message waits and is sent with the next one.",
            "`doisoat alerts --test` tries each receiver.",
        ),
    )


class PublishError(DoisoatError):
    """The target could not be written, and is unchanged."""

    exit_code = 3
    told = (
        Told(
            (
                "The target refused a row",
                "The target's table … has no column …",
            ),
            "The target refused the rows, and is unchanged.",
            "Do what the message says; `doisoat check` tries the target's rights.",
        ),
    )
