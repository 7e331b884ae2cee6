"""The workbench over HTTP: who sees what, what a decision does, and what is refused."""

from __future__ import annotations

import errno
import html
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import copy
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest
import requests

import console.users
from console.desks import Desks
from console.guard import TRIES, Sessions
from console.pages import Pages
from console.users import Role, User, Users
from etl.domain.errors import ConfigError, ServerAwayError
from etl.settings import Console
from etl.state.cases import HELD_FOR
from etl.state.store import now
from tests.console_support import (
    CITIZEN_OF,
    EVIL,
    PASSWORD,
    RECORDS,
    Browser,
    Make,
    Served,
    serving,
)
from tests.support import Command, citizen, free_port, from_state, record, remember


@pytest.fixture
def served(synced: Make) -> Iterator[Served]:
    with serving(synced(list(RECORDS))) as running:
        yield running


# --- who sees what ------------------------------------------------------------------------------


def test_a_steward_sees_the_cases_of_the_own_province_only(served: Served) -> None:
    lan, mai = served.log_in("lan"), served.log_in("mai")
    seen = "".join(lan.get(f"/queue/{q}") for q in ("review", "shared", "deceased"))
    assert "doubt79" in seen
    assert "twin79" in seen
    assert "doubt01" not in seen
    assert "R000003" not in seen  # that citizen's other record is in Ha Noi
    everywhere = mai.get("/queue/review")
    assert all(one in everywhere for one in ("doubt79", "doubt01", "nowhere"))


def paths(served: Served, key: str) -> Iterator[tuple[str, str]]:
    """Every route of the workbench, with a record's key where the route has one."""
    app = Pages(served.workbench, Sessions(Console())).app()
    for route in app.routes:
        path = getattr(route, "path", "")
        for method in sorted(getattr(route, "methods", None) or ()):
            for queue in ("review", "shared"):
                yield method, path.replace("{key}", key).replace("{queue}", queue)


@pytest.mark.parametrize("name", ["lan", "sep", "sep79", "quan"])
def test_no_route_shows_one_person_of_another_province(served: Served, name: str) -> None:
    """Asks all routes by GET and POST, by the record's key, id, name and number."""
    browser = served.log_in(name)
    token = browser.hidden(browser.get("/"))["token"]
    secret = {"doubt01", "Lê Văn Khác", CITIZEN_OF["doubt01"], "Phố Kín", "nowhere", "Lê Văn Lạ"}
    form = {
        "token": token, "answer": f"link:{CITIZEN_OF['doubt01']}", "reason": "x", "note": "x",
        "seen": "/", "place": "0", "born": "15/03/1964", "language": "vi", "back": "/", "name": "x",
        "password": "x",
    }  # fmt: skip
    queries = ("", "?province=01", "?queue=review&province=01&after=0", "?after=1")
    asked = 0
    for key in (served.key("doubt01"), "doubt01", served.key("nowhere")):
        for method, path in paths(served, key):
            if path in ("/logout", "/static"):
                continue
            for query in queries:
                for searched in ("doubt01", "Lê Văn Khác", CITIZEN_OF["doubt01"], "nowhere"):
                    answer = served_request(
                        browser, method, path + query, form | {"asked": searched}
                    )
                    told = html.unescape(answer.text).replace(html.escape(searched), "")
                    # What was typed into the search is shown in its own field, and nowhere else.
                    told = re.sub(r'<input id="asked"[^>]*>', "", told)
                    assert not {one for one in secret if one in told}, (method, path, query)
                    asked += 1
                    if method != "POST":
                        break
    assert asked > 100
    assert from_state(served.pair.settings, "select * from {decisions}") == []
    assert from_state(served.pair.settings, "select * from {case_notes}") == []


def served_request(
    browser: Browser, method: str, path: str, form: dict[str, str]
) -> requests.Response:
    data = form if method == "POST" else None
    return browser.session.request(method, browser.url + path, data=data, timeout=60)


def test_another_record_of_the_same_person_is_named_and_one_of_somebody_else_is_not(
    served: Served,
) -> None:
    """R000003 is a record of Ha Noi for the same citizen; R000005 has half79's insurance number."""
    lan, mai = served.log_in("lan"), served.log_in("mai")
    page = served.case(lan, "twin79")
    assert "Một hồ sơ do tỉnh khác quản lý" in page
    assert "R000003" in page
    assert served.key("R000003") not in page
    served.case(lan, "R000003", 404)
    assert served.key("R000003") in served.case(mai, "twin79")
    page = served.case(lan, "half79")
    assert "Một hồ sơ do tỉnh khác quản lý" in page
    assert "R000005" not in page
    assert "R000005" in served.case(mai, "half79")


def test_a_case_of_another_province_is_as_if_it_were_not_there(served: Served) -> None:
    lan = served.log_in("lan")
    foreign = served.case(lan, "doubt01", 404)
    unknown = lan.get("/case/0123456789abcdef", 404)
    assert foreign.replace(served.key("doubt01"), "") == unknown.replace("0123456789abcdef", "")


