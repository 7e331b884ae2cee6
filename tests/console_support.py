"""A workbench that is served during a test, and the browser of one of its users."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache

import requests
import uvicorn
from argon2 import PasswordHasher

from console.desks import Desks
from console.serving import make_app
from console.workbench import Workbench
from etl.process.web import listening
from etl.state.store import StateSessions
from tests.support import Registers, citizen, free_port, record

Make = Callable[..., Registers]

PASSWORD = "một câu dài dễ nhớ"
EVIL = "<script>alert(1)</script>"

RECORDS = (
    *(record(n) for n in range(1, 11)),
    # In Ho Chi Minh City: two in doubt, a duplicate, and one whose text is an attack on the page.
    record(
        12, record_id="doubt79", full_name="Trần Văn Khác", province_code="79", office="Cơ sở 1"
    ),
    record(
        13,
        record_id="half79",
        date_of_birth="1980-01-02",
        province_code="79",
        insurance_number=record(5)["insurance_number"],
    ),
    record(3, record_id="twin79", insurance_number="7900000099", province_code="79"),
    record(15, record_id="evil79", full_name=f"Trần {EVIL}", province_code="79", office=EVIL),
    record(18, record_id="late79", province_code="79"),  # a test lets the citizen die
    # In Ha Noi, and in no known province.
    record(14, record_id="doubt01", full_name="Lê Văn Khác", address="12 Phố Kín, Hà Nội"),
    record(16, record_id="nowhere", full_name="Lê Văn Lạ", province_code=None),
)
CITIZEN_OF = {
    "doubt79": str(citizen(12)["personal_id"]),
    "doubt01": str(citizen(14)["personal_id"]),
}


@dataclass
class Browser:
    """A user's browser: its cookies, and the token of the page that it saw last."""

    url: str
    session: requests.Session

    def get(self, path: str, status: int = 200, **more: object) -> str:
        answer = self.session.get(self.url + path, allow_redirects=True, timeout=60, **more)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        return answer.text

    def post(self, path: str, form: dict[str, str], status: int = 200) -> requests.Response:
        answer = self.session.post(self.url + path, data=form, timeout=60)
        assert answer.status_code == status, (path, answer.status_code, answer.text[-3000:])
        return answer

    def hidden(self, page: str) -> dict[str, str]:
        """The hidden fields of the page's form of decisions, or of its last form."""
        form = page.partition('id="decide"')[2].partition("</form>")[0] or page
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
        return {name: html.unescape(value) for name, value in fields}


@dataclass
class Served:
    """A workbench that is served.

    Attributes:
        pair: The registers.
        url: The address.
        desks: The desks that it uses.
    """

    pair: Registers
    url: str
    port: int
    desks: Desks
    workbench: Workbench

    def log_in(self, name: str) -> Browser:
        browser = Browser(self.url, requests.Session())
        browser.get("/login")
        browser.post("/login", {"name": name, "password": PASSWORD})
        return browser

    def key(self, record_id: str) -> str:
        """The pseudonym in the address of a record's page."""
        with self.desks.lend() as desk, desk.reader() as warehouse:
            return str(warehouse.value("select record_key($it)", {"it": record_id}))

    def case(self, browser: Browser, record_id: str, status: int = 200) -> str:
        return browser.get(f"/case/{self.key(record_id)}", status)

    def decide(
        self, browser: Browser, record_id: str, answer: str, status: int = 200, **more: str
    ) -> str:
        page = self.case(browser, record_id)
        form = browser.hidden(page) | {"answer": answer, "reason": "đã xem căn cước"} | more
        return browser.post(f"/case/{self.key(record_id)}/decide", form, status).text


@cache
def users() -> str:
    """The file of the users. All have one password, because hashing a password takes a moment."""
    password = PasswordHasher().hash(PASSWORD)
    return json.dumps(
        {
            name: {"role": role, "provinces": provinces, "password": password}
            for name, role, provinces in (
                ("lan", "steward", ["79"]),
                ("huong", "steward", ["79"]),
                ("ha", "steward", ["01"]),
                ("mai", "national", []),
                ("sep", "viewer", []),
                ("sep79", "viewer", ["79"]),
                ("quan", "administrator", []),
            )
        }
    )


@contextmanager
def serving(pair: Registers) -> Iterator[Served]:
    settings = pair.settings
    settings.console_users.write_text(users(), "utf-8")
    port = free_port()
    with (
        listening(port) as taken,
        closing(StateSessions(settings)) as sessions,
        closing(Desks(settings)) as desks,
    ):
        workbench = Workbench(settings, desks, sessions)
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(settings, workbench, port), log_level="error", lifespan="off",
                server_header=False, proxy_headers=False,
            )
        )  # fmt: skip
        taken.listen(16)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        yield Served(pair, f"http://127.0.0.1:{port}", port, desks, workbench)
        server.should_exit = True
        thread.join(20)
