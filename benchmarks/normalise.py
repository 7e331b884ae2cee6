"""How fast and how often right normalisation is, compared with the obvious ways to do the same.

    python -m benchmarks.normalise [--names 200000] [--rows 10000000] [--repeat 5]

Belongs here: strings like those of a register (made from name frequencies, with a register's
faults), the timing, and the tables of medians. Does not belong here: the other ways themselves
(``alternatives.py``), and the worst single string (``worst_case.py``).

A way is right about a faulty spelling if it brings it to the same form as the clean spelling of the
same name, whatever that form is. It must not bring two clean names to one form.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from benchmarks import alternatives
from benchmarks.alternatives import Way, naive_name, naive_number, pandas_birth
from etl.clean import dictionaries
from etl.domain.contract import REGISTERS
from etl.engine.duckdb.warehouse import open_warehouse
from etl.engine.port import Warehouse
from etl.normalise import parse_birth, parse_name, parse_number
from etl.normalise.bulk import normalise_births, normalise_names, normalise_numbers
from etl.normalise.encodings import single_byte_tables, vni_table
from etl.normalise.files import read_rows
from etl.normalise.places import places
from etl.process.privacy import RecordKey

Change = Callable[[str], str]
SLOW_SAMPLE = 20_000
"""On how many strings a slow way is timed."""

# --- strings of a register ------------------------------------------------------------------------


def _replacer(table: dict[str, str]) -> Change:
    return lambda name: "".join(table.get(letter, letter) for letter in name)


def _other_tone_style(name: str) -> str:
    for old, new in (("òa", "oà"), ("óa", "oá"), ("ỏa", "oả"), ("úy", "uý"), ("ùy", "uỳ"),
                     ("ủy", "uỷ"), ("ụy", "uỵ")):  # fmt: skip
        name = " ".join(
            word[: -len(old)] + new if word.endswith(old) else word for word in name.split(" ")
        )
    return name


def _viqr(name: str) -> str:
    marks = {"\u0300": "`", "\u0301": "'", "\u0309": "?", "\u0303": "~", "\u0323": ".",
             "\u0302": "^", "\u0306": "(", "\u031b": "+"}  # fmt: skip
    plain = name.replace("Đ", "DD").replace("đ", "dd")
    return "".join(marks.get(c, c) for c in unicodedata.normalize("NFD", plain))


def name_faults() -> dict[str, tuple[float, Change]]:
    """The faults of names in registers: the share in the sample registers, and the change."""
    by_table = {
        encoding: {letter: chr(code) for code, letter in single_byte_tables()[encoding].items()}
        for encoding in ("tcvn3", "viscii")
    }
    vni: dict[str, str] = {}
    for source, letter in vni_table().items():
        vni.setdefault(letter, source)
    return {
        "clean": (0.62, str),
        "capitals": (0.26, str.upper),
        "small": (0.03, str.lower),
        "spaces": (0.025, lambda name: "  " + name.replace(" ", " \u200b  ")),
        "NFD": (0.02, lambda name: unicodedata.normalize("NFD", name)),
        "no-break": (0.01, lambda name: name.replace(" ", "\u00a0")),
        "eth": (0.01, lambda name: name.replace("Đ", "Ð").replace("đ", "ð")),
        "tone style": (0.01, _other_tone_style),
        "TCVN3": (0.008, _replacer(by_table["tcvn3"])),
        "VNI": (0.005, _replacer(vni)),
        "VISCII": (0.001, _replacer(by_table["viscii"])),
        "VIQR": (0.0005, _viqr),
        "UTF-8 misread": (0.0005, lambda name: name.encode().decode("cp1252", "replace")),
    }


def clean_names(count: int, rng: random.Random) -> list[str]:
    """Distinct names, drawn by the frequencies of their parts."""
    rows = read_rows("name_frequencies.csv", "etl.domain")
    parts = {}
    for part in ("surname", "middle", "given"):
        chosen = [row for row in rows if row["part"] == part and len(row["value"]) > 1]
        parts[part] = (
            [row["value"] for row in chosen],
            [float(row["share_percent"]) for row in chosen],
        )
    found: dict[str, None] = {}
    while len(found) < count:
        columns = [
            rng.choices(*parts[part], k=5_000) for part in ("surname", "middle", "given", "given")
        ]
        for surname, middle, second, given in zip(*columns, strict=True):
            words = (surname, middle, second, given) if rng.random() < 0.5 else (
                surname, middle, given)  # fmt: skip
            found[" ".join(" ".join(words).split())] = None
    return list(found)[:count]


def made_names(count: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """Distinct spellings with a register's faults, and the clean name of each."""
    shares = [share for share, _ in name_faults().values()]
    changes = [change for _, change in name_faults().values()]
    found: dict[str, str] = {}
    for name in clean_names(count, rng):
        found.setdefault(rng.choices(changes, shares)[0](name), name)
    return list(found), list(found.values())


