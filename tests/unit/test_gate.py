"""The gate, request by request: what it lets pass, and that it lets nothing else pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from assets.gate import PROXY_HEADER, Gate, Guarded
from etl.domain.errors import ConfigError
from etl.settings import Ui

PORT = 3000
SECRET = "0123456789abcdef0123456789abcdef"
GATE = Gate(PORT, frozenset({"doisoat.bhxh.example"}), SECRET)
HERE = f"127.0.0.1:{PORT}"


@dataclass
class Answer:
    """The status of the answer; 0 if a web socket was let in, 1008 if it was closed."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


def ask(
    path: str = "/", *, method: str = "GET", query: str = "", kind: str = "http",
    gate: Gate = GATE, **headers: str,
) -> Answer:  # fmt: skip
    given = {"host": HERE, **{name.replace("_", "-").lower(): v for name, v in headers.items()}}
    scope = {
        "type": kind, "path": path, "query_string": query.encode(),
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in given.items()],
    } | ({"method": method} if kind == "http" else {})  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await PlainTextResponse("in")(scope, receive, send)
        else:
            await send({"type": "websocket.accept"})

    # It never waits, so it needs no event loop. (A browser's test may have one in this thread.)
    with pytest.raises(StopIteration):
        Guarded(behind, gate, PORT)(scope, receive, send).send(None)
    first = sent[0]
    if first["type"].startswith("websocket"):
        return Answer(first.get("code", 0))
    told = {n.decode(): v.decode() for n, v in first["headers"]}
    return Answer(first["status"], told)


def known(**headers: str) -> dict[str, str]:
    return {"authorization": f"Bearer {GATE.token}", **headers}


def test_the_token_opens_in_three_ways() -> None:
    assert ask(**known()).status == 200
    for other in ("other=1", 'x={"a":"b"}', "tr=a b", "a/b=1", "[bad]=1", f"{GATE.cookie}=x", ""):
        assert ask(cookie=f"{other}; {GATE.cookie}={GATE.token}").status == 200
        assert ask(cookie=f"{GATE.cookie}={GATE.token};{other}").status == 200
    welcome = ask("/runs/1", query=f"a=1&token={GATE.token}&b=%26")
    assert (welcome.status, welcome.headers["location"]) == (303, "/runs/1?a=1&b=%26")
    cookie = welcome.headers["set-cookie"]
    assert cookie.startswith(f"{GATE.cookie}={GATE.token}; HttpOnly")
    assert "SameSite=lax" in cookie
    assert ask("/graphql", kind="websocket", **known()).status == 0


def test_the_address_with_the_token_leads_nowhere_else() -> None:
    for path in ("//evil.example/x", "/\\evil.example", "///evil.example"):
        place = ask(path, query=f"token={GATE.token}").headers["location"]
        assert place.startswith("/")
        assert not place.startswith(("//", "/\\"))


def test_each_start_has_another_token() -> None:
    assert len({Gate(PORT).token for _ in range(9)}) == 9
    assert len(GATE.token) >= 43  # 256 bits
    assert GATE.token not in repr(GATE)
    assert SECRET not in repr(GATE)


def test_a_trusted_proxy_lets_in_under_its_name() -> None:
    by_proxy = {"host": "doisoat.bhxh.example", PROXY_HEADER: SECRET}
    assert ask(**by_proxy).status == 200
    assert ask(**by_proxy, origin="https://doisoat.bhxh.example", method="POST").status == 200
    assert ask(**by_proxy, origin="https://evil.example", method="POST").status == 403
    assert ask(**{**by_proxy, PROXY_HEADER: SECRET[:-1]}).status == 401
    assert ask(**by_proxy, gate=Gate(PORT, GATE.hosts)).status == 401, "no secret, no proxy"
    assert ask(**{PROXY_HEADER: ""}, gate=Gate(PORT)).status == 401
    assert ask(host="doisoat.bhxh.example:443", **{PROXY_HEADER: SECRET}).status == 421


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    assert Ui(proxy_secret=SECRET).proxy_secret.get_secret_value() == SECRET
    with pytest.raises(ValueError, match="openssl rand -hex 32") as told:
        Ui(proxy_secret="geheim")
    assert "geheim" not in str(told.value.errors(include_input=False)), ConfigError


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        # A link in a mail: the page opens, but can change nothing.
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate",
          "sec_fetch_dest": "document"}, 200),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate",
          "sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors",
          "sec_fetch_dest": "image"}, 403),
        ({"origin": f"http://{HERE}"}, 200),
        ({"origin": f"http://{HERE}:80"}, 403),
        ({"origin": f"http://x@{HERE}"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": f"https://{HERE}"}, 200),
        ({"origin": f"ftp://{HERE}"}, 403),
        ({"origin": f"http://{HERE}/x"}, 403),
        ({"origin": "http://["}, 403),
    ],
)  # fmt: skip
def test_where_a_request_comes_from(headers: dict[str, str], status: int) -> None:
    assert ask(**known(**headers)).status == status
    closed = {200: 0, 403: 1008}[status]
    if "sec_fetch_dest" not in headers:
        assert ask("/graphql", kind="websocket", **known(**headers)).status == closed


def test_a_foreign_form_is_refused_though_browsers_call_it_a_navigation() -> None:
    form = known(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document")
    assert ask("/graphql", method="POST", **form).status == 403


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "//graphql"])
def test_the_api_takes_no_query_by_get(path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = ask(path, method=method, query="query=mutation%20%7B%20x%20%7D", **known())
        assert answer.status == 405
    assert ask("/graphql", method="POST", **known()).status == 200


NAMES = st.sampled_from(
    ["cookie", "authorization", "origin", "x-forwarded-for", "x-forwarded-user", "x-forwarded-host",
     "x-original-url", "forwarded", PROXY_HEADER.lower(), "sec-fetch-site", "referer"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["", "Bearer", "Bearer ", "127.0.0.1", "root", "none", "same-origin", f"{GATE.cookie}=",
         f"{GATE.cookie}=\"\"", f"http://{HERE}", "Basic cm9vdDpyb290"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)  # fmt: skip
PATHS = st.sampled_from(["/", "/server_info", "/graphql", "/index.html", "/../x", "//x"])


@given(
    headers=st.dictionaries(NAMES, VALUES, max_size=4),
    path=PATHS,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"]),
    query=st.sampled_from(["", "token=", "token=x", "token=&token=", "%00", "token"]),
    kind=st.sampled_from(["http", "websocket"]),
)
def test_nothing_passes_without_the_token(
    headers: dict[str, str], path: str, method: str, query: str, kind: str
) -> None:
    assert ask(path, method=method, query=query, kind=kind, **headers).status in (
        401, 403, 405, 1008,
    )  # fmt: skip


@given(host=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_no_other_name_passes(host: str) -> None:
    ours = {HERE, f"localhost:{PORT}", "doisoat.bhxh.example"}
    expected = 200 if host.lower() in ours else 421
    assert ask(**known(host=host)).status == expected