@pytest.mark.parametrize("name", ["sep", "quan"])
def test_who_only_counts_or_administers_opens_no_case(served: Served, name: str) -> None:
    browser = served.log_in(name)
    for path in ("/queue/review", f"/case/{served.key('doubt79')}", "/search", "/asked"):
        browser.get(path, 403)


def test_a_viewer_sees_counts_of_the_own_provinces(served: Served) -> None:
    everywhere, here = (served.log_in(name).get("/") for name in ("sep", "sep79"))
    assert _tile(everywhere, "Chờ chọn công dân") > _tile(here, "Chờ chọn công dân") > 0


def _tile(page: str, name: str) -> int:
    found = re.search(rf'{name}</h2>\s*<p class="big">(?:<a [^>]*>)?(\d+)', page)
    assert found
    return int(found[1])


def test_an_administrator_sees_who_looked_at_what_by_pseudonym(served: Served) -> None:
    served.case(served.log_in("lan"), "doubt79")
    page = served.log_in("quan").get("/access")
    assert served.key("doubt79") in page
    assert "lan" in page
    assert "doubt79" not in page
    served.log_in("lan").get("/access", 403)


def test_each_look_and_each_decision_is_in_the_access_log(served: Served) -> None:
    lan = served.log_in("lan")
    token = lan.hidden(lan.get("/search"))["token"]
    lan.post("/search", {"token": token, "asked": "doubt79"})
    served.decide(lan, "doubt79", "none")
    log = from_state(
        served.pair.settings,
        "select command, accessed_by, record_key from {access_log} order by accessed_at",
    )
    key = served.key("doubt79")
    told = [(row["command"], row["accessed_by"]) for row in log if row["record_key"] == key]
    assert told[:3] == [("console search", "lan"), ("console", "lan"), ("decide", "lan")]


# --- searching ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "born"),
    [
        ("doubt79", ""),
        (str(record(12)["insurance_number"]), ""),
        (CITIZEN_OF["doubt79"], ""),
        (f"{CITIZEN_OF['doubt79'][:3]} {CITIZEN_OF['doubt79'][3:]}", ""),
        (CITIZEN_OF["doubt79"].lstrip("0"), ""),  # as a spreadsheet changes it
        ("trần văn khác", "13/01/1962"),
        ("TRAN VAN KHAC", "1962-01-13"),
        ("Trần Văn Khác", "1962"),
    ],
)
@pytest.mark.wide
def test_a_record_is_found_by_id_number_or_name_with_birth_date(
    served: Served, asked: str, born: str
) -> None:
    mai = served.log_in("mai")
    token = mai.hidden(mai.get("/search"))["token"]
    page = mai.post("/search", {"token": token, "asked": asked, "born": born}).text
    assert f'/case/{served.key("doubt79")}"' in page


def test_a_record_that_waits_for_nobody_is_found_and_told(served: Served) -> None:
    mai = served.log_in("mai")
    token = mai.hidden(mai.get("/search"))["token"]
    assert served.key("R000007") in mai.post("/search", {"token": token, "asked": "R000007"}).text
    assert str(citizen(7)["personal_id"]) in served.case(mai, "R000007")


