"""The one typed settings object: ``doisoat.toml`` plus the environment.

Belongs here: what a person may set, its default, and the checks of its value. Does not belong here:
using the settings. Secrets come from the environment: any value may contain ``${NAME}``, which is
replaced when the file is read. Database URLs are never printed whole.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from etl.domain.codes import VOCABULARIES
from etl.domain.contract import REGISTERS
from etl.domain.errors import ConfigError
from etl.process.files import read_toml
from etl.settings.sizes import LEAST_MEMORY, MOST_THREADS, bytes_of

CONFIG_VARIABLE = "DOISOAT_CONFIG"
"""The environment variable that names the configuration file (the CLI's ``--config`` sets it)."""

DEFAULT_CONFIG = "doisoat.toml"


class _Strict(BaseModel):
    """A settings section: unknown keys are errors, because a typo must not pass as a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


IN_A_URL = "in a URL, @ is %40, / is %2F, : is %3A, # is %23, % is %25"
"""How to write, in a URL, the characters that would otherwise end a password."""


class Database(_Strict):
    """A database that SQLAlchemy reaches.

    Attributes:
        url: Its SQLAlchemy URL.
        user: The user name, not percent-encoded; it replaces one in the URL.
        password: The password, not percent-encoded; it replaces one in the URL.
    """

    url: SecretStr
    user: str | None = None
    password: SecretStr | None = None

    @property
    def parsed(self) -> URL:
        """The URL, parsed, with the user and the password."""
        url = _parsed(self.url.get_secret_value())
        if self.user is not None:
            url = url.set(username=self.user)
        if self.password is not None:
            url = url.set(password=self.password.get_secret_value())
        return url

    @property
    def shown(self) -> str:
        """The URL without user, password and query, for people and logs."""
        url = self.parsed
        named = url.query.get("host", ())
        host = url.host or (named if isinstance(named, str) else ",".join(named))
        where = f"{host}{f':{url.port}' if url.port else ''}"
        return f"{url.get_backend_name()}://{where}/{url.database or ''}"

    @model_validator(mode="after")
    def _url_parses(self) -> Database:
        try:
            refuse_raw(self.url.get_secret_value())
            url = self.parsed
        except (ArgumentError, ValueError):
            raise ValueError(
                "is not a database URL; write it as dialect://user:password@host:port/database, "
                "or leave user and password out of it and give them as the settings 'user' and "
                "'password' beside 'url', where no character needs to be written otherwise "
                f"({IN_A_URL})"
            ) from None
        if self.password is not None and not url.username:
            raise ValueError("has a 'password' and no 'user'")
        return self


LAKE = ("parquet", "delta", "iceberg")
"""Kinds of registers that are files in a data lake."""

_FILES = ("sqlite", *LAKE)
_URL = re.compile(r"(?P<product>[\w+]+)://(?P<user>[^:/]*(?::[^@]*)?@)?(?P<rest>.*)", re.DOTALL)
_RAW_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NEEDLESS_PERCENT = re.compile(r"%(4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9Aa]|3[0-9])")
_SEVERAL = re.compile(r"(?P<hosts>[^/?,]+(?:,[^/?,]+)+)(?P<rest>[/?].*|)", re.DOTALL)


def refuse_raw(url: str) -> None:
    """Refuses a URL in which a special character of the password may have ended the password.

    Raises:
        ValueError: The parts of the URL may not be those that its writer meant, or it is no URL.
    """
    found = _URL.fullmatch(url)
    if not found:
        raise ValueError
    if found["product"].startswith(_FILES):
        return
    user, rest = found["user"] or "", found["rest"]
    address = rest.partition("?")[0]
    if "@" in rest or "#" in address or any(letter.isspace() for letter in address.split("/")[0]):
        raise ValueError
    # Nobody encodes a letter as %41, so this is probably a part of the raw password.
    if _RAW_PERCENT.search(user) or _NEEDLESS_PERCENT.search(user):
        raise ValueError


def _parsed(url: str) -> URL:
    """Parses a URL; unlike SQLAlchemy, it takes several hosts and a socket's path, as libpq does.

    Raises:
        ArgumentError: It is no URL.
        ValueError: Its port is no number.
    """
    found = _URL.fullmatch(url)
    if found and found["product"].startswith("postgresql"):
        several = _SEVERAL.fullmatch(found["rest"])
        if several:
            plain = make_url(f"{found['product']}://{found['user'] or ''}{several['rest']}")
            hosts = [unquote(host) for host in several["hosts"].split(",")]
            return plain.update_query_dict({"host": hosts})
    parsed = make_url(url)
    return parsed.set(host=unquote(parsed.host)) if parsed.host and "%" in parsed.host else parsed


class Delta(_Strict):
    """How a delta finds what has changed in a register since it was last read.

    Attributes:
        by: ``change_time``: reads the rows whose ``updated_at`` is new. ``row_hash``: reads all
            rows and compares them with those of the last run. ``auto``: by the time of change if
            the register keeps it as a date or a time, else by the hash.
        overlap_minutes: The changes of so many minutes before the last read are read again, because
            a change that was begun earlier may have been committed later. (Needed with ``deleted``
            only: comparing all keys finds such a change anyway.)
        deleted: A SELECT of two columns: the key of each deleted row, and when it was deleted.
            Without it, all keys of the register are compared; in a lake they always are.
    """

    by: Literal["auto", "change_time", "row_hash"] = "auto"
    overlap_minutes: Annotated[float, Field(ge=0)] = 60
    deleted: str | None = None


class Source(Database):
    """One register: where it is, and from which of its columns the contract's are taken.

    Attributes:
        table: Table or view, ``schema.table`` where needed. Either this or ``query``. Not for a
            register in a lake, whose table is the files.
        query: A SELECT, for registers whose contract needs a join. In a lake it selects from
            ``register``, which stands for the files.
        columns: Contract column -> column or SQL expression of the source. A contract column
            that is not named here is taken from a source column of the same name.
        values: Contract column -> spelling of the register -> what it means, for spellings that
            doisoat does not know or would misread (``status``: D is ``deceased``). Case and
            surrounding spaces are ignored.
        delta: How a delta finds what has changed.
    """

    table: str | None = None
    query: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    delta: Delta = Delta()

    @property
    def in_lake(self) -> bool:
        """Whether the register consists of files in a lake, and is not a database."""
        return self.parsed.get_backend_name() in LAKE

    @property
    def asked(self) -> str:
        """The name of what the rows are read from, for messages."""
        return self.table or ("query" if self.query else self.shown)

    @model_validator(mode="after")
    def _table_or_query(self) -> Source:
        if self.in_lake:
            if self.table is not None:
                raise ValueError("must not have 'table': the files that 'url' names are the table")
            self._refuse_no_path()
            return self
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either 'table' or 'query', and not both")
        return self

    def _refuse_no_path(self) -> None:
        url, kind = self.parsed, self.parsed.get_backend_name()
        if url.drivername != kind or url.host or url.username or "?" in self.url.get_secret_value():
            raise ValueError(
                f"'url' must be nothing more than a path; write it as {kind}:////folder, with four "
                f"slashes, or {kind}:///folder for one beside the configuration, and ? as %3F"
            )
        if not url.database:
            raise ValueError(f"'url' names no files; write it as {kind}:////folder")


class Target(Database):
    """Where the result is published.

    Attributes:
        schema_name: The schema, where the database has schemas.
        compare_whole_days: Once in so many days a run reads all published rows and compares them
            with what they should hold; the other runs compare the slices that are due. 0: every run
            compares all.
    """

    schema_name: str = Field(default="doisoat", alias="schema", pattern=r"^[a-z_][a-z0-9_]*$")
    compare_whole_days: Annotated[int, Field(ge=0, le=366)] = 7


class Reconcile(_Strict):
    """How much evidence a link needs.

    Attributes:
        chance_agreement_limit: A link without a number is made only if fewer strangers than this
            are expected to agree by chance (name share x births that day x sex).
        review_candidates: How many candidates a steward is shown for one record.
        wrong_links_per_million: The probabilistic step makes a link only if fewer than this many of
            a million such links are expected to be wrong.
        review_probability: The probabilistic step sends a record to a person if its best citizen is
            at least this probable.
        unregistered_share: The expected share of insured people for whom the population register
            has no entry that resembles their record; it lowers the probability of every candidate.
        block_limit: A blocking key (a value by which records and citizens are brought together for
            comparison) that more citizens share than this is not used; all keys of one record
            bring at most this many citizens; a former number that more citizens list than this
            leads to nobody.
        street_addresses: Whether addresses name street and house. If so, any two words of an
            address are a blocking key, too, and misspelt addresses are compared letter by letter.
        relatives: Whether people in the registers may share name, birth date or address because
            they are kin. If so, as in any whole population, the probabilistic step links only at
            levels that ``agreement_rules.csv`` accepts; if not, its evidence alone decides.
    """

    chance_agreement_limit: Annotated[float, Field(gt=0, le=1)] = 0.001
    review_candidates: Annotated[int, Field(ge=1, le=100)] = 10
    wrong_links_per_million: Annotated[float, Field(gt=0, lt=1_000_000)] = 20
    review_probability: Annotated[float, Field(gt=0, lt=1)] = 0.05
    unregistered_share: Annotated[float, Field(gt=0, lt=1)] = 0.01
    block_limit: Annotated[int, Field(ge=1)] = 100
    street_addresses: bool = False
    relatives: bool = True


class Schedule(_Strict):
    """When the sync runs by itself. Off until somebody switches it on.

    Attributes:
        enabled: Whether the schedules start switched on.
        cron: Five-field cron expression of the full run.
        delta_cron: Cron expression of the delta runs in between; empty: there are none.
        watch_minutes: How often, in minutes, the registers are asked whether anything has changed;
            if so, a delta begins. 0: never.
        timezone: IANA name of the time zone of ``cron``, and of every time that people are shown.
        keep_days: How long Dagster keeps a run: its log, and its place in the history of checks.
    """

    enabled: bool = False
    cron: str = "0 1 * * *"
    delta_cron: str = ""
    watch_minutes: Annotated[int, Field(ge=0)] = 0
    timezone: str = "Asia/Ho_Chi_Minh"
    keep_days: Annotated[int, Field(ge=1)] = 90

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                "is no time zone; write its IANA name, such as Asia/Ho_Chi_Minh or UTC"
            ) from None
        return timezone

    def local(self, moment: datetime) -> datetime:
        """Returns a moment in this time zone; without a zone it is UTC, as in the warehouse."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(ZoneInfo(self.timezone))

    def shown(self, moment: datetime) -> str:
        """Writes a moment in this time zone: 2026-11-22 18:40 +07."""
        return f"{self.local(moment):%Y-%m-%d %H:%M %Z}"


class Receiver(_Strict):
    """A receiver of alerts whose user and password are given beside its URL.

    Attributes:
        url: Its Apprise URL, without user and password.
        user: The user name, not percent-encoded; empty if the service asks for a password only.
        password: The password, not percent-encoded.
    """

    url: SecretStr
    user: str = ""
    password: SecretStr

    @property
    def whole(self) -> SecretStr:
        """The URL with user and password in it."""
        scheme, _, rest = self.url.get_secret_value().partition("://")
        user = f"{quote(self.user, safe='')}:" if self.user else ""
        password = quote(self.password.get_secret_value(), safe="")
        return SecretStr(f"{scheme}://{user}{password}@{rest}")


def _ended_early(url: str) -> bool:
    """Says whether a special character of a receiver's password may have ended the password."""
    try:
        split = urlsplit(url)
    except ValueError:
        return True
    user, at, _ = split.netloc.rpartition("@")
    if "@" in user or user.count(":") > 1 or _NEEDLESS_PERCENT.search(user):
        return True
    # From a "/", "?" or "#" on, a password is parsed as path, query or fragment: user:p/ss@host.
    path, _, query = url.partition(split.netloc)[2].partition("?")
    stray = re.search(r"[^/]@", path) or "@" in query.partition("=")[0]
    return bool(re.search(r"[^#]@", split.fragment)) or bool(
        stray and not at and ":" in split.netloc
    )


_BESIDE = (
    'give its user and password beside it, { url = "mailtos://host?to=…", user = "…", password = '
    f'"…" }}, where no character needs to be written otherwise ({IN_A_URL})'
)


class Alerts(_Strict):
    """Who is told when a run fails or quality gets worse; by default nobody.

    Attributes:
        urls: Receivers, as Apprise URLs: mail, Slack, Teams, a webhook, and many others; or
            tables with ``url``, ``user`` and ``password``.
        ui_url: Where people open the Dagster UI; the links of messages begin with it.
    """

    urls: tuple[SecretStr, ...] = ()
    ui_url: str = Field(default="http://127.0.0.1:3000", pattern=r"^https?://\S+$")

    @property
    def receivers(self) -> tuple[str, ...]:
        """The URLs with their secrets, for sending only."""
        return tuple(url.get_secret_value() for url in self.urls)

    @field_validator("urls", mode="before")
    @classmethod
    def _user_beside(cls, urls: Any) -> Any:
        if not isinstance(urls, (list, tuple)):
            return urls
        made = []
        for number, url in enumerate(urls, start=1):
            if isinstance(url, dict):
                try:
                    made.append(Receiver(**url).whole)
                except ValidationError as error:
                    raise ValueError(f"number {number}: {_explain(error)}") from None
            else:
                made.append(url)
        return tuple(made)

    @field_validator("urls")
    @classmethod
    def _urls_are_known(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not urls:
            return urls
        from etl.settings.receivers import is_known  # loads Apprise, which takes a moment

        for number, url in enumerate(urls, start=1):
            if _ended_early(url.get_secret_value()):
                raise ValueError(
                    f"number {number} has a character in its user or password that may have ended "
                    f"it, or is read as another; {_BESIDE}"
                )
            if not is_known(url.get_secret_value()):
                raise ValueError(
                    f"number {number} is not a URL that Apprise can send to; write it as "
                    "mailtos://user:password@host?to=…, jsons://host/path or as "
                    f"https://appriseit.com/services tells for your service, and {_BESIDE}"
                )
        return urls


class Quality(_Strict):
    """Changes to the thresholds of the quality rules, and the address at which results are read.

    Attributes:
        thresholds: A file in the form of ``expectations/thresholds.toml`` with the entries that
            differ; ``expectations/thresholds.py`` checks it.
        pages_url: Where people open the Data Docs; the checks' links begin with it.
    """

    thresholds: Path | None = None
    pages_url: str = Field(default="http://127.0.0.1:3001", pattern=r"^https?://\S+$")

    def page(self, table: str, run_id: str) -> str:
        """The address of a table's Data Docs; it names the run, to notice a page of a later one."""
        return f"{self.pages_url.rstrip('/')}/{table}.html?{urlencode({'run': run_id})}"

    def charts_page(self) -> str:
        """The address of the charts of the last published run, served with the Data Docs."""
        return f"{self.pages_url.rstrip('/')}/charts/run.html"

    @field_validator("pages_url")
    @classmethod
    def _port_exists(cls, url: str) -> str:
        try:
            _ = urlsplit(url).port
        except ValueError:  # whose words would quote what stands there
            raise ValueError("has a port that cannot be: it is a number up to 65535") from None
        return url

    @property
    def local_pages_port(self) -> int | None:
        """The port where ``doisoat ui`` serves the Data Docs; None where others serve them."""
        url = urlsplit(self.pages_url)
        ours = url.scheme == "http" and url.hostname in ("127.0.0.1", "localhost")
        return (url.port or 80) if ours and url.path in ("", "/") else None


def _long_enough(secret: SecretStr) -> SecretStr:
    if 0 < len(secret.get_secret_value()) < _SHORTEST_SECRET:
        raise ValueError(
            f"must have {_SHORTEST_SECRET} characters at least; make one with: openssl rand -hex 32"
        )
    return secret


class Ui(_Strict):
    """Access to the Dagster UI and the Data Docs through a proxy, without the token.

    Attributes:
        hosts: Host names under which a proxy serves them, as browsers send them: with the port, if
            there is one.
        proxy_secret: The secret that a proxy sends in ``X-Doisoat-Proxy``, after it has
            authenticated the user.
    """

    hosts: tuple[str, ...] = ()
    proxy_secret: SecretStr = SecretStr("")

    _secret_is_long = field_validator("proxy_secret")(_long_enough)


_SHORTEST_SECRET = 32


class Console(_Strict):
    """The stewards' workbench: the names under which it is served, and how users are authenticated.

    Attributes:
        hosts: Host names under which a proxy serves it, as browsers send them.
        proxy_secret: The secret that a proxy sends in ``X-Doisoat-Proxy``, after it has
            authenticated the user; it sends the user's name in ``X-Doisoat-User``. Without this
            setting people log in to the workbench itself.
        users: The file of the users; by default ``console_users.json`` in the home.
        idle_minutes: After so many minutes without a request somebody must log in again.
        session_hours: After so many hours somebody must log in again in any case.
    """

    hosts: tuple[str, ...] = ()
    proxy_secret: SecretStr = SecretStr("")
    users: Path | None = None
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    session_hours: Annotated[int, Field(ge=1, le=24)] = 10

    _secret_is_long = field_validator("proxy_secret")(_long_enough)


_LEAST = f"{LEAST_MEMORY // 1000**2}MB"


_LOCAL = re.compile(r"local(\[(\*|[1-9]\d*)(,\s*\d+)?\])?")
_CONNECT = re.compile(r"(sc://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?)(?:/.*)?")
"""A server of Spark Connect, as scheme, host and port, and the path, which may hold a token."""


class Engine(_Strict):
    """What runs the statements, and its limits.

    Attributes:
        name: ``duckdb``, which runs on this machine, or ``spark``, which builds the large tables.
        memory: DuckDB's memory limit, such as ``8GB``; work that needs more spills to disk.
        threads: Worker threads of DuckDB; 0 means all cores.
        keep_snapshots: How many runs' results are kept whole for readers.
        master: Spark's cluster: ``local[*]``, ``spark://host:port``, ``k8s://…`` or ``yarn``.
        remote: A server of Spark Connect, ``sc://host:port``, in place of a master; it may hold a
            token, ``sc://host:port/;token=…``.
        lake: A folder that this machine and every worker of Spark see under the same path, for the
            Parquet files of the tables; by default a folder of the home.
        spark: Further settings of Spark, without the prefix ``spark.``.
    """

    name: Literal["duckdb", "spark"] = "duckdb"
    memory: str = ""
    threads: Annotated[int, Field(ge=0, le=MOST_THREADS)] = 0
    keep_snapshots: Annotated[int, Field(ge=1, le=100)] = 2
    master: str = "local[*]"
    remote: SecretStr = SecretStr("")
    lake: str = ""
    spark: dict[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def spark_settings(self) -> dict[str, str]:
        """The settings under Spark's own names; names in nested tables are joined by dots."""
        return dict(_flat("spark", self.spark))

    @field_validator("master")
    @classmethod
    def _is_a_master(cls, master: str) -> str:
        if _LOCAL.fullmatch(master) or master == "yarn":
            return master
        if master.startswith(("spark://", "k8s://")):
            return master
        raise ValueError(
            "is no master that Spark knows; write local[*], spark://HOST:PORT, k8s://https://HOST "
            "or yarn; a server of Spark Connect is named by remote"
        )

    @property
    def shown_remote(self) -> str:
        """The server of Spark Connect without what may be secret: scheme, host and port."""
        found = _CONNECT.fullmatch(self.remote.get_secret_value())
        return found[1] if found else ""

    @field_validator("remote")
    @classmethod
    def _is_a_remote(cls, remote: SecretStr) -> SecretStr:
        found = _CONNECT.fullmatch(remote.get_secret_value())
        if remote and (found is None or int(found[2] or 0) > 65535):
            raise ValueError(
                "is no server of Spark Connect; write it as sc://HOST:PORT, and what else it needs "
                "behind a slash: sc://HOST:PORT/;token=..."
            )
        return remote

    @field_validator("lake")
    @classmethod
    def _can_be_read_here(cls, lake: str) -> str:
        path = lake.removeprefix("file://").removeprefix("file:")
        if lake and (":" in path or not path.startswith("/")):
            raise ValueError(
                "is no folder of this machine; the checks and the publish read the tables from "
                "here, so that s3a:// and hdfs:// must be mounted: write the path that this "
                "machine and all workers have in common, such as /mnt/lake/doisoat"
            )
        return path

    @field_validator("memory")
    @classmethod
    def _memory_can_be_had(cls, memory: str) -> str:
        if not memory:
            return memory
        size = bytes_of(memory)
        if size is None:
            raise ValueError(
                'is no size that the engine knows; write it as "8GB" or "512MB". A share such as '
                "80% cannot be given: leave the setting out, and the engine takes four fifths of "
                "what there is"
            )
        if size < LEAST_MEMORY:
            raise ValueError(f"is too little: no run gets by with less than {_LEAST}")
        return memory.strip()


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


_LEAST_DAYS = 30


class State(_Strict):
    """Where the state is kept, which must survive from run to run.

    Attributes:
        url: Its database; by default that of the target.
        user: The user name for that database, not percent-encoded.
        password: The password for that database, not percent-encoded.
        schema_name: The schema, where the database has schemas.
        keep_days: For how many days the history of runs is kept, here and in the target: counts,
            results of rules, links and failures that have ended. 0: for ever. Most deltas are
            forgotten after a week whatever this says (``etl/state/retention.py``); decisions,
            models and the access log are always kept.
    """

    url: SecretStr | None = None
    user: str | None = None
    password: SecretStr | None = None
    schema_name: str = Field(default="doisoat_state", alias="schema", pattern=r"^[a-z_][a-z0-9_]*$")
    keep_days: Annotated[int, Field(ge=0)] = 0

    @property
    def database(self) -> Database | None:
        """The state's own database; None if the state is kept in the target's."""
        if self.url is None:
            return None
        return Database(url=self.url, user=self.user, password=self.password)

    @field_validator("keep_days")
    @classmethod
    def _trends_can_be_told(cls, days: int) -> int:
        if 0 < days < _LEAST_DAYS:
            raise ValueError(
                f"must be {_LEAST_DAYS} at least, because rules compare a run with those of the "
                "last weeks; 0 keeps everything"
            )
        return days

    @model_validator(mode="after")
    def _url_parses(self) -> State:
        if self.url is None and (self.user or self.password):
            raise ValueError("has a 'user' or a 'password' and no 'url'")
        try:
            _ = self.database
        except ValidationError as error:
            (found,) = error.errors(include_input=False, include_url=False)
            raise ValueError(str(found["msg"]).removeprefix("Value error, ")) from None
        return self


class DueDays(_Strict):
    """How many days each addressee of a worklist has to answer.

    Attributes:
        insurance: The insurance office.
        police: The police of the commune of residence.
        citizen: The participant.
    """

    insurance: Annotated[int, Field(ge=1, le=3650)] = 20
    police: Annotated[int, Field(ge=1, le=3650)] = 20
    citizen: Annotated[int, Field(ge=1, le=3650)] = 20


class Worklists(_Strict):
    """The worklists that offices are sent: records to settle and data to correct.

    Attributes:
        templates: A folder of changed templates; a file replaces the one of the same name in
            ``etl/stewards/worklists/templates``.
        contact: Whom an office can ask, printed on the cover sheet.
        due_days: How many days each addressee has; employers had twenty in the campaign of 2022.
    """

    templates: Path | None = None
    contact: str = ""
    due_days: DueDays = DueDays()


class Settings(_Strict):
    """Everything a person may set.

    Attributes:
        home: The folder of the warehouse, the Dagster history and the secret of the record keys.
        insurance: The insurance register.
        population: The population register.
        target: Where the result goes.
        state: Where the state is kept, which must survive from run to run: by default in the
            target's database.
    """

    home: Path = Path(".doisoat")
    insurance: Source
    population: Source
    target: Target
    state: State = State()
    reconcile: Reconcile = Reconcile()
    schedule: Schedule = Schedule()
    engine: Engine = Engine()
    alerts: Alerts = Alerts()
    quality: Quality = Quality()
    ui: Ui = Ui()
    console: Console = Console()
    worklists: Worklists = Worklists()
    file: Path = Field(default=Path(DEFAULT_CONFIG), exclude=True)

    @model_validator(mode="after")
    def _home_can_be_named(self) -> Settings:
        # With a "?" in the path, the engine writes its log elsewhere. Dagster's databases read
        # "%41" as "A". Dagster finds its configuration by a pattern, so with a "[" it would miss
        # the file that switches telemetry off.
        if found := _UNNAMEABLE.search(str(self.home)):
            raise ValueError(
                f"home: the path {self.home} contains the character {found.group()!r}, which "
                "the paths of databases cannot have; name a folder without it as home"
            )
        return self

    @model_validator(mode="after")
    def _words_are_known(self) -> Settings:
        for register, contract in REGISTERS.items():
            columns = {column.name: column.vocabulary for column in contract if column.vocabulary}
            for name, words in getattr(self, register).values.items():
                if name not in columns:
                    raise ValueError(
                        f"{register}.values.{name}: has no words to map; there are "
                        f"{', '.join(columns)}"
                    )
                _refuse_other_words(f"{register}.values.{name}", words, columns[name])
        return self

    @property
    def state_database(self) -> Database:
        """The database of the state."""
        return self.state.database or self.target

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def snapshots(self) -> Path:
        """The folder with the results of finished runs, for readers."""
        return self.home / "snapshots"

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps runs and events."""
        return self.home / "dagster"

    @property
    def console_users(self) -> Path:
        """The file of those who may use the workbench."""
        return self.console.users or self.home / "console_users.json"

    @property
    def data_docs(self) -> Path:
        """Where the Data Docs of the last run are."""
        return self.home / "data_docs"


_UNNAMEABLE = re.compile(r"[?%*\[\]\x00-\x1f]")


def _refuse_other_words(place: str, words: dict[str, str], vocabulary: str) -> None:
    """Refuses unknown meanings; the message does not repeat spellings, which are register data."""
    from etl.normalise.places import province_codes  # loads all of normalisation

    known = VOCABULARIES[vocabulary] or province_codes()
    if not set(words.values()) <= set(known):
        raise ValueError(f"{place}: a spelling can mean only {', '.join(known)}")


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


_ENDS = re.compile(r"[@/#?:\[\]]")
"""Characters that would end a password in a receiver's URL. (A database's URL is checked once its
variables have been replaced.)"""


def _as_password(url: str, found: re.Match[str]) -> bool:
    """Says whether a variable stands where a URL has its password: ``scheme://user:${NAME}@``."""
    before = re.search(r"://[^/?#@]*:$", url[: found.start()])
    return bool(before) and url[found.end() :].startswith("@")


def _expand(value: Any, at: str) -> Any:
    """Replaces ``${NAME}`` by the environment's value, in nested tables and lists, too."""
    if isinstance(value, dict):
        return {k: _expand(v, f"{at}.{k}" if at else k) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, f"{at}.{n}") for n, v in enumerate(value, start=1)]
    if not isinstance(value, str):
        return value

    def look_up(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise ConfigError(
                f"The setting '{at}' uses the environment variable {name}, which is not set.",
                remedy=f"Set it (export {name}=...) and run again.",
            )
        if (
            at.startswith("alerts.urls")
            and _as_password(value, found)
            and _ENDS.search(os.environ[name])
        ):
            raise ConfigError(
                f"The setting '{at}' puts the password of the environment variable {name} into its "
                "URL, where a character of the password would end it.",
                remedy=f"Instead, {_BESIDE}.",
            )
        return os.environ[name]

    return _VARIABLE.sub(look_up, value)


def _explain(error: ValidationError) -> str:
    """Puts pydantic's findings into words, without the values (a URL may hold a password)."""
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        place = ".".join(str(part) for part in item["loc"]) or "the file"
        reason = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "missing":
            reason = "is required and missing"
        elif item["type"] == "extra_forbidden":
            reason = "is not a setting; check its spelling"
        lines.append(f"{place}: {reason}")
    return "; ".join(lines)


def _anchor(data: dict[str, Any], base: Path) -> dict[str, Any]:
    """Resolves relative paths from the folder of the configuration, not from the current folder."""
    home = data.get("home", ".doisoat")
    data["home"] = base / home if isinstance(home, str) else home
    quality = data.get("quality")
    if isinstance(quality, dict) and isinstance(quality.get("thresholds"), str):
        quality["thresholds"] = base / quality["thresholds"]
    console = data.get("console")
    if isinstance(console, dict) and isinstance(console.get("users"), str):
        console["users"] = base / console["users"]
    worklists = data.get("worklists")
    if isinstance(worklists, dict) and isinstance(worklists.get("templates"), str):
        worklists["templates"] = base / worklists["templates"]
    for section in ("insurance", "population", "target", "state"):
        part = data.get(section)
        if isinstance(part, dict) and isinstance(part.get("url"), str):
            part["url"] = _anchor_files(_with_small_scheme(part["url"]), base)
    return data


def _with_small_scheme(url: str) -> str:
    """Writes a URL's scheme in lower case; its case has no meaning (RFC 3986, 3.1)."""
    scheme, colon, rest = url.partition(":")
    return f"{scheme.lower()}{colon}{rest}"


def _anchor_files(url: str, base: Path) -> str:
    """Makes the path in a URL of files absolute, starting from the folder of the configuration.

    A link to a register in a lake is not resolved, because it may lead elsewhere tomorrow.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url
    file, kind = parsed.database, parsed.get_backend_name()
    if kind not in _FILES or not file or file == ":memory:":
        return url
    if kind in LAKE and "?" in url:
        return url  # ``Source`` refuses it
    anchored = os.path.abspath if kind in LAKE else os.path.realpath
    return parsed.set(database=anchored(base / file)).render_as_string(False)


def load_settings(path: Path | str | None = None) -> Settings:
    """Reads the configuration file.

    Args:
        path: The file; by default what ``DOISOAT_CONFIG`` names, else ``doisoat.toml``.

    Raises:
        ConfigError: The file is missing, is not TOML, or has a value that is not allowed.
    """
    file = Path(path or os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).resolve()
    try:
        data = read_toml(file)
    except OSError:
        raise ConfigError(
            f"There is no readable configuration file {file.name}.",
            where=str(file),
            remedy="Name one with --config, or copy examples/postgresql.toml and edit it; "
            "'doisoat demo' needs none.",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            "The configuration is not valid TOML: it is no text in UTF-8 "
            f"(line {file.read_bytes()[: error.start].count(10) + 1}).",
            where=str(file),
            remedy="Save it in your editor as UTF-8.",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The configuration is not valid TOML: {error}.",
            where=str(file),
            remedy="Mend the line named above.",
        ) from None
    try:
        return Settings(**_anchor(_expand(data, ""), file.parent), file=file)
    except ConfigError as error:
        error.where = str(file)
        raise
    except ValidationError as error:
        raise ConfigError(
            f"The configuration cannot be used: {_explain(error)}.",
            where=str(file),
            remedy="docs/configuration.md lists every setting.",
        ) from None
