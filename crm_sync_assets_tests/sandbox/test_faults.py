"""Every fault of the script, as a client meets it."""

import time

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.faults import Faults
from crm_sync_assets_tests.sandbox.conftest import Api

CONTACTS = "/crm/v3/objects/contacts"


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (2, [2]),
        ("2", [2]),
        ([1, 4], [1, 4]),
        ("2-4", [2, 3, 4]),
        ("5-", [5, 6]),
        ("every 3", [3, 6]),
        ("all", [1, 2, 3, 4, 5, 6]),
    ],
    ids=str,
)
def test_a_rule_acts_on_the_requests_it_names(on: object, expected: list[int]) -> None:
    faults = Faults()
    faults.add("POST .*search", on, status=500)
    hits = []
    for number in range(1, 7):
        assert faults.meet("GET /x/search") is None
        if faults.meet("POST /x/search?limit=1"):
            hits.append(number)
    assert hits == expected


@pytest.mark.parametrize("bad", [{"on": "sometimes"}, {"explode": True}], ids=str)
def test_a_rule_that_makes_no_sense_is_refused(bad: dict) -> None:
    with pytest.raises((ValueError, TypeError)):
        Faults().add("x", **bad)


@pytest.mark.parametrize("status", [401, 403, 404, 423, 429, 477, 500, 502, 503, 504, 520, 530])
def test_any_status_can_come_once(api: Api, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add("GET .*/contacts", on=2, status=status)
    assert [api.get(CONTACTS).status_code for _ in range(3)] == [200, status, 200]
    assert sandbox.ledger.count(status=status) == 1


@pytest.mark.parametrize("wait", ["7", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "86400", None])
@pytest.mark.parametrize("body", ["secondly", "ten_secondly", "daily"])
def test_a_429_comes_with_any_policy_and_retry_after(
    api: Api, sandbox: Sandbox, body: str, wait: str | None
) -> None:
    sandbox.faults.add("contacts", status=429, body=body, retry_after=wait)
    answer = api.get(CONTACTS)
    assert answer.status_code == 429
    assert body in answer.json()["message"]
    assert answer.headers.get("Retry-After") == wait


def test_success_can_hide_html_or_a_rate_limit(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add("contacts", on=1, status=200, body="html")
    sandbox.faults.add("contacts", on=2, status=200, body="ten_secondly")
    sandbox.faults.add("contacts", on=3, body='{"results":[{"id":"\\ud800","n":NaN}]}')
    assert api.get(CONTACTS).text.startswith("<!DOCTYPE html>")
    assert api.get(CONTACTS).json()["errorType"] == "RATE_LIMIT"
    assert "NaN" in api.get(CONTACTS).text


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"drop": True}, httpx.RemoteProtocolError),
        ({"truncate": 0.5}, httpx.RemoteProtocolError),
        ({"truncate": 0}, httpx.RemoteProtocolError),
        ({"content_length": 9}, httpx.RemoteProtocolError),
    ],
    ids=str,
)
def test_the_connection_can_break(
    api: Api, sandbox: Sandbox, fault: dict, error: type[Exception]
) -> None:
    sandbox.faults.add("contacts", **fault)
    with pytest.raises((error, httpx.ReadError)):
        api.get(CONTACTS)
    assert api.get(CONTACTS).status_code == 200


def test_a_short_content_length_cuts_the_body(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add("contacts", content_length=-9)
    with pytest.raises(ValueError, match="char"):
        api.get(CONTACTS).json()


def test_an_answer_can_hang_or_drip(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add("contacts", on=1, hang=30)
    sandbox.faults.add("contacts", on=2, drip=30)
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            api.client.get(CONTACTS, timeout=0.1)


def test_a_hanging_answer_does_not_keep_the_sandbox_from_stopping() -> None:
    with Sandbox(contacts=60) as sandbox:
        sandbox.faults.add("", hang=60)
        api = Api(sandbox)
        with api.client, pytest.raises(httpx.ReadTimeout):
            api.client.get(CONTACTS, timeout=0.1)
        started = time.monotonic()
    assert time.monotonic() - started < 1.5


def test_a_record_can_change_between_two_pages(api: Api, sandbox: Sandbox) -> None:
    last = sandbox.hubspot.ids("deals")[-1]
    change = {"op": "edit", "type": "deals", "id": last, "properties": {"dealname": "moved"}}
    sandbox.faults.add("GET .*deals", on=2, mutate=change)
    sandbox.faults.add("GET .*deals", on=3, mutate=[{"op": "put", "crm": "github", "zipcode": "1"}])
    found = api.walk("/crm/v3/objects/deals", limit=20)
    assert found[-1]["properties"]["dealname"] == "moved"
    assert "1" in [row["zipcode"] for row in sandbox.github.truth()]


def test_python_can_step_in(api: Api, sandbox: Sandbox) -> None:
    numbers: list[int] = []
    sandbox.faults.add("contacts", on=2, callback=numbers.append)
    sandbox.faults.add("contacts", on=3, rewrite=lambda body: body.replace(b"results", b"resluts"))
    sandbox.faults.add("contacts", on=4, headers={"Content-Encoding": "gzip"})
    api.get(CONTACTS)
    api.get(CONTACTS)
    assert numbers == [2]
    assert "resluts" in api.get(CONTACTS).json()
    with pytest.raises(httpx.DecodingError):
        api.get(CONTACTS)


@pytest.mark.parametrize(
    ("lie", "left"),
    [("empty", []), ("short", [0, 1, 3, 4]), ("swap", [0, 1, 1, 3, 4])],
)
def test_a_page_can_lie_about_its_records(
    api: Api, sandbox: Sandbox, lie: str, left: list[int]
) -> None:
    """Its cursor and its total stay as they are."""
    search = {"limit": 5, "sorts": ["hs_object_id"]}
    honest = api.get(CONTACTS, limit=5).json()
    counted = api.post(f"{CONTACTS}/search", search).json()
    sandbox.faults.add("contacts", on=[1, 2], lie=lie)
    listed = api.get(CONTACTS, limit=5).json()
    assert listed["results"] == [honest["results"][n] for n in left]
    assert listed["paging"] == honest["paging"]
    searched = api.post(f"{CONTACTS}/search", search).json()
    assert searched["results"] == [counted["results"][n] for n in left]
    assert searched["total"] == counted["total"]


def test_a_lie_that_is_unknown_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="want one of empty, short, swap"):
        sandbox.faults.add("", lie="white")