def made_births(count: int, rng: random.Random) -> tuple[list[str], list[date | None]]:
    """Birth dates in the forms of the sample registers; no date if only the year is known."""
    forms = ["%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%Y%m%d", "%d.%m.%Y", "%Y-%m-%d 00:00:00", "%Y"]
    found: dict[str, date | None] = {}
    for _ in range(count):
        day, form = date(1930, 1, 1) + timedelta(rng.randrange(35_000)), rng.choice(forms)
        found[day.strftime(form)] = None if form == "%Y" else day
    return list(found), list(found.values())


DAMAGED = 0.05
"""The share of numbers with a fault, as in the sample registers."""


def made_numbers(count: int, rng: random.Random, damaged: float) -> tuple[list[str], list[str]]:
    """Distinct personal numbers of people born by now, some damaged, and the right ones."""
    provinces = [code for code, place in places().items() if place.successor]
    last = (date.today().year - 1900) % 100
    changes: list[Change] = [
               lambda n: n + ".0", lambda n: "'" + n, lambda n: f"{n[:3]} {n[3:6]} {n[6:]}",
               lambda n: n.replace("0", "O", 1), lambda n: n.lstrip("0")]  # fmt: skip
    found: dict[str, str] = {}
    while len(found) < count:
        century = rng.randrange(4)
        year = rng.randrange(100 if century < 2 else last + 1)
        number = f"{rng.choice(provinces)}{century}{year:02d}{rng.randrange(10**6):06d}"
        written = rng.choice(changes)(number) if rng.random() < damaged else number
        found[written] = number
    return list(found), list(found.values())


# --- timing ---------------------------------------------------------------------------------------


