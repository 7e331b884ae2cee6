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
            "Do what the message says, mostly: `doisoat sync`.",
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
            "The file is missing, is no TOML in UTF-8, or a setting cannot be what it says.",
            "Mend the setting that is named; `doisoat check` tries the whole file.",
        ),
        Told(
            ("The setting '…' uses the environment variable …, which is not set",),
            "A `${NAME}` of the configuration has no value where the command runs.",
            "`export NAME=…`, also for the nightly job and for `doisoat ui`.",
        ),
        Told(
            (
                "has a character in its user or password that may have ended it",
                "and a character of it would end it there",
                "has a character in its password that may have ended it",
            ),
            "In a URL of `[alerts]`, or of Dagster's storage, an `@`, `/`, `:`, `#` or `%41` of a "
            "password is read as something else.",
            "Give user and password beside the URL, as they are, or write the character as `%40`.",
        ),
        Told(
            ("home: its path, …, has the sign …",),
            "Databases cannot be named with that sign in a path.",
            "Name another folder as `home`.",
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
            "Spark is chosen, and this machine has not what its driver needs.",
            "`pip install 'doisoat[spark]'`; Debian: `apt-get install openjdk-17-jre-headless`.",
        ),
        Told(
            (
                "is no master that Spark knows",
                "is no server of Spark Connect",
                "is no folder of this machine; …",
                "What Spark's workers have written is not to be seen on this machine",
            ),
            "`[engine]` names a cluster as Spark does not, or a place for the tables that this "
            "machine and the workers do not have in common.",
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
            "[configuration.md](configuration.md#registers-in-a-lake) says what may stand there.",
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
            "The tables of the home lie elsewhere than `[engine] lake` says, or what it names is "
            "another home's, not mounted, or open to other users.",
            "Do what the message says; [scale.md](scale.md#the-lake) tells how a home and a lake "
            "belong together.",
        ),
        Told(
            ("Spark ran out of the memory that it may take",),
            "The driver or an executor has too little for what it was given.",
            "Allow more in `[engine.spark]`, or fewer cores an executor.",
        ),
        Told(
            ("[schedule] … which is no time of a schedule",),
            "Dagster takes five fields: minute, hour, day, month, weekday.",
            'Write, say, `cron = "0 1 * * *"`.',
        ),
        Told(
            (
                "Port … of this machine cannot be had",
                "A UI of this home is open already",
            ),
            "Another program, or another `doisoat ui`, has it.",
            "Use the address that it printed, or give another `--port`.",
        ),
        Told(
            ("The … could not be written", "file could not be written"),
            "A list, page or folder that was asked for cannot be where it was named.",
            "Name another place. What stood there before still stands there.",
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
                "The … register keeps no time of change to the second",
                "The query of … delta] deleted gives … columns",
            ),
            "A delta cannot find what has changed as the configuration has it.",
            "Map `updated_at` to a column of the type date or time, leave `by` out, or begin "
            "deltas by the clock (`[schedule] delta_cron`). The query of deleted rows gives a key "
            "and a time.",
        ),
        Told(
            ("The files of a register keep … in types of which no one holds all values",),
            "Read as one table, the files would have their numbers rounded or their times moved.",
            "Have all files written with one type; of numbers of persons it is text.",
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
            "[configuration.md](configuration.md#registers-in-a-lake) says what may stand there.",
        ),
        Told(
            ("DuckDB, which reads the files, does not understand an SQL expression",),
            "The mapping or the `query` of a register in a lake is no SQL of DuckDB, or does not "
            "fit the values.",
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
            "The server refused in a way of its own.",
            "Look in the database server's own log at that time.",
        ),
        Told(
            (
                "Spark's cluster does not answer",
                "Spark did not begin",
                "Spark's cluster has ended, or cannot be reached any more",
            ),
            "The cluster that `[engine]` names is away, or gives this application nothing.",
            "Start it, or look at what it says of the application `doisoat`; then run again. The "
            "target is as it was.",
        ),
        Told(
            (
                "somebody changed its files while they were read",
                "Somebody writes the files of a register, or broke off",
            ),
            "A writer was at work on a register that lies in Parquet files.",
            "Run again when it is done; let it make a new folder each time, or a table of Delta or "
            "Iceberg.",
        ),
        Told(
            ("a file of it cannot be read, or is there no longer",),
            "A Delta or Iceberg table was cleaned up while it was read, or has lost a file.",
            "Run again; keep the files of the last versions for as long as a read takes.",
        ),
        Told(
            ("Dagster's storage, which is not in the home, cannot be opened",),
            "`dagster/dagster.yaml` in the home names a storage elsewhere, and it is away or "
            "refuses, or its package is not installed. Nothing was set aside.",
            "Mend that section, or delete it: the storage is then in the home.",
        ),
    )


class NothingYetError(DoisoatError):
    """No run has produced yet what is asked for."""

    exit_code = 2
    told = (
        Told(
            ("Nothing has been reconciled yet",),
            "No run in this home has come as far as what is asked for.",
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
            "One run at a time; the message names its process.",
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
            "The disk of the home, or of a file that was asked for. The target is as it was.",
            "Free some space there and run again; nothing has to be cleaned up.",
        ),
        Told(
            ("The next run takes about … of the disk", "… citizens take about … more on this disk"),
            "As much as the last run took, or a measurement before, is not free there.",
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
            "Rows were lost or came in on the way: a connection that broke off, or another hand in "
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
            "A register, or its mapping, is not what it was; the target is as it was.",
            "`doisoat triage` lists what fails, and what to do; then `doisoat sync`.",
        ),
        Told(
            (
                "Blocking quality checks have not passed on the tables that would be published",
                "The ledger has not been balanced on the tables that would be published",
                "The tables are not of one state",
                "Another installation of doisoat publishes to this target",
                "… published records would vanish",
                "… records would be new",
            ),
            "The publish asked for itself and found that this would do harm.",
            "Run `doisoat sync` whole; if you mean it: `doisoat sync --replace-target`, once.",
        ),
    )


class AlertError(DoisoatError):
    """A receiver of alerts could not be reached, or refused the message."""

    exit_code = 3
    told = (
        Told(
            ("… of [alerts] urls did not take the message",),
            "The run ended as it did; the message waits and is sent with the next one.",
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
            "The target refused, and is as it was before.",
            "Do what the message says; `doisoat check` tries the target's rights.",
        ),
    )
