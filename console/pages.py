"""The pages of the workbench: which address shows what, and who may open it.

Belongs here: requests and answers. Does not belong here: what is on a page (``templates``), data
and actions (``workbench.py``), and what a request must have (``guard.py``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from console.guard import TOKEN_FIELD, Guard, Session, Sessions, token_is_right
from console.rendering import Renderer
from console.users import User
from console.words import SAID
from console.workbench import Meanwhile, UnknownColleague, Workbench, may_be_given
from etl.domain.errors import ConfigError, DoisoatError, NothingYetError
from etl.normalise import parse_birth
from etl.process.web import LOOPBACK
from etl.stewards.desk.asking import AGES, CHANCES, MOST_FOUND, QUEUES, Filter

_T = TypeVar("_T")

_FILTERS = ("province", "why", "step", "age", "chance")

LARGEST_FIELD = 10_000
"""Characters of one field of a form."""

LONGEST_REASON = 1_000
"""Characters of a reason."""


class Pages:
    """All pages of one workbench."""

    def __init__(self, workbench: Workbench, sessions: Sessions) -> None:
        """Takes what the pages use.

        Args:
            workbench: Data and actions.
            sessions: Who is logged in.
        """
        self._workbench = workbench
        self._sessions = sessions
        self._render = Renderer(workbench.settings)

    def app(self) -> Starlette:
        """Returns the application, without its guard."""
        everybody, decides, administers = _everybody, _decides, _administers
        return Starlette(
            routes=[
                Route("/login", self.log_in_page, methods=["GET"]),
                Route("/login", self.log_in, methods=["POST"]),
                Route("/logout", self._posted(everybody, self.log_out), methods=["POST"]),
                Route("/language", self._posted(everybody, self.language), methods=["POST"]),
                Route("/", self._shown(everybody, self.home)),
                Route("/queue/{queue}", self._shown(decides, self.queue)),
                Route("/queue/{queue}/next", self._shown(decides, self.next_case)),
                Route("/case/{key}", self._shown(decides, self.case)),
                Route("/case/{key}/decide", self._posted(decides, self.decide), methods=["POST"]),
                Route("/case/{key}/note", self._posted(decides, self.note), methods=["POST"]),
                Route("/case/{key}/skip", self._posted(decides, self.skip), methods=["POST"]),
                Route("/search", self._shown(decides, self.search_page), methods=["GET"]),
                Route("/search", self._posted(decides, self.search), methods=["POST"]),
                Route("/asked", self._shown(decides, self.asked)),
                Route("/decided", self._shown(decides, self.decided)),
                Route("/access", self._shown(administers, self.access)),
                Route("/users", self._shown(administers, self.users)),
                Mount(
                    "/static",
                    StaticFiles(directory=Path(str(files("console").joinpath("static")))),
                ),
            ],
            exception_handlers={
                HTTPException: self.refused,
                DoisoatError: self.failed,
                Exception: self.broken,
            },
        )

    # --- who asks -------------------------------------------------------------------------------

    def _shown(
        self, may: Callable[[User], bool], page: Callable[[Request, User], Response]
    ) -> Callable[[Request], Response]:
        """Makes a page that only users who are logged in and allowed to can open."""

        @wraps(page)
        def answer(request: Request) -> Response:
            user = request.state.user
            if user is None:
                return self._to_log_in(request)
            if not may(user):
                raise HTTPException(403)
            return page(request, user)

        return answer

    def _posted(
        self,
        may: Callable[[User], bool],
        act: Callable[[Request, User, Mapping[str, str]], Response],
    ) -> Callable[[Request], Awaitable[Response]]:
        """Makes an action that only allowed users can do, from a page of their session."""

        @wraps(act)
        async def answer(request: Request) -> Response:
            user: User | None = request.state.user
            if user is None:
                return self._to_log_in(request)
            if not may(user):
                raise HTTPException(403)
            form = _fields(await request.form(max_fields=50, max_files=0))
            if not token_is_right(_session(request), form.get(TOKEN_FIELD, "")):
                raise HTTPException(403, "old_form")
            return await run_in_threadpool(act, request, user, form)

        return answer

    def _to_log_in(self, request: Request) -> Response:
        if request.state.proxied is not None:  # the proxy has authenticated already
            raise HTTPException(403)
        place = request.url.path.removesuffix("/decide").removesuffix("/note").removesuffix("/skip")
        ended = {"ended": "yes"} if request.method == "POST" else {}
        query = urlencode({"next": place, **ended}) if place != "/" else ""
        return RedirectResponse(f"/login?{query}", status_code=303)

    def log_in_page(self, request: Request) -> Response:
        """Asks for name and password."""
        place = _own_path(request.query_params.get("next", "/"))
        if request.state.user is not None:
            return RedirectResponse(place, status_code=303)
        wrong = "session_ended" if request.query_params.get("ended") else None
        return self._render.page(request, "login.html", {"wrong": wrong, "next": place})

    async def log_in(self, request: Request) -> Response:
        """Begins a session."""
        form = _fields(await request.form(max_fields=10, max_files=0))
        name, address = form.get("name", "").strip(), request.client.host if request.client else ""
        # (Behind a proxy, and on this machine, all requests come from one address.)
        who = [f"name {name}", *([f"address {address}"] if address != LOOPBACK else [])]
        place = _own_path(form.get("next", "/"))
        if self._sessions.must_wait(*who):
            answer = self._render.page(
                request, "login.html", {"wrong": "too_many_tries", "next": place}, 429
            )
            answer.headers["Retry-After"] = "600"
            return answer
        user = await run_in_threadpool(self._workbench.users.check, name, form.get("password", ""))
        if user is None:
            self._sessions.failed(*who)
            return self._render.page(
                request, "login.html", {"wrong": "wrong_password", "next": place}, 401
            )
        secret = self._sessions.begin(user, form.get("language", "vi"))
        return _with_cookie(RedirectResponse(place, status_code=303), request, secret)

    def log_out(self, request: Request, _user: User, _form: Mapping[str, str]) -> Response:
        """Ends the session."""
        self._sessions.end(request.state.secret)
        return _with_cookie(RedirectResponse("/login", status_code=303), request, "")

    def language(self, request: Request, _user: User, form: Mapping[str, str]) -> Response:
        """Changes the language, and shows the same page."""
        session = _session(request)
        session.language = "en" if session.language == "vi" else "vi"
        return RedirectResponse(_own_path(form.get("back", "/")), status_code=303)

    # --- lists ----------------------------------------------------------------------------------

    def home(self, request: Request, user: User) -> Response:
        """What is open, what was decided this week, the run's headline."""
        if user.administers:  # administrators see neither records nor counts
            return RedirectResponse("/access", status_code=303)
        return self._page(request, "home.html", self._workbench.home(user))

    def queue(self, request: Request, user: User) -> Response:
        """One queue."""
        wanted = _filter(request)
        found = self._workbench.queue(user, wanted, _after(request))
        last = found["rows"][-1] if found["rows"] else None
        return self._page(
            request, "queue.html",
            found | {
                "wanted": wanted, "ages": AGES, "chances": CHANCES,
                "query": _query(wanted), "more": last["place"] if last else 0,
                "is_first": not _after(request),
            },
        )  # fmt: skip

    def next_case(self, request: Request, user: User) -> Response:
        """Leads to the next case of a queue, or back to the queue where there is none."""
        wanted = _filter(request)
        row = self._workbench.next_case(user, wanted, _after(request))
        if row is None:
            return RedirectResponse(f"/queue/{wanted.queue}?{_query(wanted)}", status_code=303)
        return RedirectResponse(_address(row, wanted), status_code=303)

    def search_page(self, request: Request, _user: User) -> Response:
        """Shows the form of the search."""
        return self._page(
            request, "search.html", {"found": None, "asked": "", "born": "", "unread": False}
        )

    def search(self, request: Request, user: User, form: Mapping[str, str]) -> Response:
        """Shows what is found. The address omits the search, because logs keep addresses."""
        asked, born = form.get("asked", ""), form.get("born", "")
        found = self._workbench.search(user, asked, born) if asked.strip() else []
        unread = bool(born.strip()) and parse_birth(born).year is None
        cut = len(found) == MOST_FOUND
        told = {"found": found, "asked": asked, "born": born, "unread": unread, "cut": cut}
        return self._page(request, "search.html", told)

    def asked(self, request: Request, user: User) -> Response:
        """What colleagues ask of the user."""
        return self._page(request, "asked.html", {"notes": self._workbench.asked(user)})

    def decided(self, request: Request, user: User) -> Response:
        """What the user has decided this week: to look at it again, or to take it back."""
        return self._page(request, "decided.html", {"rows": self._workbench.decided(user)})

    def access(self, request: Request, _user: User) -> Response:
        """The last lines of the access log."""
        by, key = (request.query_params.get(name, "")[:128] for name in ("by", "key"))
        told = {
            "rows": self._workbench.accesses(by, key), "by": by, "key": key,
            "names": self._workbench.users.names(),
        }  # fmt: skip
        return self._page(request, "access.html", told)

    def users(self, request: Request, _user: User) -> Response:
        """Who may use the workbench."""
        return self._page(request, "users.html", {"users": self._workbench.users.all()})

    # --- one case -------------------------------------------------------------------------------

    def case(self, request: Request, user: User) -> Response:
        """A case."""
        return self._case(request, user, {})

    def _case(
        self, request: Request, user: User, said: Mapping[str, Any], status: int = 200
    ) -> Response:
        case = self._workbench.case(user, request.path_params["key"])
        wanted = _filter(request)
        waits = [row for row in case.waits if row["queue"] == wanted.queue] or list(case.waits)
        return self._page(
            request, "case.html",
            {
                "case": case, "wanted": wanted, "query": _query(wanted),
                "place": waits[0]["place"] if waits else 0, "form": {}, "error": None,
                "colleagues": self._workbench.colleagues(user, case), "compared": None,
                "meanwhile": False, **said,
            },
            status,
        )  # fmt: skip

    def decide(self, request: Request, user: User, form: Mapping[str, str]) -> Response:
        """Writes a decision, and leads to the next case."""
        key = request.path_params["key"]
        if wrong := self._wrong(request, user, form):
            return wrong
        undoes = form["answer"] == "undo"
        answers, seen = _answers(form), form.get("seen", "")
        try:
            answer = self._workbench.decide(user, key, answers, form["reason"], seen)
        except Meanwhile as other:
            said = {"error": SAID[other.args[0]], "meanwhile": other.args[0] == "decided_meanwhile"}
            kept = {"reason": form["reason"]}  # the answer must be chosen again
            return self._case(request, user, {"form": kept} | said, 409)
        except ConfigError:
            said = {"form": form, "error": SAID["cannot_be_decided"]}
            return self._case(request, user, said, 422)
        session = _session(request)
        if undoes:
            session.said.append(("undone", ""))
            return RedirectResponse(f"/case/{key}?{_query_of(request)}", status_code=303)
        session.said.append(("decided_applies" if answer.is_new else "same_already", key))
        return self._next_after(request, form)

    def _wrong(self, request: Request, user: User, form: Mapping[str, str]) -> Response | None:
        """Says what is missing from a decision, before it is checked whether it can be made."""
        answer, reason = form.get("answer", ""), form.get("reason", "").strip()
        error = None
        if not answer:
            error = "choose_one"
        elif not reason:
            error = "reason_needed"
        elif len(reason) > LONGEST_REASON:
            error = "reason_too_long"
        if error:
            return self._case(request, user, {"form": form, "error": SAID[error]}, 422)
        return self._of_nobody_proposed(request, user, form) if answer == "other" else None

    def _of_nobody_proposed(
        self, request: Request, user: User, form: Mapping[str, str]
    ) -> Response | None:
        """Asks for a confirmation before a record is given to a citizen whom nobody proposed.

        It shows how the two agree, and never who the citizen is.
        """
        number = "".join(form.get("citizen", "").split())
        if not (len(number) == 12 and number.isdecimal()):
            told = {"form": form, "error": SAID["number_needed"]}
            return self._case(request, user, told, 422)
        tries = f"citizens of {user.name}"
        if self._sessions.must_wait(tries):
            told = {"form": form, "error": SAID["too_many_numbers"]}
            return self._case(request, user, told, 429)
        if form.get("confirmed") == number:
            return None
        found = self._workbench.compare(user, request.path_params["key"], number)
        self._sessions.failed(tries)
        if found is None:
            return self._case(request, user, {"form": form, "error": SAID["unknown_citizen"]}, 422)
        if not may_be_given(user, found):
            told = {"form": form, "error": SAID["too_different"], "compared": found}
            return self._case(request, user, told, 422)
        told = {"form": {**form, "confirmed": number}, "compared": found}
        return self._case(request, user, told, 200)

    def note(self, request: Request, user: User, form: Mapping[str, str]) -> Response:
        """Writes a note."""
        key = request.path_params["key"]
        try:
            asked = form.get("asked", "").strip()
            self._workbench.note(user, key, form.get("note", ""), asked)
        except UnknownColleague:
            said = {"form": form, "error": SAID["unknown_colleague"]}
            return self._case(request, user, said, 422)
        except ConfigError:
            return self._case(request, user, {"form": form, "error": SAID["note_needed"]}, 422)
        _session(request).said.append(("note_written", ""))
        return RedirectResponse(f"/case/{key}?{_query_of(request)}#notes", status_code=303)

    def skip(self, request: Request, user: User, form: Mapping[str, str]) -> Response:
        """Leaves a case, and leads to the next."""
        self._workbench.skip(user, request.path_params["key"])
        return self._next_after(request, form)

    def _next_after(self, request: Request, form: Mapping[str, str]) -> Response:
        wanted = _filter(request)
        after = urlencode({"after": form.get("place", "0")})
        address = f"/queue/{wanted.queue}/next?{_query(wanted)}&{after}"
        return RedirectResponse(address, status_code=303)

    # --- what goes wrong ------------------------------------------------------------------------

    def refused(self, request: Request, error: Exception) -> Response:
        """Shows why a page is refused."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = error.detail if isinstance(error, HTTPException) else ""
        what = {403: "not_allowed", 404: "no_page"}.get(status, "out_of_order")
        advice = "not_allowed_advice" if status == 403 else ""
        if detail in SAID:
            what, advice = detail, ""
        return self._render.page(request, "refused.html", {"what": what, "advice": advice}, status)

    def failed(self, request: Request, error: Exception) -> Response:
        """Shows in words what did not work."""
        if isinstance(error, NothingYetError):
            said = {"what": "no_result", "advice": ""}
            return self._render.page(request, "refused.html", said, 503)
        if isinstance(error, ConfigError):
            said = {"what": "not_here", "advice": "not_here_advice"}
            return self._render.page(request, "refused.html", said, 404)
        return self._render.page(
            request, "refused.html", {"what": "out_of_order", "advice": "", "problem": error}, 503
        )

    def broken(self, request: Request, _error: Exception) -> Response:
        """Shows that an error has happened, without details of the request."""
        said = {"what": "out_of_order", "advice": ""}
        return self._render.page(request, "refused.html", said, 500)

    def _page(
        self, request: Request, template: str, told: Mapping[str, Any], status: int = 200
    ) -> Response:
        session = _session(request)
        said, session.said = session.said, []
        user: User = request.state.user
        asked = self._workbench.how_many_asked(user) if user.decides else 0
        shared = {"run": self._run(), "said": said, "queues": QUEUES, "asked_of_me": asked}
        return self._render.page(request, template, {**shared, **told}, status)

    def _run(self) -> Mapping[str, Any] | None:
        try:
            return self._workbench.run()
        except NothingYetError:
            return None


def _everybody(_user: User) -> bool:
    return True


def _decides(user: User) -> bool:
    return user.decides


def _administers(user: User) -> bool:
    return user.administers


def _session(request: Request) -> Session:
    session: Session = request.state.session
    return session


def _with_cookie(answer: Response, request: Request, secret: str) -> Response:
    guard: Guard = request.state.guard
    answer.headers["Set-Cookie"] = guard.set_cookie(request.headers, secret)
    return answer


def _fields(form: FormData) -> dict[str, str]:
    return {name: value[:LARGEST_FIELD] for name, value in form.items() if isinstance(value, str)}


def _own_path(path: str) -> str:
    """Returns a path of this server, so that no address can redirect users elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _filter(request: Request) -> Filter:
    queue = request.path_params.get("queue") or request.query_params.get("queue", "review")
    if queue not in QUEUES:
        raise HTTPException(404)
    return Filter(queue, *(request.query_params.get(name, "") for name in _FILTERS))


def _query(wanted: Filter) -> str:
    given = {"queue": wanted.queue} | {
        name: value for name in _FILTERS if (value := getattr(wanted, name))
    }
    return urlencode(given)


def _query_of(request: Request) -> str:
    return _query(_filter(request))


def _after(request: Request) -> int:
    """The place of the case after which the queue continues."""
    after = request.query_params.get("after", "0")
    if not after.isdecimal() or len(after) > 15:
        raise HTTPException(404)
    return int(after)


def _address(row: Mapping[str, Any], wanted: Filter) -> str:
    return f"/case/{row['record_key']}?{_query(wanted)}"


def _answers(form: Mapping[str, str]) -> list[tuple[str, str]]:
    """The answers of a form: one, or one for each citizen shown if it is none of them."""
    said, _, other = form["answer"].partition(":")
    if said == "none":
        return [("not_link", citizen) for citizen in form.get("shown", "").split(";") if citizen]
    if said == "other":
        return [("link", form.get("citizen", ""))]
    return [(said, other)]
