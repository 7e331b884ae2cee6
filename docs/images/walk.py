"""Makes the pictures of the walk in docs/quality.md: from a red check to the rows; needs chromium.

python docs/images/walk.py

Two small registers are simulated and synced; then three citizens in a hundred lose their names,
as when a column is read wrongly, and the next night's run stops.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from make import HERE, OPTIONS  # the folder of this file is where Python looks first
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from rich.console import Console
from rich.text import Text

from etl.settings import CONFIG_VARIABLE

PORT = 3913
ADDRESS = f"http://127.0.0.1:{PORT}"
RULE = "raw.population.full_name_is_mostly_filled"
CONFIG_FILE = "doisoat.toml"
CONFIG = """
[insurance]
url = "sqlite:///{folder}/insurance.db"
table = "insurance"

[population]
url = "sqlite:///{folder}/population.db"
table = "population"

[target]
url = "sqlite:///{folder}/target.db"
"""


def doisoat(folder: Path, *arguments: str, colour: str = "") -> str:
    """Runs the command as a person would."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("doisoat")), *arguments],
        env={
            **os.environ,
            "FORCE_COLOR": colour,
            "COLUMNS": "110",
            "DOISOAT_CONFIG": "doisoat.toml",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def prepare(folder: Path) -> str:
    """Two nights: a good one, and one whose population register lost names."""
    (folder / CONFIG_FILE).write_text(CONFIG.format(folder=folder), encoding="utf-8")
    urls = [f"sqlite:///{folder}/{name}.db" for name in ("insurance", "population")]
    doisoat(
        folder, "simulate", "--citizens", "3000",
        "--insurance-url", urls[0], "--population-url", urls[1],
    )  # fmt: skip
    doisoat(folder, "sync")
    with sqlite3.connect(folder / "population.db") as register:
        register.execute("update population set full_name = null where rowid % 33 = 0")
    return doisoat(folder, "sync")


def picture_terminal(browser: Browser, name: str, typed: str, printed: str) -> None:
    """Draws what a terminal shows."""
    console = Console(record=True, width=112, force_terminal=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(Text(f"$ {typed}", style="bold"))
    console.print(Text.from_ansi(printed))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "terminal.html"
        file.write_text(console.export_html(), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1000, "height": 300})
        page.goto(file.as_uri())
        page.screenshot(path=HERE / name, full_page=True)
        page.close()


def picture(browser: Browser | BrowserContext, name: str, address: str, height: int = 900) -> None:
    """Takes one page as it is when nothing moves any more."""
    page = browser.new_page()
    page.set_viewport_size({"width": 1400, "height": height})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(5_000)
    page.screenshot(path=HERE / name)
    page.close()


def address_of(ui: subprocess.Popen[str]) -> str:
    """Waits until the UI answers, and returns the address that it prints then."""
    for line in ui.stdout or ():
        if found := re.search(r"http://\S+[?]token=\S+", line):
            return found[0]
    raise SystemExit("The UI does not answer.")


def main() -> None:
    """Makes all pictures."""
    with tempfile.TemporaryDirectory(prefix="registers-") as place:
        folder = Path(place)
        printed = prepare(folder)
        ui = subprocess.Popen(
            [str(Path(sys.executable).with_name("doisoat")), "ui", "--port", str(PORT)],
            env={**os.environ, CONFIG_VARIABLE: CONFIG_FILE},
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = address_of(ui)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=OPTIONS
                )
                schema, table, check = RULE.split(".")
                picture_terminal(browser, "walk_sync.png", "doisoat sync", printed)
                person = browser.new_context()
                person.new_page().goto(address)
                picture(
                    person, "walk_check.png",
                    f"{ADDRESS}/assets/{schema}/{table}?view=checks&checkDetail={check}",
                )  # fmt: skip
                command = ("triage", RULE, "--province", "79")
                rows = doisoat(folder, *command, colour="1")
                picture_terminal(browser, "walk_triage.png", " ".join(("doisoat", *command)), rows)
                docs = folder / ".doisoat" / "data_docs" / f"{schema}.{table}.html"
                picture(browser, "walk_data_docs.png", docs.as_uri(), 1100)
                browser.close()
        finally:
            ui.terminate()
            ui.wait(60)


if __name__ == "__main__":
    main()