def test_of_a_number_that_many_share_an_office_finds_its_own(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("etl.stewards.desk.asking", "console.pages"):
        monkeypatch.setattr(f"{module}.MOST_FOUND", 1)
    shared = str(citizen(3)["personal_id"])  # of R000003 (in 01, found first) and twin79

    def found(name: str) -> str:
        browser = served.log_in(name)
        token = browser.hidden(browser.get("/search"))["token"]
        return browser.post("/search", {"token": token, "asked": shared}).text

    mine, anybodys = found("lan"), found("mai")
    assert served.key("twin79") in mine
    assert served.key("R000003") not in mine
    assert served.key("R000003") in anybodys
    assert "Có thể còn hồ sơ khác" in anybodys


def test_a_name_alone_finds_nobody(served: Served) -> None:
    mai = served.log_in("mai")
    token = mai.hidden(mai.get("/search"))["token"]
    page = mai.post("/search", {"token": token, "asked": "Trần Văn Khác"}).text
    assert "Không tìm thấy" in page


# --- deciding -----------------------------------------------------------------------------------


def test_a_decision_applies_with_the_next_run_and_the_case_says_so_until_then(
    served: Served,
) -> None:
    lan = served.log_in("lan")
    served.decide(lan, "doubt79", f"link:{CITIZEN_OF['doubt79']}")
    assert "doubt79" not in lan.get("/queue/review")
    assert "sẽ áp dụng từ lần chạy sau" in served.case(lan, "doubt79")
    (made,) = from_state(served.pair.settings, "select * from {decisions}")
    assert made["decided_by"] == "lan"
    assert made["machine_verdict"] == "review"
    served.pair.sync("delta")
    assert served.desks.look()
    (row,) = served.pair.published(
        "select status, match_step from {reconciled} where record_id = 'doubt79'"
    )
    assert row["match_step"] == "steward"
    assert "doubt79" not in lan.get("/queue/review")


def test_none_of_the_candidates_refuses_each(served: Served) -> None:
    served.decide(served.log_in("lan"), "doubt79", "none")
    (made,) = from_state(served.pair.settings, "select verdict, personal_id from {decisions}")
    assert made == {"verdict": "not_link", "personal_id": CITIZEN_OF["doubt79"]}


def test_a_citizen_whom_nobody_proposed_is_named_after_a_second_look(served: Served) -> None:
    """The page says how the two agree, never who the citizen is."""
    mai = served.log_in("mai")
    other = citizen(20)
    number = str(other["personal_id"])
    spaced = f" {number[:6]} {number[6:]}"
    page = served.decide(mai, "doubt79", "other", citizen=spaced)
    assert "So với hồ sơ" in page
    assert str(other["full_name"]) not in page
    assert from_state(served.pair.settings, "select * from {decisions}") == []
    form = mai.hidden(page) | {"answer": "other", "citizen": spaced, "reason": "đã xem"}
    mai.post(f"/case/{served.key('doubt79')}/decide", form)
    (made,) = from_state(served.pair.settings, "select verdict, personal_id from {decisions}")
    assert made == {"verdict": "link", "personal_id": number}


def test_a_citizen_with_nothing_of_the_record_is_for_who_decides_everywhere(
    served: Served,
) -> None:
    """Otherwise a steward could look at any citizen through any record."""
    lan = served.log_in("lan")
    number = str(citizen(20)["personal_id"])
    page = served.decide(lan, "doubt79", "other", 422, citizen=number)
    assert "cán bộ đối soát toàn quốc" in page
    form = lan.hidden(page) | {"answer": "other", "citizen": number, "reason": "x"}
    assert not form["confirmed"]
    lan.post(f"/case/{served.key('doubt79')}/decide", form, 422)
    assert from_state(served.pair.settings, "select * from {decisions}") == []


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("other", citizen(20)["personal_id"]),
        (f"link:{citizen(20)['personal_id']}", ""),
        (f"not_link:{citizen(20)['personal_id']}", ""),
        ("not_link:999999999999", ""),
        ("anything", ""),
        ("link:999999999999", ""),
    ],
)
@pytest.mark.wide
def test_a_form_that_somebody_made_up_says_nothing_of_a_stranger(
    served: Served, answer: str, number: str
) -> None:
    """The answer reveals neither who that is nor whether there is such a citizen."""
    lan = served.log_in("lan")
    page = served.decide(lan, "doubt79", answer, 422, citizen=number, confirmed=number)
    assert "Không quyết định được như vậy" in page
    assert from_state(served.pair.settings, "select * from {decisions}") == []


def test_numbers_are_not_tried_out(served: Served) -> None:
    mai = served.log_in("mai")
    for wrong, told in (("", "12 chữ số"), ("123", "12 chữ số"), ("٠" * 12, "Không có công dân")):
        assert told in served.decide(mai, "half79", "other", 422, citizen=wrong)
    for _ in range(TRIES - 1):
        served.decide(mai, "half79", "other", 422, citizen="999999999999")
    page = served.decide(mai, "half79", "other", 429, citizen="999999999999")
    assert "thử quá nhiều số" in page
    log = from_state(served.pair.settings, "select command from {access_log}")
    assert [row["command"] for row in log].count("console compare") == TRIES


def test_what_was_taken_back_stays_on_record_with_who_and_why(served: Served) -> None:
    lan, huong = served.log_in("lan"), served.log_in("huong")
    served.decide(lan, "doubt79", "not_a_person", reason="hồ sơ giả")
    form = huong.hidden(served.case(huong, "doubt79")) | {"answer": "undo"}
    path = f"/case/{served.key('doubt79')}/decide"
    huong.post(path, form | {"reason": ""}, 422)
    huong.post(path, form | {"reason": "giấy tờ đã đủ"})
    page = served.case(lan, "doubt79")
    assert all(told in page for told in ("hồ sơ giả", "đã hoàn tác", "huong", "giấy tờ đã đủ"))
    assert "giấy tờ đã đủ" in lan.get("/decided")
    log = from_state(served.pair.settings, "select accessed_by, command from {access_log}")
    assert {"accessed_by": "huong", "command": "undo"} in log


def test_what_is_kept_is_said_of_all_records_of_the_person(served: Served) -> None:
    mai = served.log_in("mai")
    served.decide(mai, "twin79", "keep:twin79")
    listed = mai.get("/queue/shared")
    assert "twin79" not in listed
    assert "R000003" not in listed
    page = served.case(mai, "R000003")
    assert "Về hồ sơ khác của cùng người" in page


