"""The ``doisoat`` command.

Belongs here: commands, options, exit codes; this is where the parts are put together, so it alone
in ``etl`` may call ``assets``. Does not belong here: any work itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from etl import demo as demonstration
from etl import display
from etl.errors import ConfigError, DoisoatError
from etl.privacy import mute_uncaught_errors, own_what_is_written, stack_trace
from etl.process.machine import (
    foreign_encoding,
    speak_with_any_terminal,
    told_of_letters,
    trouble_of_the_machine,
)
from etl.process.stopping import STOPPED, on_stop
from etl.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Database, Settings, load_settings
from etl.showing import as_json as to_json
from etl.showing import in_markup

app = typer.Typer(
    name="doisoat",
    help="Đối soát: reconciles the national insurance register with the population register.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: 0 done, 1 a quality gate failed, 2 wrong use or configuration, "
    "3 a source or the target could not be reached, 70 a fault of doisoat itself, 130 stopped by "
    "a signal.",
)


@dataclass
class _Common:
    """What every command is told."""

    config: Path | None = None
    debug: bool = False


class Mode(StrEnum):
    """How much a sync reads."""

    FULL = "full"


class Language(StrEnum):
    """The languages of explanations."""

    VI = "vi"
    EN = "en"


@app.callback()
def _common(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file; default: $DOISOAT_CONFIG, doisoat.toml, the demo."),
    ] = None,
    debug: Annotated[
        bool, typer.Option(help="Show stack traces; they quote no personal data.")
    ] = False,
) -> None:
    context.obj = _Common(config, debug)


def _settings(context: typer.Context) -> Settings:
    common: _Common = context.obj
    chosen = common.config or os.environ.get(CONFIG_VARIABLE)
    if not chosen and not Path(DEFAULT_CONFIG).exists():
        of_demo = demonstration.config_file()
        chosen = of_demo if of_demo.exists() else None
    return load_settings(chosen)


def _start_demo_server(settings: Settings) -> None:
    """Starts the demo's own server for a command that works on the demo.

    It stops by itself when the last process that uses it ends.
    """
    if demonstration.is_demo(settings.file):
        demonstration.start_server(settings.file.parent)


def _print_json(value: Any, indent: int | None = 2) -> None:
    """Prints JSON, in ASCII where the output's encoding has not all letters."""
    sys.stdout.write(to_json(value, indent, ascii_only=foreign_encoding() is not None) + "\n")


