"""What failed, since when, and who must act: a list to be worked through.

Belongs here: reading the history of the quality rules, and acknowledging a failure. Does not belong
here: judging (``expectations``), layout (``etl/report/display.py``).

Failing rows are named by record key. Values are read for one row at a time only, and ids only for
the office that keeps a register; each such access is written to the access log first.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etl.domain.errors import ConfigError, DoisoatError
from etl.domain.showing import cell
from etl.engine.port import Warehouse
from etl.engine.statements import TableName
from etl.normalise.bulk import normalise_provinces
from etl.pipeline.run import last_published
from etl.pipeline.snapshots import has, reading
from etl.process.files import whole_file
from etl.process.home import notice
from etl.report.advice import REGISTER_KEYS, id_column, register_key
from etl.settings import Schedule, Settings
from etl.state.access import log_access, who_asks
from etl.state.copying import refresh
from etl.state.store import open_state

EXCEL_ROWS = 1_048_575
"""Rows of a worksheet below its heading."""

_RULES = """
with last_results as (
    select *
    from ops.quality_results
    qualify row_number() over (partition by table_name, check_name order by checked_at desc) = 1
),

failing as (
    select
        failures.table_name,
        failures.check_name,
        count(*) as keys,
        min(failures.first_seen) as since,
        count(*) filter (failures.first_run = last_results.run_id) as newly
    from ops.quality_failures as failures
    inner join last_results using (table_name, check_name)
    where failures.closed_run is null
    group by failures.table_name, failures.check_name
)

select
    rules.table_name || '.' || rules.check_name as rule,
    rules.severity,
    rules.blocking,
    rules.owner,
    last_results.passed,
    last_results.failed_rows,
    last_results.checked_rows,
    coalesce(failing.newly, 0) as new_since_last_run,
    -- A rule that holds within its tolerance has no failures of its own, only rows.
    if(last_results.passed, failing.since, standings.failing_since) as first_seen,
    standings.acknowledged_until,
    standings.acknowledged_by,
    standings.acknowledged_because,
    rules.meaning,
    last_results.observed,
    -- A run that stopped early has not judged what comes later.
    last_results.run_id = (select max_by(run_id, started_at) from ops.runs) as of_last_run,
    rules.expected,
    rules.key_sql <> '' as about_rows,
    -- Records of the raw register may be missing from the tables that tell their story.
    rules.key_sql = 'record_key(record_id)' as explained,
    coalesce(trends.failed_rows, []) as trend
from ops.quality_rules as rules
inner join last_results using (table_name, check_name)
left join failing using (table_name, check_name)
left join ops.standings as standings using (table_name, check_name)
left join ops.trends as trends using (table_name, check_name)
where {which}
order by
    last_results.passed,
    rules.severity = 'error' desc,
    rules.blocking desc,
    first_seen nulls last,
    rule