def test_a_look_at_another_provinces_record_is_in_the_access_log(served: Served) -> None:
    served.case(served.log_in("lan"), "doubt01", 404)
    page = served.log_in("quan").get(f"/access?by=lan&key={served.key('doubt01')}")
    assert "bị từ chối" in page
    assert "bị từ chối" not in served.log_in("quan").get("/access?by=mai")


def test_a_session_that_has_ended_leads_back_to_the_case(served: Served) -> None:
    lan = served.log_in("lan")
    form = lan.hidden(served.case(lan, "doubt79")) | {"answer": "none", "reason": "x"}
    lan.session.cookies.clear()
    answer = lan.post(f"/case/{served.key('doubt79')}/decide", form)
    assert "CHƯA được ghi" in answer.text
    back = {"name": "lan", "password": PASSWORD, "next": f"/case/{served.key('doubt79')}"}
    assert lan.post("/login", back).url.endswith(f"/case/{served.key('doubt79')}")
    elsewhere = lan.post("/login", back | {"next": "https://evil.example"})
    assert elsewhere.url == served.url + "/"


@pytest.mark.wide
def test_what_a_person_has_answered_waits_for_the_source_and_not_for_a_person(
    served: Served,
) -> None:
    """The mismatch stays until the register is corrected; the queue does not show it each day."""
    for row in served.pair.population:
        if row["personal_id"] == citizen(18)["personal_id"]:
            row.update(status="deceased", date_of_death="2026-11-01")
    served.pair.write().sync("delta")
    assert served.desks.look()
    lan, mai = served.log_in("lan"), served.log_in("mai")
    assert "late79" in lan.get("/queue/deceased")
    assert "twin79" in lan.get("/queue/shared")
    assert "R000003" in mai.get("/queue/shared")
    served.decide(lan, "late79", f"link:{citizen(18)['personal_id']}")
    served.decide(lan, "twin79", "keep:twin79")
    served.pair.sync("delta")
    assert served.desks.look()
    assert "late79" not in lan.get("/queue/deceased")
    assert "twin79" not in lan.get("/queue/shared")
    assert "R000003" not in mai.get("/queue/shared")  # and not the record that is not kept either
    (row,) = served.pair.published(
        "select mismatch_codes from {reconciled} where record_id = 'late79'"
    )
    assert "DECEASED_ACTIVE" in str(row["mismatch_codes"])


def test_none_of_nobody_is_no_decision(served: Served) -> None:
    served.decide(served.log_in("lan"), "doubt79", "none", 422, shown="")
    assert from_state(served.pair.settings, "select * from {decisions}") == []


def test_which_record_is_kept(served: Served) -> None:
    served.decide(served.log_in("lan"), "twin79", "keep:twin79")
    (made,) = from_state(served.pair.settings, "select verdict, kept_record_id from {decisions}")
    assert made == {"verdict": "keep_record", "kept_record_id": "twin79"}


def test_a_decision_is_taken_back(served: Served) -> None:
    lan = served.log_in("lan")
    served.decide(lan, "doubt79", "not_a_person")
    page = served.case(lan, "doubt79")
    form = lan.hidden(page) | {"answer": "undo", "reason": "nhầm người"}
    assert "Đã hoàn tác" in lan.post(f"/case/{served.key('doubt79')}/decide", form).text
    assert "doubt79" in lan.get("/queue/review")


def test_what_one_has_decided_is_listed_to_be_looked_at_again(served: Served) -> None:
    lan = served.log_in("lan")
    page = served.decide(lan, "doubt79", "not_a_person")
    assert f'<a href="/case/{served.key("doubt79")}">Mở lại hồ sơ</a>' in page
    listed = lan.get("/decided")
    assert served.key("doubt79") in listed
    assert "đã xem căn cước" in listed
    assert served.key("doubt79") not in served.log_in("huong").get("/decided")


def test_a_decision_needs_an_answer_and_a_reason_and_keeps_what_was_typed(served: Served) -> None:
    lan = served.log_in("lan")
    assert "Hãy chọn một" in served.decide(lan, "doubt79", "", 422)
    assert "đã xem căn cước" in served.decide(lan, "doubt79", "", 422)
    page = served.decide(lan, "doubt79", "not_a_person", 422, reason="  ")
    assert "Hãy ghi căn cứ" in page
    assert re.search(r'value="not_a_person"[^>]*checked', page)
    assert from_state(served.pair.settings, "select * from {decisions}") == []


def test_the_second_to_decide_sees_the_first(served: Served) -> None:
    lan, huong = served.log_in("lan"), served.log_in("huong")
    page = served.case(huong, "doubt79")
    served.decide(lan, "doubt79", "none")
    form = huong.hidden(page) | {"answer": "not_a_person", "reason": "x"}
    told = huong.post(f"/case/{served.key('doubt79')}/decide", form, 409).text
    assert "đã có người quyết định" in told
    assert "lan" in told
    assert len(from_state(served.pair.settings, "select * from {decisions}")) == 1


