"""The workbench in a real browser: by keyboard, for screen readers, on a phone, in dark mode."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.console_support import CITIZEN_OF, PASSWORD, RECORDS, Served, serving
from tests.support import Registers, from_state

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def served(synced: Callable[..., Registers]) -> Iterator[Served]:
    with serving(synced(list(RECORDS))) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens a user's browser and logs in; any complaint of the browser fails the test."""
    opened: list[Any] = []
    complaints: list[str] = []

    def complain(message: Any) -> None:
        # (A refused answer of ours is an error to the browser's console, too.)
        if message.type in ("error", "warning") and "the server responded" not in message.text:
            complaints.append(message.text)

    def log_in(name: str, **screen: Any) -> Page:
        context = browser.new_context(base_url=served.url, locale="vi-VN", **(DESK | screen))
        opened.append(context)
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: not url.endswith("/login"))
        return page

    yield log_in
    for context in opened:
        context.close()
    assert complaints == []


def test_a_case_is_decided_by_keyboard_alone(visit: Callable[..., Page], served: Served) -> None:
    page = visit("lan")
    page.goto("/queue/review?why=partial_agreement")
    page.keyboard.press("n")  # opens the first case
    page.wait_for_url(re.compile("/case/"))
    before = page.url
    page.keyboard.press("1")
    page.keyboard.press("r")
    page.keyboard.type("đã xem căn cước, số 1 và chữ n")  # letters of a reason do not act as keys
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/case/" in url and url != before)
    assert "Đã quyết định; áp dụng từ lần chạy sau." in page.get_by_role("status").inner_text()
    (made,) = from_state(served.pair.settings, "select * from {decisions}")
    assert (made["verdict"], made["decided_by"]) == ("link", "lan")
    assert made["reason"] == "đã xem căn cước, số 1 và chữ n"
    here = page.url
    page.keyboard.press("s")
    page.wait_for_url(lambda url: url != here)
    assert len(from_state(served.pair.settings, "select * from {decisions}")) == 1


def test_a_queue_is_filtered_in_place(visit: Callable[..., Page]) -> None:
    page = visit("mai")
    page.goto("/queue/review")
    assert page.get_by_text("doubt01").count() == 1
    page.select_option("select[name=province]", "79")
    page.wait_for_url(re.compile("province=79"))
    page.get_by_text("doubt01").wait_for(state="detached")
    assert page.get_by_text("doubt79").count() == 1


def test_every_page_works_without_scripts(visit: Callable[..., Page], served: Served) -> None:
    page = visit("lan", java_script_enabled=False)
    page.goto("/queue/review")
    page.click("text=doubt79")
    page.check(f"[value='link:{CITIZEN_OF['doubt79']}']")
    page.fill("#reason", "đã xem")
    page.click("text=Ghi quyết định")
    page.get_by_role("status").wait_for()  # what the page after a decision says
    assert "/case/" in page.url
    assert len(from_state(served.pair.settings, "select * from {decisions}")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(
    visit: Callable[..., Page], served: Served, screen: dict[str, Any], scheme: str
) -> None:
    """Nothing is wider than the screen, either."""
    from axe_playwright_python.sync_playwright import Axe

    steward, administrator = (
        visit(name, color_scheme=scheme, **screen) for name in ("mai", "quan")
    )
    found = []
    twin, doubt = (f"/case/{served.key(one)}" for one in ("twin79", "doubt79"))
    for page, paths in (
        (
            steward,
            (
                "/",
                "/queue/review",
                "/queue/shared",
                twin,
                doubt,
                "/search",
                "/asked",
                "/decided",
                "/no",
            ),
        ),
        (administrator, ("/access", "/users")),
    ):
        for path in paths:
            page.goto(path)
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, path
            report = Axe().run(page)
            assert report.response["passes"]
            found += [
                (path, one["id"], one["nodes"][0]["html"][:200])
                for one in report.response["violations"]
                if one["impact"] in ("serious", "critical")
            ]
    assert found == []


def test_the_focus_is_where_the_message_is(visit: Callable[..., Page], served: Served) -> None:
    from playwright.sync_api import expect

    page = visit("lan")
    page.goto(f"/case/{served.key('doubt79')}")
    page.evaluate("document.getElementById('reason').required = false")
    page.click("text=Ghi quyết định")
    expect(page.locator("[data-focus]")).to_be_focused()
