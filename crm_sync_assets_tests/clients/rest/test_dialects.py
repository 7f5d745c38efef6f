"""How many APIs say no: what is waited for, what is no answer of the API, what is told of it."""

from __future__ import annotations

import pytest

from crm_sync_assets.clients.answers import Answer, Pause, Retry
from crm_sync_assets.clients.rest.dialects import Patient

DIALECT = Patient("minute")


def answer(status: int, body: str = "{}", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body.encode(), None, "GET /things", None)


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 60), (2, 120), (4, 480), (5, 900), (6, 900), (5_000, 900)]
)
def test_a_429_waits_longer_each_time_however_often(tries: int, seconds: float) -> None:
    pause = DIALECT.verdict(answer(429), tries)
    assert isinstance(pause, Pause)
    assert (pause.seconds, pause.window) == (seconds, "minute")
    told = DIALECT.verdict(answer(429, retry_after="0.01"), tries)
    assert isinstance(told, Pause)
    assert told.seconds == pytest.approx(0.01)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_page_for_people_is_no_answer_of_the_api(status: int) -> None:
    page = "<!DOCTYPE html><html><body>Blocked</body></html>"
    assert isinstance(DIALECT.verdict(answer(status, page, content_type="text/html"), 1), Retry)
    assert DIALECT.verdict(answer(status), 1) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": "no such thing"}', "no such thing"),
        ('{"errors": ["one", {"message": "two"}]}', "one; two"),
        ('{"message": "INVALID", "description": "no such group"}', "INVALID; no such group"),
        ('{"description": "no such group"}', "no such group"),
        ("no JSON", "no JSON"),
        ("{}", "{}"),
    ],
)
def test_what_an_error_says_is_found(body: str, said: str) -> None:
    assert DIALECT.explain(answer(400, body)) == said
