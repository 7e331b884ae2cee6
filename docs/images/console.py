"""Makes the pictures of docs/stewards.md from the last demo; needs Debian's chromium.

doisoat demo && doisoat console user add lan --province 79 && doisoat console &
DOISOAT_PASSWORD=… python docs/images/console.py lan
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from make import OPTIONS
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
ADDRESS = "http://127.0.0.1:3080"


def take(page: Page, name: str, height: int) -> None:
    """Takes one picture."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.screenshot(path=HERE / f"console_{name}.png")


def main() -> None:
    """Logs in and walks through the workbench."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_context(base_url=ADDRESS, locale="vi-VN").new_page()
        page.goto("/login")
        page.fill("#name", sys.argv[1])
        page.fill("#password", os.environ["DOISOAT_PASSWORD"])
        page.keyboard.press("Enter")
        page.wait_for_url(ADDRESS + "/")
        take(page, "home", 720)
        page.goto("/queue/review")
        take(page, "queue", 640)
        page.goto("/queue/review?chance=high")
        page.click("#next")
        page.wait_for_url(re.compile("/case/"))
        page.keyboard.press("1")
        take(page, "case", 1000)
        browser.close()


if __name__ == "__main__":
    main()
