"""A dialect judges any answer, and what it says is done, whatever the status."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.clients.answers import (
    Absent,
    Answer,
    Dialect,
    Fatal,
    Ok,
    Pause,
    Retry,
    Verdict,
    is_page,
    until_midnight,
)
from crm_sync_assets.clients.auth import Bearer
from crm_sync_assets.clients.limits import Window
from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    Deferred,
    FatalError,
    Gone,
    TransientError,
    Unauthorized,
)
from crm_sync_assets_tests.clients.conftest import TOKEN, Wire, reply

MakeWire = Callable[..., Wire]
Judge = Callable[[Answer], Verdict | None]
DATE = {"Date": "Mon, 23 Nov 2026 21:30:00 GMT"}


class Judging(Dialect):
    """Says what it is told to say, where that is something."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.tries: list[int] = []

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        self.tries.append(tries)
        return self.judge(answer) or super().verdict(answer, tries)


def when(status: int, verdict: Verdict, text: str = "") -> Judging:
    """This verdict about answers of the status that have the text in them."""
    said = text.encode()
    return Judging(lambda a: verdict if a.status == status and said in a.body else None)


def test_a_success_that_says_it_failed_is_tried_again(wire: MakeWire) -> None:
    server = wire(reply(200, {"success": False, "error": "try later"}), reply())
    session = server.session(dialect=when(200, Retry(), '"success":false'))
    assert session.get("/things").json == {"ok": True}
    assert session.usage.retries == 1


def test_what_is_said_of_it_is_in_the_message(wire: MakeWire) -> None:
    server = wire(reply(200, {"success": False, "error": f"no, {TOKEN}"}))
    explained = server.session(dialect=when(200, Fatal(BadRequest)))
    with pytest.raises(
        BadRequest, match=r"crm\.things: GET /things answered 200: .*no, "
    ) as caught:
        explained.get("/things")
    assert TOKEN not in str(caught.value)
    told = server.session(dialect=when(200, Fatal(FatalError, f"the fault {TOKEN} x:Client")))
    with pytest.raises(FatalError, match=r"answered 200: the fault \*\*\* x:Client\. ") as caught:
        told.get("/things")
    assert len(server.requests) == 2


def test_an_error_that_passes_is_tried_as_often_as_any(wire: MakeWire) -> None:
    passing = wire(reply(400), reply(400), reply())
    assert passing.session(dialect=when(400, Retry(least=7))).get("/things").status == 200
    assert all(wait >= 7 for wait in passing.waits)
    staying = wire(reply(400, {"message": "odd"}))
    with pytest.raises(TransientError, match=r"answered 400: .*odd.*given up after 5"):
        staying.session(dialect=when(400, Retry())).get("/things")
    with pytest.raises(BadRequest, match="given up after 5"):
        staying.session(dialect=when(400, Retry(then=BadRequest))).get("/things")
    assert len(staying.requests) == 10


def test_a_server_s_error_may_be_final(wire: MakeWire) -> None:
    """As a SOAP fault is, which comes with 500."""
    fault = "<soap:Fault><faultstring>no such report</faultstring></soap:Fault>"
    server = wire(reply(text=fault, status=500, headers={"Content-Type": "text/xml"}))
    with pytest.raises(Closed, match=r"answered 500: .*no such report"):
        server.session(dialect=when(500, Fatal(Closed), "soap:Fault")).get("/things")
    assert len(server.requests) == 1


def test_an_error_may_be_an_answer(wire: MakeWire) -> None:
    server = wire(reply(404, {"message": "no rows", "rows": []}, headers=DATE))
    answer = server.session(dialect=when(404, Ok(), "no rows")).get("/things")
    assert answer.json["rows"] == []
    assert server.opened[0].source_time() is not None


@pytest.mark.parametrize("status", [200, 403, 404])
def test_what_is_there_no_more_is_gone(wire: MakeWire, status: int) -> None:
    server = wire(reply(status, {"error": "lead not found"}))
    with pytest.raises(Gone, match=rf"crm\.things: GET /things answered {status}: .*not found"):
        server.session(dialect=when(status, Absent())).get("/things", accept=(200, 404))
    assert len(server.requests) == 1