def rate(work: Callable[[], object], rows: int, repeat: int) -> float:
    """Returns the median of rows per second."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return rows / statistics.median(seconds)


def _table(title: str, speeds: dict[str, float], right: dict[str, float]) -> None:
    """Prints speeds, how many times slower than the first way, and the share that is right."""
    print(f"\n{title}")
    first = next(iter(speeds.values()))
    for label, speed in speeds.items():
        share = f"{right[label]:8.2%} right" if label in right else ""
        print(f"  {label:34s} {speed:12,.0f}/s  {first / speed:8.1f}x  {share}")


def bench_names(count: int, repeat: int, rng: random.Random) -> None:
    """Measures distinct names: speed, and how many spellings get the form of the clean name."""
    dirty, clean = made_names(count, rng)
    array, series = pa.array(dirty), pd.Series(dirty)
    normalise_names(array.slice(0, SLOW_SAMPLE))  # the lexicon fills once per process
    one = {"parse_name": lambda raw: parse_name(raw).canonical, "naive": naive_name}
    ways: dict[str, Way] = one | alternatives.name_packages()
    cores = os.cpu_count() or 1
    speeds = {
        "normalise_names, one core": rate(lambda: normalise_names(array, 1), len(dirty), repeat),
        f"normalise_names, {cores} cores": rate(
            lambda: normalise_names(array, cores), len(dirty), repeat
        ),
        "pandas apply of parse_name": rate(
            lambda: series.apply(ways["parse_name"]), len(dirty), repeat
        ),
        "pandas str: NFC, split, title": rate(
            lambda: list(series.str.normalize("NFC").str.split().str.join(" ").str.title()),
            len(dirty),
            repeat,
        ),
    }
    sample = dirty[:SLOW_SAMPLE]
    for label, way in ways.items():
        speeds[label] = rate(lambda way=way: list(map(way, sample)), len(sample), repeat)  # type: ignore[misc]
    right = {label: _share_right(way, dirty[:SLOW_SAMPLE], clean) for label, way in ways.items()}
    _table(f"names ({len(dirty):,} distinct)", speeds, right)
    _faults_table(ways, rng)


def _share_right(way: Way, dirty: Sequence[str], clean: Sequence[str]) -> float:
    right = [way(d) == way(c) for d, c in zip(dirty, clean, strict=False)]
    return float(sum(right) / len(right))


def _faults_table(ways: dict[str, Way], rng: random.Random) -> None:
    """Prints, for each fault, the share of 500 names that each way restores."""
    names = clean_names(500, rng)
    faults = {label: change for label, (_, change) in name_faults().items() if label != "clean"}
    print("\nright by fault, % of the names that the fault changes; merged: clean names lost")
    print(f"  {'':24s}" + "".join(f"{label:>14s}" for label in [*faults, "merged"]))
    for label, way in ways.items():
        shares = []
        for change in faults.values():
            changed = [(change(name), name) for name in names if change(name) != name]
            shares.append(100 * _share_right(way, *zip(*changed, strict=True)))
        merged = len(names) - len({way(name) for name in names})
        row = "".join(f"{share:14.0f}" for share in shares)
        print(f"  {label:24s}{row}{merged:14d}")


def bench_births(count: int, repeat: int, rng: random.Random) -> None:
    """Measures distinct birth dates: speed, and how many give the day that was meant."""
    births, meant = made_births(count, rng)
    array, series, today = pa.array(births), pd.Series(births), date.today()
    ways: dict[str, Way] = {
        "parse_birth, row by row": lambda raw: parse_birth(raw, today).date,
        "pandas to_datetime, row by row": pandas_birth,
    }
    sample = births[:SLOW_SAMPLE]
    speeds = {"normalise_births": rate(lambda: normalise_births(array), len(births), repeat)}
    for label, way in ways.items():
        speeds[label] = rate(lambda way=way: list(map(way, sample)), len(sample), repeat)  # type: ignore[misc]
    mixed: Callable[[], Any] = lambda: pd.to_datetime(  # noqa: E731
        series, dayfirst=True, errors="coerce", format="mixed"
    )
    speeds["pandas to_datetime, mixed"] = rate(mixed, len(births), 1)
    right = {
        label: statistics.mean(way(b) == m for b, m in zip(sample, meant, strict=False))
        for label, way in ways.items()
    }
    _table(f"birth dates ({len(births):,} distinct)", speeds, right)


def bench_numbers(count: int, repeat: int, rng: random.Random) -> None:
    """Measures distinct personal numbers: speed, and how many give the right number."""
    numbers, meant = made_numbers(count, rng, DAMAGED)
    array, series = pa.array(numbers), pd.Series(numbers)
    ways: dict[str, Way] = {
        "parse_number, row by row": lambda raw: parse_number(raw).number,
        "naive: digits, zfill": naive_number,
    } | alternatives.number_packages()
    speeds = {
        "normalise_numbers": rate(lambda: normalise_numbers(array, "id"), count, repeat),
        "pandas apply of parse_number": rate(
            lambda: series.apply(lambda raw: parse_number(raw).number), count, 1
        ),
    }
    for label, way in ways.items():
        speeds[label] = rate(lambda way=way: list(map(way, numbers)), count, repeat)  # type: ignore[misc]
    right = {
        label: statistics.mean(way(n) == m for n, m in zip(numbers, meant, strict=True))
        for label, way in ways.items()
    }
    _table(f"personal numbers ({count:,} distinct, {DAMAGED:.0%} damaged)", speeds, right)


# --- a whole table --------------------------------------------------------------------------------


def bench_table(rows: int, rng: random.Random) -> None:
    """Measures a table in which a fifth of the strings are distinct, through the dictionaries."""
    distinct = rows // 5
    people = pa.table({
        "n": pa.array(range(distinct)),
        "full_name": _filled_up(made_names(distinct, rng)[0], distinct),
        "date_of_birth": _filled_up(made_births(distinct, rng)[0], distinct),
        "id_number": made_numbers(distinct, rng, DAMAGED)[0],
    })  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "warehouse.duckdb"
        with open_warehouse(file, key=RecordKey(bytes(32))) as warehouse:
            _fill(warehouse.connection, people, rows)
            del people
            _time_dictionaries(warehouse, rows)
    _time_rows_one_by_one(rows, rng)


def _filled_up(strings: list[str], count: int) -> list[str]:
    """Repeats strings up to the number that is needed, because there are only so many dates."""
    return (strings * (count // len(strings) + 1))[:count]


def _fill(connection: duckdb.DuckDBPyConnection, people: pa.Table, rows: int) -> None:
    """Makes a raw insurance table that draws its rows from the people."""
    connection.register("people", people)
    drawn = {name: name for name in people.column_names} | {
        "gender": "if(row_number % 2 = 0, 'Nam', 'Nữ')",
        "health_insurance": "'1'",
    }
    for register, contract in REGISTERS.items():
        columns = [column.name for column in contract]
        selected = ", ".join(
            f"{drawn[c] if register == 'insurance' and c in drawn else 'null::varchar'} as {c}"
            for c in columns
        )
        count = rows if register == "insurance" else 0
        connection.execute(
            f"create table raw.{register} as select {selected} from range({count}) "
            f"as drawn (row_number) inner join people on people.n = row_number % {len(people)}"
        )
    connection.unregister("people")
    connection.execute("checkpoint")


_LOOKED_UP = """
    select
        count(names.name_key), count(births.birth_year), count(genders.value),
        count(if(ids.raw is null, recorded.id_number, ids.number))
    from raw.insurance as recorded
    left join clean.names as names on recorded.full_name = names.raw
    left join clean.births as births on recorded.date_of_birth = births.raw
    left join clean.genders as genders on recorded.gender = genders.raw
    left join clean.numbers as ids on ids.field = 'id' and recorded.id_number = ids.raw
