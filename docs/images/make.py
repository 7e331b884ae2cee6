"""Makes the pictures of the README from the last demo; needs Debian's chromium.

doisoat demo && doisoat ui &
python docs/images/make.py 'ADDRESS'    # the address that doisoat ui printed, with its token
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from etl.demo.demonstration import config_file
from etl.report import display
from etl.report.figures import read_figures
from etl.settings import load_settings

HERE = Path(__file__).parent
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PAGES = {
    "lineage.png": ("/asset-groups", (1500, 560)),
    "checks.png": (
        "/assets/core/reconciled?view=checks&checkDetail=nobody_dead_is_active",
        (1500, 950),
    ),
}


def picture_pages(browser: Browser, address: str) -> None:
    """Takes the pictures of the UI."""
    person = browser.new_context()
    person.new_page().goto(address)
    for name, (path, (width, height)) in PAGES.items():
        page = person.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.goto(urljoin(address, path))
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(5_000)
        page.screenshot(path=HERE / name)
        page.close()


def picture_result(browser: Browser) -> None:
    """Takes the picture of what a sync prints."""
    figures = read_figures(load_settings(config_file()))
    if figures is None:
        raise SystemExit("There is no demo. Next: doisoat demo")
    display.console = Console(record=True, width=150, force_terminal=True)
    display.show_figures(figures)
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "result.html"
        page_file.write_text(display.console.export_html(), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1460, "height": 400})
        page.goto(page_file.as_uri())
        page.add_style_tag(content="pre { white-space: pre-wrap }")  # as a terminal does
        page.screenshot(path=HERE / "result.png", full_page=True)
        page.close()


def main() -> None:
    """Makes all of them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        picture_result(browser)
        picture_pages(browser, sys.argv[1])
        browser.close()


if __name__ == "__main__":
    main()