def test_a_page_that_is_sent_twice_decides_once(served: Served) -> None:
    lan = served.log_in("lan")
    form = lan.hidden(served.case(lan, "doubt79")) | {"answer": "not_a_person", "reason": "x"}
    for _ in range(2):
        lan.post(f"/case/{served.key('doubt79')}/decide", form)
    assert len(from_state(served.pair.settings, "select * from {decisions}")) == 1


def test_a_page_of_an_older_result_decides_nothing(served: Served) -> None:
    lan = served.log_in("lan")
    page = served.case(lan, "doubt79")
    served.pair.sync()
    assert served.desks.look()
    form = lan.hidden(page) | {"answer": "not_a_person", "reason": "x"}
    told = lan.post(f"/case/{served.key('doubt79')}/decide", form, 409).text
    assert "đã có kết quả mới" in told
    assert from_state(served.pair.settings, "select * from {decisions}") == []


@pytest.mark.wide
def test_a_decision_whose_facts_have_changed_comes_back_to_its_own_queue(served: Served) -> None:
    lan = served.log_in("lan")
    served.decide(lan, "doubt79", f"link:{CITIZEN_OF['doubt79']}")
    for row in served.pair.insurance:
        if row["record_id"] == "doubt79":
            row["full_name"] = "Trần Văn Khác Nữa"
    served.pair.write().sync("delta")
    assert served.desks.look()
    assert "doubt79" in lan.get("/queue/contradicted")
    assert "doubt79" not in lan.get("/queue/review")
    assert "dữ liệu đã thay đổi" in served.case(lan, "doubt79")


# --- two on one case, notes, the next -----------------------------------------------------------


def test_who_opens_a_case_that_somebody_has_open_is_told(served: Served) -> None:
    lan, huong = served.log_in("lan"), served.log_in("huong")
    assert "đang mở hồ sơ này" not in served.case(lan, "doubt79")
    assert re.search(r"lan\s+đang mở hồ sơ này", served.case(huong, "doubt79"))
    assert "Đang mở bởi lan" in huong.get("/queue/review")
    page = huong.get("/queue/review/next")  # skips the case that somebody has open
    assert "half79" in page or "evil79" in page
    form = lan.hidden(served.case(lan, "doubt79"))
    lan.post(f"/case/{served.key('doubt79')}/skip", form)
    assert "đang mở hồ sơ này" not in served.case(huong, "doubt79")


def test_a_case_that_was_left_open_is_free_after_a_while(served: Served) -> None:
    remember(
        served.pair.settings, "case_holds", record_id="doubt79", held_by="huong",
        held_until=now() - timedelta(seconds=1),
    )  # fmt: skip
    assert "đang mở hồ sơ này" not in served.case(served.log_in("lan"), "doubt79")
    assert timedelta(minutes=1) < HELD_FOR < timedelta(hours=1)


def test_of_several_who_open_a_case_in_one_moment_one_has_it(served: Served) -> None:
    users = [User(f"u{number}", Role.NATIONAL) for number in range(6)]
    begun = Barrier(len(users))

    def open_case(user: User) -> bool:
        begun.wait()
        return served.workbench.case(user, key).held is None

    key = served.key("doubt79")
    with ThreadPoolExecutor(len(users)) as pool:
        assert sum(pool.map(open_case, users)) == 1


def test_a_colleague_is_asked_and_finds_the_question(served: Served) -> None:
    lan = served.log_in("lan")
    key = served.key("doubt79")
    token = lan.hidden(served.case(lan, "doubt79"))["token"]
    note = {"token": token, "note": "Chị xem giúp?", "asked": "huong"}
    assert "Chị xem giúp?" in lan.post(f"/case/{key}/note", note).text
    huong = served.log_in("huong")
    assert key in huong.get("/asked")
    assert '<span class="badge">1</span>' in huong.get("/queue/review")
    assert key not in served.log_in("ha").get("/asked")
    for nobody in ("ha", "quan", "khong-co"):  # from another province; without cases; unknown
        told = lan.post(f"/case/{key}/note", note | {"asked": nobody}, 422).text
        assert "Không có đồng nghiệp nào" in told
    assert len(from_state(served.pair.settings, "select * from {case_notes}")) == 1
    token = huong.hidden(served.case(huong, "doubt79"))["token"]
    huong.post(f"/case/{key}/note", {"token": token, "note": "Đúng là người ấy."})
    assert key not in huong.get("/asked")  # it is answered


def test_a_case_tells_what_its_office_was_sent_and_answered(
    served: Served, doisoat_here: Callable[..., Command], tmp_path: Path
) -> None:
    done = doisoat_here(
        "--config", served.pair.file, "worklists", "export", "--to", tmp_path, "--province", "79"
    )
    assert done.exit_code == 0, done.errors
    page = served.case(served.log_in("lan"), "doubt79")
    assert "đã gửi danh sách" in page
    assert "hạn trả lời" in page


