"""How fast normalisation is, against the obvious ways to do the same.

    python benchmarks/normalise.py [--names 200000] [--repeat 5]

Belongs here: strings like those of a register (made from name frequencies, with a register's
faults), the timing, and a table of medians. Prints strings per second on one core, and for names
how many of the dirty spellings each way brings back to the clean name.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa

from etl.normalise import parse_birth, parse_name, parse_number
from etl.normalise.bulk import normalise_births, normalise_names, normalise_numbers
from etl.normalise.files import read_rows
from etl.normalise.legacy import single_byte_tables, vni_table

Faults = list[tuple[float, Callable[[str], str]]]


def _replacer(table: dict[str, str]) -> Callable[[str], str]:
    return lambda name: "".join(table.get(letter, letter) for letter in name)


def name_faults() -> Faults:
    """What registers do to names, with the shares of the sample registers."""
    tcvn3 = {letter: chr(code) for code, letter in single_byte_tables()["tcvn3"].items()}
    vni: dict[str, str] = {}
    for source, letter in vni_table().items():
        vni.setdefault(letter, source)
    return [
        (0.62, str),
        (0.26, str.upper),
        (0.03, str.lower),
        (0.025, lambda name: "  " + name.replace(" ", "   ")),
        (0.02, lambda name: unicodedata.normalize("NFD", name)),
        (0.01, lambda name: name.replace(" ", "\u00a0")),
        (0.01, lambda name: name.replace("Đ", "Ð").replace("đ", "ð")),
        (0.01, lambda name: name.replace("òa", "oà").replace("úy", "uý")),
        (0.01, _replacer(tcvn3)),
        (0.005, _replacer(vni)),
    ]


def made_names(count: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """Distinct dirty names, and the clean name of each."""
    rows = read_rows("name_frequencies.csv", "etl")
    parts = {}
    for part in ("surname", "middle", "given"):
        chosen = [row for row in rows if row["part"] == part and len(row["value"]) > 1]
        parts[part] = (
            [row["value"] for row in chosen],
            [float(row["share_percent"]) for row in chosen],
        )
    weights, changes = zip(*name_faults(), strict=True)
    found: dict[str, str] = {}
    while len(found) < count:
        columns = [
            rng.choices(*parts[part], k=5_000) for part in ("surname", "middle", "given", "given")
        ]
        for surname, middle, second, given in zip(*columns, strict=True):
            words = (surname, middle, second, given) if rng.random() < 0.5 else (
                surname, middle, given)  # fmt: skip
            name = " ".join(" ".join(words).split())
            found.setdefault(rng.choices(changes, weights)[0](name), name)
    dirty = list(found)[:count]
    return dirty, [found[name] for name in dirty]


def made_births(count: int, rng: random.Random) -> list[str]:
    """Birth dates in the forms of the sample registers."""
    forms = ["%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%Y%m%d", "%d.%m.%Y", "%Y-%m-%d 00:00:00", "%Y"]
    days = [date(1930, 1, 1) + timedelta(rng.randrange(35_000)) for _ in range(count)]
    return [day.strftime(rng.choice(forms)) for day in days]


def made_numbers(count: int, rng: random.Random) -> list[str]:
    """Personal numbers, four in seven damaged."""
    numbers = [f"{rng.randrange(1, 97):03d}{rng.randrange(4)}{rng.randrange(10**8):08d}"
               for _ in range(count)]  # fmt: skip
    changes = [str, str, str, lambda n: n.lstrip("0"), lambda n: n + ".0", lambda n: "'" + n,
               lambda n: f"{n[:3]} {n[3:6]} {n[6:]}"]  # fmt: skip
    return [rng.choice(changes)(number) for number in numbers]


def naive_name(raw: str) -> str:
    """What a first script does: compose, trim, capitalise."""
    return " ".join(unicodedata.normalize("NFC", raw).split()).title()


def naive_births(raw: Sequence[str]) -> list[date | None]:
    """Row by row through pandas' own parser, day first."""
    parsed = pd.to_datetime(pd.Series(raw), dayfirst=True, errors="coerce", format="mixed")
    return list(parsed.dt.date)


def naive_number(raw: str) -> str:
    """Digits only, padded to twelve."""
    return "".join(c for c in raw.removesuffix(".0") if c.isdigit()).zfill(12)


def rate(work: Callable[[], object], rows: int, repeat: int) -> float:
    """Median rows per second."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return rows / statistics.median(seconds)


def share_right(found: Sequence[str | None], clean: Sequence[str]) -> float:
    """Share of dirty names brought to the spelling that the clean name has."""
    ways = {name: naive_name(name) for name in set(clean)}
    expected = {name: {ways[name], parse_name(name).canonical} for name in set(clean)}
    return sum(f in expected[c] for f, c in zip(found, clean, strict=True)) / len(clean)


def bench_names(count: int, repeat: int, rng: random.Random) -> None:
    """Names: speed and correctness."""
    dirty, clean = made_names(count, rng)
    array, series = pa.array(dirty), pd.Series(dirty)
    normalise_names(array.slice(0, 20_000))  # warm: the lexicon fills once per process
    ways: dict[str, Callable[[], Sequence[str | None]]] = {
        "normalise_names, one core": lambda: list(
            normalise_names(array, 1)["canonical"].to_pylist()
        ),
        "normalise_names, all cores": lambda: list(
            normalise_names(array, 8)["canonical"].to_pylist()
        ),
        "parse_name, row by row": lambda: [parse_name(name).canonical for name in dirty],
        "pandas apply of parse_name": lambda: list(series.apply(lambda n: parse_name(n).canonical)),
        "naive: NFC, split, title": lambda: [naive_name(name) for name in dirty],
        "pandas str: normalize, title": lambda: list(
            series.str.normalize("NFC").str.split().str.join(" ").str.title()
        ),
    }
    print(f"\nnames ({count:,} distinct)")
    for label, work in ways.items():
        speed = rate(work, count, repeat)
        print(f"  {label:32s} {speed:12,.0f}/s   {share_right(work(), clean):7.2%} right")


def bench_others(count: int, repeat: int, rng: random.Random) -> None:
    """Births and numbers: speed."""
    births, numbers = made_births(count, rng), made_numbers(count, rng)
    birth_array, number_array = pa.array(births), pa.array(numbers)
    birth_series, number_series = pd.Series(births), pd.Series(numbers)
    today = date.today()
    ways: dict[str, Callable[[], object]] = {
        "normalise_births": lambda: normalise_births(birth_array),
        "parse_birth, row by row": lambda: [parse_birth(text, today) for text in births],
        "pandas apply of parse_birth": lambda: birth_series.apply(
            lambda text: parse_birth(text, today).date
        ),
        "pandas to_datetime, mixed": lambda: naive_births(births),
        "normalise_numbers": lambda: normalise_numbers(number_array, "id"),
        "parse_number, row by row": lambda: [parse_number(text) for text in numbers],
        "pandas apply of parse_number": lambda: number_series.apply(
            lambda n: parse_number(n).number
        ),
        "naive: digits, zfill": lambda: [naive_number(text) for text in numbers],
    }
    print(f"\nbirths and numbers ({count:,} strings)")
    for label, work in ways.items():
        print(f"  {label:32s} {rate(work, count, repeat):12,.0f}/s")


def main() -> None:
    """Run every comparison and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311
    bench_names(options.names, options.repeat, rng)
    bench_others(options.names // 4, options.repeat, rng)


if __name__ == "__main__":
    main()