@contextmanager
def _steps() -> Iterator[Progress]:
    """A bar on the terminal, which is left in order when a signal stops the process, too."""
    shown = Progress(
        TextColumn("{task.description:<38}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=display.errors,
        transient=True,
    )
    with shown, on_stop(shown.stop):
        yield shown


def _alert(settings: Settings, not_begun: DoisoatError | None = None) -> None:
    """Tells the receivers what is new; a message that does not arrive fails no run."""
    if not settings.alerts.urls:
        return
    from assets.alerts import tell_news, tell_of_no_run
    from assets.instance import instance_for

    try:
        instance = instance_for(settings)
        if not_begun is not None:
            tell_of_no_run(settings, instance, not_begun)
        else:
            tell_news(settings, instance)
    except DoisoatError as error:
        display.show_error(error)
    except Exception as error:
        # A full disk, say: the run ended as it did.
        display.show_problem(f"Alerts could not be sent ({type(error).__name__}).")


def _sync(settings: Settings, mode: Mode, as_json: bool, *, replace_target: bool = False) -> int:
    """Runs the main job and shows what it found."""
    from assets.running import run_sync

    with _steps() as progress:
        task = progress.add_task("starting", total=None)

        def show(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=total)

        try:
            outcome = run_sync(settings, mode.value, show, replace_target=replace_target)
        except DoisoatError as error:
            _alert(settings, error)
            raise
    _alert(settings)
    figures = outcome.figures
    if as_json:
        _print_json(
            {
                "run": outcome.run_id,
                "exit_code": outcome.exit_code,
                "problem": outcome.problem,
                "failed_checks": outcome.failed_checks,
                "figures": figures.as_dict() if figures else None,
            }
        )
        return outcome.exit_code
    if figures:
        display.show_figures(figures)
    if outcome.exit_code in (0, 1):
        display.show_checks(outcome.failed_checks)
    if outcome.problem:
        display.show_problem(outcome.problem)
    return outcome.exit_code


JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@app.command()
def sync(
    context: typer.Context,
    mode: Annotated[Mode, typer.Option(help="full: read both registers whole.")] = Mode.FULL,
    replace_target: Annotated[
        bool,
        typer.Option(
            "--replace-target",
            help="Publish this once although another installation published the target, or most "
            "of its rows would vanish.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the main job: read, normalise, reconcile, validate, publish."""
    from etl.charts import charts_file

    settings = _settings(context)
    _start_demo_server(settings)
    code = _sync(settings, mode, as_json, replace_target=replace_target)
    if code == 0 and not as_json:
        display.say(
            f"Published to [bold]{in_markup(settings.target.shown)}[/]. "
            "Next: [bold]doisoat ui[/] shows lineage, checks and this run.\n"
            f"Charts of this run, for a browser: {in_markup(charts_file(settings))}"
        )
    raise typer.Exit(code)


@app.command()
def demo(
    citizens: Annotated[int, typer.Option(min=1_000, help="Simulated citizens.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Same seed, same registers.")] = 2021,
    as_json: JsonOption = False,
) -> None:
    """Show the whole on simulated registers in a real PostgreSQL that this starts itself."""
    from etl.charts import charts_file

    home = demonstration.DEMO_HOME
    with _steps() as progress:
        task = progress.add_task("simulating the registers", total=citizens)
        report = demonstration.prepare(
            citizens, seed, home, lambda done: progress.update(task, completed=done)
        )
    if not as_json:
        display.say(
            f"Simulated {report.population_rows:,} citizens and {report.insurance_rows:,} "
            "insurance records, in two databases of a PostgreSQL of its own."
        )
    settings = load_settings(demonstration.config_file(home))
    code = _sync(settings, Mode.FULL, as_json, replace_target=True)  # another seed, others' rows
    if code == 0 and not as_json:
        display.say(
            "Nobody in these figures exists. Next:\n"
            "  [bold]doisoat ui[/]     lineage, checks and this run in the Dagster UI\n"
            "  [bold]doisoat sync[/]   run again: nothing changes, because nothing changed\n"
            "  docs/configuration.md tells how to point doisoat at real databases.\n"
            f"Charts of this run, for a browser: {in_markup(charts_file(settings))}"
        )
    raise typer.Exit(code)


def _reach(option: str, url: str) -> None:
    """Connects once to a database that was named on the command line."""
    from etl.extract.connect import engine_for
    from etl.extract.refusals import plain_errors

    try:
        database = Database(url=SecretStr(url))
    except ValidationError:
        raise ConfigError(
            f"{option} is not a database URL.",
            remedy="Write it as dialect://user:password@host:port/database.",
        ) from None
    engine = engine_for(database, read_only=False)
    with plain_errors(database, f"Connecting to {option}"), engine.connect():
        engine.dispose()


@contextmanager
def _refusals() -> Iterator[None]:
    """Words what the simulation refuses: to overwrite, or what cannot be made."""
    try:
        yield
    except FileExistsError as error:
        raise ConfigError(
            f"Nothing was written: {error}.",
            remedy="Add --replace to overwrite it, or name another place.",
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"Such registers cannot be made: {error}.", remedy="See 'doisoat simulate --help'."
        ) from None


@app.command()
def simulate(
    citizens: Annotated[int, typer.Option(min=1, help="Citizens in the population register.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for insurance, population and truth .parquet.")
    ] = None,
    insurance_url: Annotated[str, typer.Option(help="Database for the table insurance.")] = "",
    population_url: Annotated[str, typer.Option(help="Database for the table population.")] = "",
    truth: Annotated[str, typer.Option(help="Parquet file or database URL for the truth.")] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same registers.")] = 2021,
    birth_window_days: Annotated[
        int | None, typer.Option(help="All births within so many days: national crowding.")
    ] = None,
    fault_rates: Annotated[
        Path | None, typer.Option(help="Another fault_rates.toml.", exists=True, dir_okay=False)
    ] = None,
    replace: Annotated[bool, typer.Option(help="Overwrite what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make two registers with known truth."""
    from etl.simulate import SimulationSpec, write_database, write_parquet

    if (out is None) == (not (insurance_url and population_url)):
        raise ConfigError(
            "Say where the registers go.",
            remedy="Give either --out FOLDER, or --insurance-url and --population-url.",
        )
    for option, url in (("--insurance-url", insurance_url), ("--population-url", population_url)):
        if url:
            _reach(option, url)
    with _steps() as progress, _refusals():
        task = progress.add_task("simulating", total=citizens)

        def done(count: int) -> None:
            progress.update(task, completed=count)

        spec = SimulationSpec(
            citizens=citizens,
            seed=seed,
            birth_window_days=birth_window_days,
            fault_rates=fault_rates,
        )
        report = (
            write_parquet(spec, out, done, replace=replace)
            if out is not None
            else write_database(
                spec,
                insurance_url,
                population_url,
                truth=truth or None,
                replace=replace,
                progress=done,
            )
        )
    if as_json:
        _print_json(asdict(report))
        return
    display.say(
        f"{report.population_rows:,} citizens and {report.insurance_rows:,} insurance records in "
        f"{report.seconds:.1f} s; {report.clean_rows:,} records have no fault at all."
    )


@app.command()
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Try the configuration and the machine: databases, columns, home; nothing is moved."""
    from assets.jobs import next_nightly
    from etl.extract.probe import Finding, probe, tried

    settings = _settings(context)
    _start_demo_server(settings)
    findings = [*probe(settings), tried("schedule", lambda: next_nightly(settings))]
    if letters := told_of_letters():
        findings.append(Finding("terminal", letters))
    if file := settings.quality.thresholds:
        from assets.checks import try_thresholds

        findings.append(tried("thresholds", lambda: try_thresholds(file)))
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            if finding.error is None:
                display.say(f"[green]✓[/] {in_markup(finding.name)}: {in_markup(finding.detail)}")
            else:
                display.show_problem(f"{finding.name}: {finding.error}")
    raise typer.Exit(max((finding.exit_code for finding in findings), default=0))


@app.command()
def train(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Chooses the sample: same seed, same model.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Estimate the linkage model from the last run's registers; the next run uses it."""
    from etl.reconcile import training
    from etl.warehouse.run import warehouse_between_runs

    settings = _settings(context)
    with warehouse_between_runs(settings) as warehouse:
        trained = training.train(warehouse, seed)
        folder = (settings.home / "models" / trained.model.version).resolve()
        training.write_pages(trained, folder)
        training.keep(warehouse, trained.model)
    if as_json:
        _print_json({"version": trained.model.version, **trained.model.about,
                     "same_person": trained.model.same_person, "charts": str(folder)})  # fmt: skip
        return
    display.show_model(trained.model.version, trained.model.about, trained.model.same_person)
    display.say(f"The next run uses it. Its charts are in {in_markup(folder)}.")


@app.command()
def charts(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option(help="The page to write; else charts/run.html in the home.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the last run as one page without personal data: provinces, thresholds, mismatches."""
    from etl.charts import charts_file, write_charts
    from etl.warehouse.run import warehouse_between_runs

    settings = _settings(context)
    file = output or charts_file(settings)
    if not settings.warehouse_path.exists():
        raise ConfigError("Nothing has been reconciled yet.", remedy="Run: doisoat sync")
    with warehouse_between_runs(settings) as warehouse:
        write_charts(warehouse, file, settings.schedule, private=output is None)
    if as_json:
        _print_json({"page": str(file)})
    else:
        display.say(f"Written to {in_markup(file)}: open it in a browser; it needs no network.")


@app.command()
def runs(
    context: typer.Context,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the last runs, and say when the next one begins by itself."""
    from assets.jobs import next_nightly
    from etl.figures import read_runs

    settings = _settings(context)
    found = read_runs(settings, last)
    if as_json:
        _print_json(found)
        return
    display.show_runs(found, settings.schedule)
    try:
        display.show_next(next_nightly(settings))
    except ConfigError as error:  # the list is what was asked for
        display.show_error(error)


@app.command()
def triage(
    context: typer.Context,
    rule: Annotated[
        str | None, typer.Argument(help="A rule, as table.check: list the records that fail it.")
    ] = None,
    record: Annotated[
        str | None, typer.Option(help="One record's key: show its values; the look is logged.")
    ] = None,
    province: Annotated[str | None, typer.Option(help="Only this province, by code.")] = None,
    employer: Annotated[str | None, typer.Option(help="Only this employer, by code.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the list to a file, .csv or .xlsx.")
    ] = None,
    ids: Annotated[
        bool,
        typer.Option(
            "--ids",
            help="Name each row as its register does, for the office that keeps it; the look is "
            "logged.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Work down what failed: the rules, broken ones first, then one rule's rows, then one row."""
    from etl import triage as work

    settings = _settings(context)
    if rule is None and (record or province or employer or ids):
        raise ConfigError(
            "--record, --province, --employer and --ids are about one rule's records.",
            remedy="Name the rule first: doisoat triage clean.insurance.names_are_mostly_readable",
        )
    if rule is not None and record is not None:
        row = work.read_row(settings, rule, record)
        _print_json(row) if as_json else display.show_row(rule, record, row)
        return
    standing = work.read_rule(settings, rule) if rule else None
    if rule is None:
        found = work.read_rules(settings)
    elif standing and not (standing["about_rows"] or province or employer or ids):
        found = [standing]
    else:
        found = work.read_records(settings, rule, province=province, employer=employer, ids=ids)
    if out is not None:
        work.write_out(found, out, settings.schedule)
        logged = " That it names them is noted in ops.access_log." if ids else ""
        display.say(f"{len(found):,} lines written to {in_markup(out)}.{logged}")
    elif as_json:
        _print_json(found)
    elif standing is None:
        display.show_failing_rules(found, settings.schedule)
    else:
        display.show_rule(standing, settings.schedule)
        if standing["about_rows"]:
            display.show_failing_records(standing, found, settings.schedule)


@app.command()
def acknowledge(
    context: typer.Context,
    rule: Annotated[str, typer.Argument(help="A rule, as table.check.")],
    reason: Annotated[str, typer.Option(help="What is being done about it.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="For how long.")] = 30,
) -> None:
    """Note that a failure is known: triage marks it, alerts keep quiet until the note expires."""
    from etl import triage as work

    settings = _settings(context)
    until = settings.schedule.local(work.acknowledge(settings, rule, reason, days))
    display.say(
        f"{in_markup(rule)} is acknowledged until {until:%Y-%m-%d}: no alert tells of it until "
        "then. It fails as before, and what it stops stays stopped."
    )


@app.command()
def alerts(
    context: typer.Context,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to everybody.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show who is told when a run fails, and what they know; try it with --test."""
    from etl.alerts import say_test
    from etl.alerts.memory import recall
    from etl.errors import AlertError

    settings = _settings(context)
    if not test:
        memory = recall(settings.home)
        if as_json:
            _print_json(memory.model_dump(mode="json", include={"checks", "runs", "letters"}))
        else:
            display.show_alerts(settings.alerts.receivers, memory)
        return
    sent = say_test(settings)
    if as_json:
        _print_json({number: asdict(answer) for number, answer in sent.items()})
    else:
        display.show_sent(sent)
    if not all(answer.reached for answer in sent.values()):
        raise typer.Exit(AlertError.exit_code)


@app.command()
def explain(
    context: typer.Context,
    record: Annotated[str | None, typer.Argument(help="Record id in the insurance register.")] = (
        None
    ),
    record_key: Annotated[
        str | None, typer.Option(help="Instead of the id: the key in logs and checks.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one self-contained page, with charts.")
    ] = None,
    lang: Annotated[Language, typer.Option(help="Of the text.")] = Language.VI,
    as_json: JsonOption = False,
) -> None:
    """Tell one record's story: what was tried and found, and who corrects what.

    It shows personal data; that it did is written to ops.access_log.
    """
    from etl.explain import read_story
    from etl.story import tell

    if (record is None) == (record_key is None):
        raise ConfigError(
            "Say which record is to be explained.",
            remedy="Give either its record id, or --record-key with its key.",
        )
    command = "explain --html" if html else "explain --json" if as_json else "explain"
    story = read_story(_settings(context), record_id=record, record_key=record_key, command=command)
    telling = tell(story)
    if html:
        from etl.story_page import write_page

        write_page(html, story, telling)
    if as_json:
        _print_json({**story.as_dict(), "told": telling.as_dict()})
    elif html:
        display.say(f"Written to {in_markup(html)}; only you may read the file.")
    else:
        from etl.story_text import show_story

        show_story(story, telling, lang.value)


@app.command()
def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Open the Dagster UI on the loopback address, with the runs of this configuration.

    It asks for the token in the address that is printed; [ui] of the configuration names a proxy.
    """
    from assets.serving import serve

    settings = _settings(context)
    _start_demo_server(settings)
    raise typer.Exit(serve(settings, port))


@app.command()
def normalise(
    name: Annotated[
        str | None, typer.Argument(help="A name as recorded; - reads names, one a line.")
    ] = None,
    id_number: Annotated[
        str | None, typer.Option("--id", help="Personal number or CMND, as typed.")
    ] = None,
    born: Annotated[str | None, typer.Option(help="Birth date in any form, or the year.")] = None,
    gender: Annotated[str | None, typer.Option(help="Sex, in any spelling.")] = None,
    insurance: Annotated[str | None, typer.Option(help="Insurance number.")] = None,
    card: Annotated[str | None, typer.Option(help="Health card.")] = None,
    lang: Annotated[Language, typer.Option(help="Of the explanations.")] = Language.VI,
    as_json: JsonOption = False,
) -> None:
    """Show what is understood of a name, a number, a date or a card, and why."""
    from etl import understanding
    from etl.normalise import NORMALISER_VERSION

    if name == "-":
        answers = understanding.understand_names(sys.stdin.buffer, lang.value)
        if as_json:
            for answer in answers:
                _print_json(answer.as_dict(), indent=None)
        else:
            display.show_names(answers)
        return
    found = understanding.understand(
        name=name,
        birth=born,
        gender=gender,
        numbers={"id": id_number, "insurance": insurance, "card": card},
        lang=lang.value,
    )
    if not found:
        raise ConfigError(
            "Nothing was given to be understood.",
            remedy="Give a name, or one of --id, --born, --gender, --insurance, --card.",
        )
    if as_json:
        fields = {answer.field: answer.as_dict() for answer in found}
        _print_json({"normaliser_version": NORMALISER_VERSION, **fields})
    else:
        display.show_understanding(found)


def _guarded(run: Callable[[], Any], debug: bool) -> int:
    """Runs a command and turns its troubles into words and an exit code."""
    try:
        return int(run() or 0)
    except SystemExit as ended:  # how the command line ends, well or ill
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except DoisoatError as error:
        _trace(error, debug)
        display.show_error(error)
        return error.exit_code
    except typer.Abort:
        return STOPPED
    except Exception as error:
        _trace(error, debug)
        if (known := trouble_of_the_machine(error)) is not None:
            display.show_error(known)
            return known.exit_code
        display.show_problem(
            f"doisoat itself failed ({type(error).__name__}).\n"
            "What to do: run again with --debug for the stack trace (it quotes no personal data), "
            "and report it."
        )
        return 70


def _trace(error: Exception, debug: bool) -> None:
    if debug:
        sys.stderr.write(stack_trace(error) + "\n")


def command() -> int:
    """Runs the command line and returns its exit code.

    Whatever it and its children write is their user's only, but for files that a person asked for
    and that hold no personal data.
    """
    own_what_is_written()
    speak_with_any_terminal()
    mute_uncaught_errors()
    debug = "--debug" in sys.argv
    return _guarded(lambda: app(standalone_mode=True), debug)
