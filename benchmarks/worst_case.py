"""What the worst string costs: every parse function reads random and hostile strings.

    python -m benchmarks.worst_case [--strings 100000]

Belongs here: strings that no register should hold, and the longest time that one of them takes. An
exception ends the run and shows the string, so this is also a fuzz test of these functions.
Processor time is counted. A long time is measured again and the shortest one counts, because other
processes may have caused it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from etl.normalise import parse_birth, parse_flag, parse_gender, parse_name, parse_number

LONGEST = 5_000
_ALPHABETS = (
    "".join(map(chr, range(32, 127))),
    "".join(map(chr, range(1, 256))),
    "".join(map(chr, range(0x80, 0x100))),
    "".join(map(chr, range(0x300, 0x370))),
    "".join(map(chr, range(0x1EA0, 0x1EFA))) + "nghtc ",
    "".join(map(chr, [*range(0xD7FF), *range(0xE000, 0x10FFFF, 97)])),
    "".join(map(chr, range(0x1D400, 0x1D7FF))),
    "NguyễnVăn AÔÞßØøãò'-.()|/0123456789ÃáºΒвđÐ\u0301\u200b?\u00ad\u00a0",
    "0123456789/-. :TZ+EelOo'",
)
# Each is hard for some rule: about encodings, accents, separators or dates.
_UNITS = (
    "a", " ", "'", "-", "Nguyễn ", "NguyÔn ", "Ã¡»", "á»…", "(", "[(", "\u0301", "a\u0301\u0323",
    "\u0323\u0301", "\u200b", "0a0", "?a", "|", "1|", "1/", "12/", "00", "E+", "Con bà ", "Ng. ",
    "ß", "İ", "a^'", "~a", "\x80a", "𝐀", "Ａ", "Ð", "а", "H'", "..", "\ud800", "1 ", "١", "½",
    "ﬃ", "﷽", "\u1100\u1161", "ngày ", "x/", "??/", "c¬", "\xad", "ễ", "1;", "và ", "00:00:00 ",
)  # fmt: skip

FUNCTIONS: dict[str, Callable[[str], object]] = {
    "parse_name": parse_name,
    "parse_birth": parse_birth,
    "parse_gender": parse_gender,
    "parse_flag": parse_flag,
    **{
        f"parse_number, {field}": lambda raw, field=field: parse_number(  # type: ignore[misc]
            raw, field=field, birth_year=1962, gender="F"
        )
        for field in ("id", "insurance", "card", "personal")
    },
}


def hostile() -> Iterator[str]:
    """Repeats units to lengths around every limit of the functions."""
    for unit in _UNITS:
        for length in (40, 60, 61, 100, 101, 299, 300, 301, 1_000, LONGEST, LONGEST + 1):
            repeated = (unit * length)[:length]
            yield from (repeated, f"Nguyễn {repeated}"[:length], f"a{repeated}b"[:length])


def drawn(count: int, rng: random.Random) -> Iterator[str]:
    """Makes random strings: most as short as a name, one in a hundred up to 5,000 characters."""
    for _ in range(count):
        length = rng.choice((1, 3, 8, 14, 20, 20, 40, 60, 100, 300))
        if rng.random() < 0.01:
            length = rng.randrange(LONGEST)
        yield "".join(rng.choices(rng.choice(_ALPHABETS), k=length))


def nanoseconds(function: Callable[[str], object], raw: str) -> int:
    """Returns how much processor time one string takes."""
    start = time.thread_time_ns()
    function(raw)
    return time.thread_time_ns() - start


def main() -> None:
    """Gives every string to every function and prints the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311
    worst: dict[str, tuple[int, str]] = dict.fromkeys(FUNCTIONS, (0, ""))
    total: dict[str, int] = dict.fromkeys(FUNCTIONS, 0)
    seen = 0
    for source in (hostile(), drawn(options.strings, rng)):
        for raw in source:
            seen += 1
            for label, function in FUNCTIONS.items():
                taken = nanoseconds(function, raw)
                total[label] += taken
                if taken > worst[label][0]:
                    taken = min(taken, *(nanoseconds(function, raw) for _ in range(3)))
                    worst[label] = max(worst[label], (taken, raw))
    _report(seen, total, worst)


def _report(seen: int, total: dict[str, Any], worst: dict[str, tuple[int, str]]) -> None:
    print(f"{seen:,} strings, none of them raised")
    for label, (taken, raw) in worst.items():
        print(
            f"  {label:24s} mean {total[label] / seen / 1e3:7.1f} us   worst {taken / 1e6:6.3f} ms"
            f"   {len(raw):,} characters: {raw[:12]!a}"
        )


if __name__ == "__main__":
    main()