"""


def _time_dictionaries(warehouse: Warehouse, rows: int) -> None:
    print(f"\na table of {rows:,} rows, {os.cpu_count()} cores")
    total = 0.0
    for table in dictionaries.tables():
        start = time.perf_counter()
        new = dictionaries.extend(warehouse, table).new
        seconds = time.perf_counter() - start
        total += seconds
        print(f"  {table:10s} {new:12,} distinct strings understood and kept in {seconds:7.2f} s")
    start = time.perf_counter()
    warehouse.rows(_LOOKED_UP)
    looked_up = time.perf_counter() - start
    print(f"  each row looked up in {looked_up:.2f} s")
    print(f"  first run: {rows / (total + looked_up):,.0f} rows/s, names, numbers and dates")
    start = time.perf_counter()
    for table in dictionaries.tables():
        dictionaries.extend(warehouse, table)
    warehouse.rows(_LOOKED_UP)
    again = time.perf_counter() - start
    print(f"  a later run, nothing new: {rows / again:,.0f} rows/s")


def _time_rows_one_by_one(rows: int, rng: random.Random) -> None:
    """Measures the obvious ways on a sample of the same rows."""
    count = SLOW_SAMPLE
    frame = pd.DataFrame({
        "name": made_names(count, rng)[0][:count] * 1,
        "born": _filled_up(made_births(count, rng)[0], count),
        "number": made_numbers(count, rng, DAMAGED)[0],
    })  # fmt: skip
    today = date.today()

    def one(name: str, born: str, number: str) -> tuple[object, ...]:
        return parse_name(name), parse_birth(born, today), parse_number(number)

    loop = rate(lambda: [one(*row) for row in frame.itertuples(index=False, name=None)], count, 3)
    apply = rate(
        lambda: frame.apply(lambda row: one(row["name"], row["born"], row["number"]), axis=1),
        count,
        3,
    )
    print(f"  row by row in Python: {loop:,.0f} rows/s; pandas apply: {apply:,.0f} rows/s")
    print(f"  ({rows / loop:,.0f} s and {rows / apply:,.0f} s for the whole table)")


def main() -> None:
    """Runs every comparison and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=200_000)
    parser.add_argument("--rows", type=int, default=10_000_000, help="0 leaves the table out")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311
    warnings.filterwarnings("ignore", message="Parsing dates in", category=UserWarning)
    if alternatives.missing():
        print(f"Not installed, so not compared: {', '.join(alternatives.missing())}.")
        print("What to do: .uv/bin/uv sync --group bench")
    bench_names(options.names, options.repeat, rng)
    bench_births(options.names, options.repeat, rng)
    bench_numbers(options.names // 4, options.repeat, rng)
    if options.rows:
        bench_table(options.rows, rng)


if __name__ == "__main__":
    main()