def test_a_queue_is_worked_to_its_end_one_case_leading_to_the_next(served: Served) -> None:
    lan = served.log_in("lan")
    page = lan.get("/queue/review/next")
    worked = []
    while 'id="decide"' in page:
        (key,) = set(re.findall(r"/case/([0-9a-f]{16})/decide", page))
        worked.append(key)
        form = lan.hidden(page) | {"answer": "not_a_person", "reason": "không có thật"}
        page = lan.post(f"/case/{key}/decide?queue=review", form).text
    assert "Không còn hồ sơ nào" in page
    assert set(worked) == {served.key(one) for one in ("doubt79", "half79", "evil79")}
    assert len(worked) == 3


def test_a_queue_is_filtered(served: Served) -> None:
    mai = served.log_in("mai")
    assert "doubt01" not in mai.get("/queue/review?province=79")
    assert "doubt79" in mai.get("/queue/review?why=partial_agreement&step=personal_id&age=7")
    assert "doubt79" not in mai.get("/queue/review?age=older")
    assert "doubt79" not in mai.get("/queue/review?chance=high")
    for wrong in ("/queue/nothing", "/queue/review?after=x", "/queue/review?after=-1"):
        mai.get(wrong, 404)


# --- what is refused ----------------------------------------------------------------------------


def test_nothing_is_shown_to_whoever_is_not_logged_in(served: Served) -> None:
    nobody = Browser(served.url, requests.Session())
    for path in ("/", "/queue/review", f"/case/{served.key('doubt79')}", "/search", "/access"):
        assert 'name="password"' in nobody.get(path)
    assert "doubt79" not in nobody.post("/search", {"asked": "doubt79"}).text


def test_a_form_of_another_page_does_nothing(served: Served) -> None:
    lan = served.log_in("lan")
    page = served.case(lan, "doubt79")
    path = f"/case/{served.key('doubt79')}/decide"
    form = lan.hidden(page) | {"answer": "none", "reason": "x"}
    for token in ("", "wrong", served.log_in("huong").hidden(served.case(lan, "doubt79"))["token"]):
        if token != form["token"]:
            lan.post(path, form | {"token": token}, 403)
    foreign = {"Origin": "https://evil.example"}
    refused = lan.session.post(served.url + path, data=form, headers=foreign, timeout=60)
    assert refused.status_code == 403
    assert from_state(served.pair.settings, "select * from {decisions}") == []


def test_only_known_hosts_are_answered(served: Served) -> None:
    for host in ("evil.example", "127.0.0.1", f"127.0.0.1:{served.port + 1}"):
        answer = requests.get(served.url + "/login", headers={"Host": host}, timeout=60)
        assert answer.status_code == 421