"""
_LAST_RUN = (
    "(select max_by(run_id, checked_at) from ops.quality_results "
    "where table_name = $table and check_name = $check)"
)
"""The last run that checked a rule, and so saw its open failures."""

_FAILING = "last_results.failed_rows > 0 or not last_results.passed"
_ONE = "rules.table_name = $table and rules.check_name = $check"

REJECTS = TableName("clean", "rejects")
"""Rows of both registers that no clean table has; they have columns of their own for register,
province and employer."""


@dataclass(frozen=True)
class Rule:
    """One rule that has been run here.

    Attributes:
        table: The table it is about.
        name: Its name within the suite.
        key_sql: The SQL of a failing row's key; empty for rules about the table as a whole.
    """

    table: TableName
    name: str
    key_sql: str

    @property
    def full_name(self) -> str:
        """``schema.table.check``."""
        return f"{self.table.sql}.{self.name}"

    @property
    def register(self) -> str | None:
        """The register that the rows come from; None if they come from none, or from both."""
        column = register_key(self.key_sql)
        return REGISTER_KEYS[column] if column else None

    @property
    def id_column(self) -> str | None:
        """The column with the ids of the rows in their register; None if they have no such ids."""
        return id_column(self.table.sql, self.key_sql)


def read_rules(settings: Settings) -> list[dict[str, Any]]:
    """Reads every rule that rows fail: broken ones first, then by severity and age."""
    with _with_notes(settings) as warehouse:
        return _aware(warehouse.rows(_RULES.format(which=_FAILING)))


def read_rule(settings: Settings, rule: str) -> dict[str, Any]:
    """Reads how one rule stands: what was observed and expected, since when, who acknowledged it.

    Args:
        settings: Of the warehouse.
        rule: ``schema.table.check``, or the check alone where it is the only one of its name.

    Raises:
        ConfigError: No such rule, or it has not been judged yet.
    """
    with _with_notes(settings) as warehouse:
        found = find_rule(warehouse, rule)
        rows = warehouse.rows(
            _RULES.format(which=_ONE), {"table": found.table.sql, "check": found.name}
        )
        published = last_published(warehouse)
    if not rows:
        raise ConfigError(f"{found.full_name} has not been judged yet.", remedy="Run: doisoat sync")
    run_id, at = published or (None, None)
    known = {
        "target_run": run_id,
        "target_published_at": at,
        "has_ids": found.id_column is not None,
    }
    return _aware([rows[0] | known])[0]


def read_records(
    settings: Settings,
    rule: str,
    *,
    province: str | None = None,
    employer: str | None = None,
    ids: bool = False,
) -> list[dict[str, Any]]:
    """Reads the rows that fail one rule, by key, the newest first.

    Args:
        settings: Of the warehouse.
        rule: ``schema.table.check``, or the check alone where it is the only one of its name.
        province: Only rows of this province of 2025, by code.
        employer: Only rows of this employer, by code.
        ids: Whether to give each row's id in its register, too, which is written to the access log.

    Raises:
        ConfigError: No such rule, or one whose rows have no province, or no id.
    """
    with _memory(settings) as warehouse:
        found = find_rule(warehouse, rule)
    with _memory(settings, *_tables_of_rows(found)) as warehouse:
        records = _records(warehouse, found, province, employer)
        if ids:
            records = _with_ids(warehouse, settings, found, records)
    return _aware(records)


def read_row(settings: Settings, rule: str, record_key: str) -> dict[str, Any]:
    """Reads one failing row with its values, and writes that to the access log.

    Raises:
        ConfigError: No such rule, or no row of that key fails it.
    """
    with _memory(settings) as warehouse:
        found = find_rule(warehouse, rule)
    with _memory(settings, found.table) as warehouse:
        _refuse_unknown_key(warehouse, found, record_key)
        log_access(settings, [record_key], "triage")
        rows = warehouse.rows(
            f"select * from {found.table.sql} where {found.key_sql} = $key limit 1",  # noqa: S608
            {"key": record_key},
        )
    if not rows:
        raise DoisoatError(
            f"The row is no longer in {found.table.sql}.",
            where="the warehouse",
            remedy="Run doisoat sync, then triage again.",
        )
    return rows[0]


def acknowledge(settings: Settings, rule: str, reason: str, days: int) -> datetime:
    """Notes for some days that a failure is known; it is marked so, and still counts as a failure.

    Returns:
        When the note expires, in UTC.
    """
    if not reason.strip():
        raise ConfigError(
            "An acknowledgement needs a reason.", remedy="Say --reason 'what is being done'."
        )
    now = _now()
    with _memory(settings) as warehouse:
        found = find_rule(warehouse, rule)
    note = {
        "table_name": found.table.sql,
        "check_name": found.name,
        "acknowledged_by": who_asks(),
        "reason": reason.strip(),
        "acknowledged_at": now,
        "expires_at": now + timedelta(days=days),
    }
    with open_state(settings) as state:
        state.add("acknowledgements", [note])
    return now + timedelta(days=days)


def find_rule(warehouse: Warehouse, rule: str) -> Rule:
    """Returns a rule by its name.

    Raises:
        ConfigError: There is none of that name, or several.
    """
    found = warehouse.rows(
        "select table_name, check_name, key_sql from ops.quality_rules "
        "where $rule in (table_name || '.' || check_name, check_name) order by 1, 2",
        {"rule": rule},
    )
    if len(found) > 1:
        names = ", ".join(f"{row['table_name']}.{row['check_name']}" for row in found)
        raise ConfigError(
            f"Several rules are called {rule}.", remedy=f"Name the table too: {names}."
        )
    if not found:
        raise ConfigError(
            "There is no rule of that name.",
            remedy="'doisoat triage' lists the rules that rows fail.",
        )
    row = found[0]
    return Rule(
        TableName.parse(str(row["table_name"])), str(row["check_name"]), str(row["key_sql"])
    )


def write_out(rows: Sequence[dict[str, Any]], file: Path, schedule: Schedule) -> None:
    """Writes rows to a CSV file or a workbook, by the file's ending; only its owner may read it.

    Times are written in the time zone of the schedule.

    Raises:
        ConfigError: Another ending, more rows than a worksheet holds, or a file that cannot be
            written.
    """
    if file.suffix not in (".csv", ".xlsx"):
        raise ConfigError(
            f"{file.name} is neither .csv nor .xlsx.", remedy="Name a file that ends so."
        )
    if file.suffix == ".xlsx" and len(rows) > EXCEL_ROWS:
        raise ConfigError(
            f"A worksheet holds {EXCEL_ROWS:,} rows, and these are {len(rows):,}.",
            remedy="Write a .csv file, or choose one --province.",
        )
    shown = [
        {name: cell(schedule.shown(v) if isinstance(v, datetime) else v) for name, v in row.items()}
        for row in rows
    ]
    with whole_file(file) as draft:
        if file.suffix == ".xlsx":
            _write_excel(shown, draft)
        else:
            _write_csv(shown, draft)


def _write_csv(rows: Sequence[dict[str, Any]], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8-sig") as out:  # Excel needs the byte order mark
        writer = csv.DictWriter(out, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _write_excel(rows: Sequence[dict[str, Any]], file: Path) -> None:
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    try:
        with xlsxwriter.Workbook(str(file), options) as book:
            sheet = book.add_worksheet("triage")
            for at, row in enumerate([dict.fromkeys(rows[0])] if rows else []):
                sheet.write_row(at, 0, list(row))
            for at, row in enumerate(rows, start=1):
                sheet.write_row(at, 0, list(map(str, row.values())))
    except xlsxwriter.exceptions.FileCreateError as error:
        raise error.args[0] from None  # the system's own error, which says why


@contextmanager
def _memory(settings: Settings, *tables: TableName) -> Iterator[Warehouse]:
    """Opens the last result that has some tables: a run that a rule stopped has only the first."""
    with reading(settings, has(TableName("ops", "quality_rules"), *tables)) as warehouse:
        yield warehouse


@contextmanager
def _with_notes(settings: Settings) -> Iterator[Warehouse]:
    """Opens the last result with what was acknowledged since; says so where that is not known."""
    with _memory(settings) as warehouse:
        try:
            refresh(warehouse, settings)
        except DoisoatError as error:
            notice(
                "Acknowledgements are shown as of the last run: later ones could not be read. "
                f"{error}"
            )
        yield warehouse


def _aware(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks the warehouse's times as UTC."""
    return [
        {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _refuse_unknown_key(warehouse: Warehouse, rule: Rule, record_key: str) -> None:
    if not rule.key_sql:
        raise ConfigError(
            f"{rule.full_name} is about the table as a whole: no single row fails it.",
            remedy=f"'doisoat triage {rule.full_name}' tells what was observed.",
        )
    known = warehouse.number(
        "select count(*) from ops.quality_failures "
        "where table_name = $table and check_name = $check and record_key = $key",
        {"table": rule.table.sql, "check": rule.name, "key": record_key},
    )
    if not known:
        raise ConfigError(
            f"No row of that key fails {rule.full_name}.",
            remedy=f"'doisoat triage {rule.full_name}' lists the keys.",
        )


def _records(
    warehouse: Warehouse, rule: Rule, province: str | None, employer: str | None
) -> list[dict[str, Any]]:
    """Returns the open failures of a rule, with place and employer where the rows have them."""
    where = {"table": rule.table.sql, "check": rule.name}
    if rule.register is None and rule.table != REJECTS:
        if province or employer:
            raise ConfigError(
                f"The rows of {rule.table.sql} belong to no province and no employer.",
                remedy="Leave --province and --employer out.",
            )
        return warehouse.rows(
            f"select record_key, first_seen, first_run, {_LAST_RUN} as last_run "  # noqa: S608
            "from ops.quality_failures where table_name = $table and check_name = $check "
            "and closed_run is null order by first_seen desc, record_key",
            where,
        )
    with _places_lent(warehouse, rule):
        return warehouse.rows(
            f"""
            with rows as ({_rows_of(rule)})
            select
                failures.record_key,
                rows.* exclude (record_key),
                failures.first_seen,
                failures.first_run,
                {_LAST_RUN} as last_run
            from ops.quality_failures as failures
            left join rows on failures.record_key = rows.record_key
            where
                failures.table_name = $table
                and failures.check_name = $check
                and failures.closed_run is null
                and ($province::varchar is null or rows.province_code = $province)
                and ($employer::varchar is null or rows.employer_code = $employer)
            order by failures.first_seen desc, failures.record_key
            """,  # noqa: S608 - our own tables
            where | {"province": province, "employer": employer},
        )


@contextmanager
def _places_lent(warehouse: Warehouse, rule: Rule) -> Iterator[None]:
    """Lends the meaning of each province code of a register to a rule about its raw table.

    Such a rule may have stopped the run before the dictionaries and the clean tables were built.
    """
    if rule.table.schema != "raw":
        yield
        return
    column = warehouse.arrow(
        f"select distinct province_code as raw from {rule.table.sql} "  # noqa: S608 - our own table
        "where province_code is not null"
    ).column("raw")
    with warehouse.lending("provinces_read", normalise_provinces(column.combine_chunks())):
        yield


def _with_ids(
    warehouse: Warehouse, settings: Settings, rule: Rule, records: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Returns the same rows, each with its id in its register."""
    column = rule.id_column
    if column is None:
        raise ConfigError(
            f"The rows of {rule.table.sql} are of no register: they have no ids.",
            remedy="Leave --ids out.",
        )
    keys = [record["record_key"] for record in records]
    log_access(settings, keys, "triage --ids")
    key = "record_key" if rule.table == REJECTS else rule.key_sql
    found = warehouse.rows(
        f"select {key} as record_key, any_value({column}) as id "  # noqa: S608 - our own words
        f"from {rule.table.sql} where {key} in (select unnest($keys::varchar[])) group by all",
        {"keys": keys},
    )
    known = {row["record_key"]: row["id"] for row in found}
    return [
        {"record_key": key, column: known.get(key)} | record
        for key, record in zip(keys, records, strict=True)
    ]


def _tables_of_rows(rule: Rule) -> list[TableName]:
    """Returns the tables from which a rule's rows, their province and employer are read."""
    if rule.register is None and rule.table != REJECTS:
        return []
    is_whole = rule.table == REJECTS or rule.table.schema == "raw"
    return [rule.table] if is_whole else [rule.table, TableName("clean", str(rule.register))]


def _rows_of(rule: Rule) -> str:
    """Returns the SELECT that gives province and employer of a rule's rows, by record key."""
    if rule.table == REJECTS:
        # Several versions of a record share its key.
        return """
            select
                record_key,
                any_value(register) as register,
                any_value(province_code) as province_code,
                any_value(employer_code) as employer_code
            from clean.rejects
            group by record_key
        """
    column = register_key(rule.key_sql)
    employer = "employer_code" if rule.register == "insurance" else "null::varchar"
    if rule.table.schema == "raw":
        # Several rows of a register may have one key.
        return f"""
            select
                record_key({column}) as record_key,
                min(coalesce(configured.value, provinces_read.value)) as province_code,
                min(nullif(trim({employer}), '')) as employer_code
            from {rule.table.sql} as recorded
            left join provinces_read on recorded.province_code = provinces_read.raw
            left join ref.configured_words as configured
                on
                    configured.register = '{rule.register}'
                    and configured.column_name = 'province_code'
                    and lower(trim(recorded.province_code)) = configured.spelling
            group by record_key({column})
        """  # noqa: S608 - our own registers
    return f"""
        select record_key({column}) as record_key, province_code, {employer} as employer_code
        from clean.{rule.register}
    """  # noqa: S608 - our own registers
