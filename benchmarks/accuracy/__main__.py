"""The command: ``python -m benchmarks.accuracy [simulated|crowded|febrl4|all]``.

Belongs here: options. Does not belong here: measuring.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.accuracy import report
from benchmarks.accuracy.report import Section
from benchmarks.accuracy.simulated import REPORT_SEEDS


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="How right doisoat is, beside the truth and beside other tools.",
    )
    parser.add_argument("what", nargs="?", default="all",
                        choices=["simulated", "crowded", "febrl4", "all"])  # fmt: skip
    parser.add_argument("--citizens", type=int, help="1,000,000 simulated, 270,000 crowded")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(REPORT_SEEDS),
                        help="reported: 101 102 103; for tuning: 1 to 9")  # fmt: skip
    parser.add_argument("--home", type=Path, help="keep registers and warehouses here")
    parser.add_argument("--json", type=Path, help="write the tables as JSON, too")
    parser.add_argument("--markdown", type=Path, help="write the tables as Markdown, too")
    parser.add_argument("--charts", type=Path, metavar="DIR",
                        help="simulated, crowded: precision and recall by threshold")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="crowded and febrl4: only doisoat")
    return parser.parse_args()


def _measure(options: argparse.Namespace, home: Path, what: str) -> Sequence[Section]:
    if what == "simulated":
        from benchmarks.accuracy import simulated

        return simulated.run(options.citizens or 1_000_000, options.seeds, home, options.charts)
    if what == "crowded":
        from benchmarks.accuracy import crowded

        citizens = options.citizens or crowded.CITIZENS
        return crowded.run(
            citizens, options.seeds, home, alone=options.quick, charts=options.charts
        )
    from benchmarks.accuracy import febrl4

    return febrl4.run(home, alone=options.quick)


def main() -> None:
    """Measures and prints."""
    options = _options()
    chosen = ["simulated", "crowded", "febrl4"] if options.what == "all" else [options.what]
    sections: list[Section] = []
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for what in chosen:
            found = _measure(options, home, what)
            for section in found:
                report.show(section)
            sections += found
    seeds = " ".join(map(str, options.seeds))
    report.console.print(f"python {sys.version.split()[0]}, seeds {seeds}")
    report.write(sections, options.json, options.markdown)


if __name__ == "__main__":
    main()