def test_every_answer_forbids_what_no_page_needs(served: Served) -> None:
    answers = [
        requests.get(served.url + path, timeout=60)
        for path in ("/login", "/static/console.js", "/nothing", "/queue/review")
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"


def test_html_in_a_name_is_text(served: Served) -> None:
    lan = served.log_in("lan")
    for page in (served.case(lan, "evil79"), lan.get("/queue/review"), lan.get("/")):
        assert EVIL not in page
        assert not re.search(r"<script(?! src=)", page)
        assert not re.search(r' style="| on\w+="', page)


def test_too_many_wrong_passwords_must_wait_and_others_need_not(served: Served) -> None:
    stranger = Browser(served.url, requests.Session())
    for _ in range(TRIES):
        stranger.post("/login", {"name": "lan", "password": "wrong"}, 401)
    told = stranger.post("/login", {"name": "lan", "password": PASSWORD}, 429)
    assert told.headers["Retry-After"]


def test_a_wrong_name_is_told_like_a_wrong_password(served: Served) -> None:
    stranger = Browser(served.url, requests.Session())
    one = stranger.post("/login", {"name": "lan", "password": "wrong"}, 401).text
    other = stranger.post("/login", {"name": "nobody", "password": "wrong"}, 401).text
    assert one == other


def test_a_cookie_is_for_this_server_alone(served: Served) -> None:
    answer = requests.post(
        served.url + "/login", data={"name": "lan", "password": PASSWORD}, timeout=60,
        allow_redirects=False,
    )  # fmt: skip
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_who_logs_out_is_out(served: Served) -> None:
    lan = served.log_in("lan")
    kept = dict(lan.session.cookies)
    lan.post("/logout", {"token": lan.hidden(lan.get("/"))["token"]})
    stolen = requests.get(served.url + "/queue/review", cookies=kept, timeout=60)
    assert 'name="password"' in stolen.text


def test_who_was_removed_is_out_with_the_next_request(served: Served) -> None:
    lan = served.log_in("lan")
    served.workbench.users.remove("lan")
    assert 'name="password"' in lan.get("/queue/review")


def test_a_session_ends_when_nobody_uses_it_and_after_a_day_of_work() -> None:
    time = [0.0]
    sessions = Sessions(Console(idle_minutes=30, session_hours=2), lambda: time[0])
    secret = sessions.begin(User("lan", Role.NATIONAL), "vi")
    for minutes in (29, 58, 87, 116):
        time[0] = minutes * 60
        assert sessions.get(secret)
    time[0] = 121 * 60
    assert sessions.get(secret) is None
    again = sessions.begin(User("lan", Role.NATIONAL), "vi")
    time[0] += 31 * 60
    assert sessions.get(again) is None


def test_a_proxy_that_knows_the_secret_says_who_somebody_is(synced: Make) -> None:
    pair = synced(list(RECORDS))
    secret = "s" * 40
    pair.options["console"] = {"hosts": ["console.bhxh.example"], "proxy_secret": secret}
    with serving(pair) as served:
        path = served.url + "/queue/review"
        headers = {"Host": "console.bhxh.example", "X-Doisoat-User": "lan"}
        trusted = requests.get(path, headers=headers | {"X-Doisoat-Proxy": secret}, timeout=60)
        assert "doubt79" in trusted.text
        assert "doubt01" not in trusted.text
        assert trusted.headers["Set-Cookie"].startswith("__Host-")
        assert "Secure" in trusted.headers["Set-Cookie"]
        for wrong in ({}, {"X-Doisoat-Proxy": "s" * 39 + "x"}):
            assert 'name="password"' in requests.get(path, headers=headers | wrong, timeout=60).text
        unknown = {"X-Doisoat-User": "nobody", "X-Doisoat-Proxy": secret}
        assert requests.get(path, headers=headers | unknown, timeout=60).status_code == 403


def test_a_fault_of_ours_is_told_without_what_it_quotes(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    quoted = str(RECORDS[10]["full_name"])

    def fail(*_: object) -> None:
        raise ValueError(f"could not convert {quoted}")

    lan = served.log_in("lan")
    monkeypatch.setattr(served.workbench, "home", fail)
    page = lan.get("/", 500)
    told = page
    for _ in range(100):  # it is logged after the answer
        told += caplog.text + "".join(capfd.readouterr())
        if "ValueError" in told:
            break
        time.sleep(0.1)
    assert "Chưa làm được" in page
    assert quoted not in told
    assert "ValueError" in told


def test_a_state_that_is_away_is_told_in_words(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl.domain.errors import ServerAwayError

    def away(*_: object) -> None:
        raise ServerAwayError("Reading the state: the server cannot be reached.")

    lan = served.log_in("lan")
    monkeypatch.setattr(served.workbench, "home", away)
    assert "the server cannot be reached" in lan.get("/", 503)


def test_a_request_without_end_is_refused(served: Served) -> None:
    lan = served.log_in("lan")
    form = lan.hidden(served.case(lan, "doubt79")) | {"answer": "none", "reason": "x" * 100_000}
    lan.post(f"/case/{served.key('doubt79')}/decide", form, 413)


def test_the_language_is_changed_and_leads_back_to_this_server_only(served: Served) -> None:
    lan = served.log_in("lan")
    token = lan.hidden(lan.get("/"))["token"]
    answer = lan.post("/language", {"token": token, "back": "/queue/review"})
    assert "Choose the citizen" in answer.text
    assert answer.url == served.url + "/queue/review"
    for foreign in ("https://evil.example", "//evil.example", "/\\evil.example"):
        answer = lan.post("/language", {"token": token, "back": foreign})
        assert answer.url == served.url + "/"


@pytest.mark.wide
def test_a_newer_result_takes_the_place_of_the_one_that_is_shown(served: Served) -> None:
    lan = served.log_in("lan")
    served.pair.insurance.append(
        record(17, record_id="new79", full_name="Trần Văn Mới", province_code="79")
    )
    assert not served.desks.look()
    served.pair.write().sync("delta")
    assert served.desks.look()
    assert "new79" in lan.get("/queue/review")


# --- the users, by command ----------------------------------------------------------------------


def test_users_are_added_listed_and_removed(
    synced: Make, doisoat_here: Callable[..., Command]
) -> None:
    pair = synced(list(RECORDS))

    def run(*arguments: str, code: int = 0, **environment: str) -> Command:
        done = doisoat_here("--config", pair.file, "console", *arguments, **environment)
        assert done.exit_code == code, done.errors
        return done

    add = ("user", "add", "lan", "--province", "79")
    run(*add, DOISOAT_PASSWORD=PASSWORD)
    assert "lan: steward (79)" in run("user", "list").output
    file = pair.settings.console_users
    assert PASSWORD not in file.read_text("utf-8")
    assert file.stat().st_mode & 0o077 == 0
    assert Users(file).check("lan", PASSWORD)
    assert not Users(file).check("lan", PASSWORD + "x")
    told = run(*add[:3], code=2, DOISOAT_PASSWORD=PASSWORD)
    assert "a steward needs a province" in told.errors
    assert "at least 12" in run(*add, code=2, DOISOAT_PASSWORD="short").errors
    assert "no code of a province" in run(*add[:4], "99", code=2, DOISOAT_PASSWORD=PASSWORD).errors
    run("user", "remove", "lan")
    assert "Nobody yet" in run("user", "list").output
    run("user", "remove", "lan", code=2)
    told = run("--port", str(free_port()), code=2)
    assert "Nobody may use the workbench yet" in told.errors


def test_users_may_be_added_before_anything_has_run(
    registers: Make, doisoat_here: Callable[..., Command]
) -> None:
    pair = registers(list(RECORDS))
    assert not pair.settings.home.exists()
    add = ("console", "user", "add", "lan", "--province", "79")
    told = doisoat_here("--config", pair.file, *add, DOISOAT_PASSWORD=PASSWORD)
    assert told.exit_code == 0, told.errors
    assert pair.settings.home.stat().st_mode & 0o077 == 0
    assert Users(pair.settings.console_users).check("lan", PASSWORD)


def test_a_file_of_users_that_is_damaged_lets_nobody_in_and_check_says_so(
    synced: Make, doisoat_here: Callable[..., Command]
) -> None:
    pair = synced(list(RECORDS))
    users = Users(pair.settings.console_users)
    users.put("lan", Role.STEWARD, ("79",), PASSWORD)
    for damage in ("{", "[]", '{"lan": {"role": "king"}}', '{"lan": {"role": "steward"}}'):
        users._file.write_text(damage, "utf-8")
        with pytest.raises(ConfigError):
            Users(users._file).check("lan", PASSWORD)
        checked = doisoat_here("--config", pair.file, "check")
        assert checked.exit_code == 2
        assert "workbench: The file of users" in checked.errors + checked.output


def test_users_added_at_once_are_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads, changes and writes the file; the other must not do so in between."""
    file = tmp_path / "users.json"
    write = console.users.write_whole

    def slowly(place: Path, text: str) -> None:
        time.sleep(0.05)
        write(place, text)

    monkeypatch.setattr("console.users.write_whole", slowly)
    Users(file).put("gone", Role.VIEWER, (), None)
    names = [f"user{number}" for number in range(4)]

    def change(name: str) -> None:
        if name == "gone":
            Users(file).remove(name)
        else:
            Users(file).put(name, Role.VIEWER, (), None)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(change, [*names, "gone"]))

    assert Users(file).names() == names
    tmp_path.chmod(0o755)
    Users(file).put("late", Role.VIEWER, (), None)
    assert tmp_path.stat().st_mode & 0o777 == 0o755, "a folder of others is left as it is"


def test_a_file_of_users_that_is_exchanged_within_a_tick_of_the_clock_is_read_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "users.json"
    users = Users(file)
    users.put("lan", Role.VIEWER, (), None)
    assert users.names() == ["lan"]
    written = file.stat().st_mtime_ns
    Users(file).put("mai", Role.VIEWER, (), None)
    os.utime(file, ns=(written, written))

    assert users.names() == ["lan", "mai"]


def test_a_users_file_of_another_encoding_is_read_or_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    text = '{"Lân": {"role": "national"}}'
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le"):
        file.write_bytes(text.encode(encoding))
        assert Users(file).names() == ["Lân"]
    file.write_bytes(text.encode("cp1252"))
    with pytest.raises(ConfigError, match="is no JSON object"):
        Users(file).names()


def test_a_damaged_file_of_users_is_told_once_and_nobody_gets_a_page(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    lan, stranger = served.log_in("lan"), Browser(served.url, requests.Session())
    file = served.pair.settings.console_users
    good = file.read_text("utf-8")
    file.write_text("{", "utf-8")

    for browser, path in ((lan, "/"), (lan, "/queue/review"), (stranger, "/login")):
        assert "The users cannot be read" in browser.get(path, 503)

    (told,) = [entry.getMessage() for entry in caplog.records if entry.name == "doisoat"]
    assert told.startswith("Nobody can use the workbench. The file of users is no JSON object.")
    assert [entry for entry in caplog.records if entry.name.startswith("uvicorn")] == []
    file.write_text(good, "utf-8")
    lan.get("/queue/review")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/snapshots"), "The disk is full."),
        (RuntimeError("079123456789"), "RuntimeError at desks.py:"),
        (ServerAwayError("Reading the target: nobody answers."), "nobody answers"),
    ],
)
def test_the_workbench_goes_on_looking_for_results_whatever_it_meets(
    synced: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    told: str,
) -> None:
    looks: list[int] = []
    enough = Event()

    def look(_self: Desks) -> bool:
        looks.append(1)
        if len(looks) == 6:
            enough.set()
        if len(looks) in (1, 2, 3, 5):
            raise copy(error)  # (one that is raised again grows its stack)
        return False

    monkeypatch.setattr("console.desks.LOOK_AGAIN", 0.01)
    monkeypatch.setattr(Desks, "look", look)
    with closing(Desks(synced(list(RECORDS)).settings)):
        assert enough.wait(20), "it looks no more"

    said = [entry.getMessage() for entry in caplog.records if entry.name == "doisoat"]
    assert len(said) == 2, "it is told when it begins"
    assert all(told in one and "079123456789" not in one for one in said)