def test_a_firewall_s_page_is_a_long_pause_of_the_account(wire: MakeWire) -> None:
    blocked = Judging(
        lambda a: Pause(900, "blocked", "burst") if a.status == 403 and is_page(a) else None
    )
    page = reply(
        403, text="<html>You have been blocked</html>", headers={"Content-Type": "text/html"}
    )
    server = wire(page, reply())
    session = server.session(
        dialect=blocked, windows={"burst": Window("burst", 9, 2)}, budget_seconds=1_000
    )
    session.get("/things")
    assert server.waits == [900]
    assert session.usage.rate_limit_hits == 1
    with pytest.raises(Deferred, match="burst"):
        server.opened[0].budget.take(["burst"], most_wait=800)
    plain = wire(reply(403, {"error": "no right"}))
    with pytest.raises(Closed, match="no right"):
        plain.session(dialect=blocked).get("/things")


def test_pauses_in_a_row_are_counted(wire: MakeWire) -> None:
    slow = when(418, Pause(1, "tea"))
    server = wire(reply(418), reply(418), reply(), reply(418), reply())
    session = server.session(dialect=slow)
    session.get("/things")
    session.get("/things")
    assert slow.tries == [1, 2, 3, 1, 2]


def test_a_day_that_is_used_up_is_over_at_the_server_s_midnight(wire: MakeWire) -> None:
    spent = Judging(
        lambda a: (
            Pause(until_midnight(a), "tokens used up", "daily", defer=True)
            if a.status == 429
            else None
        )
    )
    server = wire(reply(429, headers=DATE))
    session = server.session(
        dialect=spent, windows={"daily": Window("daily", 9, 86_400)}, budget_seconds=86_000
    )
    with pytest.raises(Deferred, match="tokens used up") as caught:
        session.get("/things")
    in_hours = (caught.value.until - datetime.now(UTC)) / timedelta(hours=1)
    assert in_hours == pytest.approx(2.5, abs=0.01)
    assert server.waits == []
    with pytest.raises(Deferred, match="daily"):
        server.opened[0].budget.take(["daily"], most_wait=60)


@pytest.mark.parametrize(
    ("offset", "seconds"), [(0, 2.5 * 3_600), (-5, 7.5 * 3_600), (3, 23.5 * 3_600)]
)
def test_midnight_is_the_account_s(offset: float, seconds: float) -> None:
    date = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
    answer = Answer(429, {}, b"", None, "GET /things", date)
    assert until_midnight(answer, timedelta(hours=offset)) == seconds


class Renewable(Bearer):
    """Gives another token each time."""

    number = 0

    def token(self) -> str:
        return f"token-number-{type(self).number}"

    def refresh(self, refused: str) -> bool:
        type(self).number += 1
        return True


@pytest.mark.parametrize("status", [200, 403])
def test_refused_credentials_are_refreshed_once_whatever_the_status(
    wire: MakeWire, status: int
) -> None:
    expired = when(status, Fatal(Unauthorized), "INVALID_SESSION_ID")
    body: Any = {"error": "INVALID_SESSION_ID"}
    once = wire(reply(status, body), reply())
    assert once.session(auth=Renewable("", "CRM_TOKEN"), dialect=expired).get("/things").json
    sent = [request.headers["authorization"] for request in once.requests]
    assert len(set(sent)) == 2
    for_ever = wire(reply(status, body))
    with pytest.raises(Unauthorized, match="check CRM_TOKEN"):
        for_ever.session(auth=Renewable("", "CRM_TOKEN"), dialect=expired).get("/things")
    assert len(for_ever.requests) == 2


def test_a_401_that_is_about_something_else_refreshes_nothing(wire: MakeWire) -> None:
    server = wire(reply(401, {"error": "free accounts have no API"}))
    dialect = when(401, Fatal(Closed), "free accounts")
    before = Renewable.number
    with pytest.raises(Closed, match="free accounts"):
        server.session(auth=Renewable("", "CRM_TOKEN"), dialect=dialect).get("/things")
    assert (len(server.requests), Renewable.number) == (1, before)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"<!DOCTYPE html>", {}, True),
        (b"\r\n <html>", {"content-type": "application/json"}, True),
        (b"blocked", {"content-type": "text/HTML; charset=utf-8"}, True),
        (json.dumps({"error": "<b>"}).encode(), {"content-type": "application/json"}, False),
        (b"", {}, False),
    ],
)
def test_a_page_is_known(body: bytes, headers: dict[str, str], expected: bool) -> None:
    assert is_page(Answer(403, headers, body, None, "GET /", None)) is expected


def test_a_pause_is_no_error_of_its_own() -> None:
    with pytest.raises(ValueError, match="Pause"):
        Fatal(Deferred)
