"""The shared parts of the sandbox, as a CRM made of them alone shows them."""

import base64
from collections.abc import Iterator

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crm import FOLDER, entries
from crm_sync_assets.sandbox.life import DAY_MS

FOLDERS = (FOLDER, "crm_sync_assets_tests.sandbox.crms")


@pytest.fixture(scope="module")
def _running() -> Iterator[Sandbox]:
    with Sandbox(seed=3, contacts=1, zipcodes=1, tiny_deals=40, folders=FOLDERS) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: Sandbox) -> Sandbox:
    _running.reset()
    return _running


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[httpx.Client]:
    north = {"x-api-token": "north"}
    with httpx.Client(base_url=sandbox.env()["TINY_URL"], headers=north, verify=False) as client:
        yield client


def _walk(api: httpx.Client, path: str, asked: str, told: str, **params: object) -> list[list]:
    """The ids of each page, by what a page tells of the next and how that is asked for."""
    pages, more = [], {}
    for _ in range(100):
        page = api.get(path, params={**params, **more}).raise_for_status().json()
        pages.append([row["id"] for row in page["data"]])
        following = {**page, **page.get("additional_data", {})}[told]
        if following is None:
            return pages
        more = {asked: following}
    raise AssertionError("no end")


def _joined(pages: list[list]) -> list:
    return [one for page in pages for one in page]


def _deals(api: httpx.Client, **params: object) -> list[list]:
    return _walk(api, "/deals", "cursor", "next_cursor", limit=9, **params)


# -- the frame -------------------------------------------------------------------------------------


def test_it_is_found_by_name_and_has_options_knobs_and_variables(sandbox: Sandbox) -> None:
    played = {entry.name for entry in entries(FOLDERS)} - {"genius"}
    assert "tiny" in played
    assert set(sandbox.crms) == played, "Genius needs a database"
    assert len(sandbox.tiny.ids("deals")) == 40
    assert sandbox.env()["TINY_URL"] == f"{sandbox.url}/tiny"
    assert "TINY_REFRESH" not in sandbox.env()
    assert sandbox.oauth_env()["TINY_REFRESH"] == "first"
    sandbox.knobs.tiny_burst = 1
    assert sandbox.knobs.as_dict()["tiny_burst"] == 1
    sandbox.reset()
    assert sandbox.knobs.tiny_burst == 40
    with pytest.raises(AttributeError, match="plays no 'spaceship'"):
        _ = sandbox.spaceship


def test_the_control_api_operates_it_and_tells_its_truth(
    api: httpx.Client, sandbox: Sandbox
) -> None:
    control = f"{sandbox.url}/_sandbox"
    one = sandbox.tiny.ids("calls")[0]
    change = {"type": "calls", "id": one, "properties": {"note": "read"}}
    assert api.post(f"{control}/tiny/edit", json=change).json() == {"result": one}
    assert sandbox.tiny.get("calls", one)["properties"]["note"] == "read"
    assert len(api.get(f"{control}/truth/tiny/calls").text.splitlines()) == 40
    assert "want ['archive'" in api.post(f"{control}/tiny/explode", json={}).json()["error"]


def test_a_life_of_all_crms_changes_it_at_its_own_pace(sandbox: Sandbox) -> None:
    before = list(sandbox.tiny.truth("deals"))
    lines = sandbox.crms["tiny"].move(10, seed=1)
    assert len(lines) == 10
    assert list(sandbox.tiny.truth("deals")) != before
    paces = [crm.pace for crm in sandbox.crms.values()]
    assert {1, 2} <= set(paces)
    assert len(sandbox.move(10, seed=2)) == sum(10 // pace for pace in paces)


def test_faults_speak_its_language_and_change_its_world(
    api: httpx.Client, sandbox: Sandbox
) -> None:
    last = sandbox.tiny.ids("deals")[-1]
    sandbox.faults.add("/tiny/", 1, status=429)
    sandbox.faults.add("/tiny/", 2, status=503)
    sandbox.faults.add("/tiny/", 3, lie="empty")
    change = {"op": "edit", "type": "deals", "id": last, "properties": {"note": "now"}}
    sandbox.faults.add("/tiny/", 4, mutate=change)
    assert api.get("/deals").json() == {"success": False, "error": "over"}
    assert api.get("/deals").text == "<b>down</b>"
    page = api.get("/deals?limit=9").json()
    assert page["data"] == []
    assert page["additional_data"]["next_cursor"]
    assert api.get("/deals").json()["data"][-1]["note"] == "now"


# -- records ---------------------------------------------------------------------------------------


def test_ids_and_moments_have_their_own_shape(api: httpx.Client, sandbox: Sandbox) -> None:
    [call, *_] = api.get("/a/ACC1/calls.json").json()["calls"]
    assert call["id"] == "CAL000001" == sandbox.tiny.ids("calls")[0]
    [deal, *_] = api.get("/deals").json()["data"]
    assert len(deal["update_time"]) == len("2026-11-20T08:01:12Z")
    for unknown in ("CAL0fffff", "CAL", "7"):
        with pytest.raises((LookupError, ValueError)):
            sandbox.tiny.get("calls", unknown)


def test_a_kind_may_have_no_recycle_bin_in_the_beginning(sandbox: Sandbox) -> None:
    assert sandbox.tiny.ids("calls", "archived") == []
    assert len(sandbox.tiny.ids("deals", "archived")) == 10


def test_archiving_dates_a_record_and_after_its_days_it_is_in_no_list(
    api: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.clock.freeze("2026-11-20T12:00:00Z")
    one = sandbox.tiny.ids("deals")[0]
    sandbox.tiny.archive("deals", one)
    assert sandbox.tiny.get("deals", one)["updatedAt"] == "2026-11-20T12:00:00.000Z"
    archived = "/deals/archived"
    since = {"updated_since": "2026-11-20T12:00:00Z"}
    assert one not in _joined(_deals(api))
    assert [row["id"] for row in api.get(archived, params=since).json()["data"]] == [one]
    sandbox.clock.advance(31 * DAY_MS / 1000)
    assert api.get(archived).json()["data"] == []
    with pytest.raises(ValueError, match="over 30 days ago"):
        sandbox.tiny.restore("deals", one)


def test_the_primary_of_a_merge_keeps_its_id_and_gaps_are_filled(sandbox: Sandbox) -> None:
    a, b = sandbox.tiny.ids("deals")[:2]
    sandbox.tiny.edit("deals", a, {"note": None})
    sandbox.tiny.edit("deals", b, {"note": "kept"})
    assert sandbox.tiny.merge("deals", a, b) == a
    assert sandbox.tiny.get("deals", a)["properties"]["note"] == "kept"
    assert sandbox.tiny.get("deals", b)["merged_into"] == a


def test_a_calculation_moves_no_date(sandbox: Sandbox) -> None:
    one = sandbox.tiny.ids("calls")[0]
    before = sandbox.tiny.get("calls", one)
    sandbox.tiny.recalculate("calls", [one], {"value": "$1"})
    after = sandbox.tiny.get("calls", one)
    assert after == {**before, "properties": {**before["properties"], "value": "$1"}}


def test_system_fields_and_unknown_kinds_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="no writable fields"):
        sandbox.tiny.create("deals", {"update_time": "2026-11-20T12:00:00Z"})
    with pytest.raises(LookupError, match="no kind 'leads'"):
        sandbox.tiny.ids("leads")


# -- pages -----------------------------------------------------------------------------------------


def test_a_cursor_leads_through_the_list_it_was_made_for_only(
    api: httpx.Client, sandbox: Sandbox
) -> None:
    pages = _deals(api)
    assert _joined(pages) == sandbox.tiny.ids("deals")
    assert [len(page) for page in pages] == [9, 9, 9, 9, 4]
    first = api.get("/deals?limit=9").json()["additional_data"]["next_cursor"]
    for query in ("limit=8", "limit=9&updated_since=2026-01-01T00:00:00Z"):
        answer = api.get(f"/deals?{query}", params={"cursor": first})
        assert (answer.status_code, "cursor" in answer.json()["error"]) == (400, True)
    for bad in ("x", "1017", base64.urlsafe_b64encode(b"0.1017").decode(), "ü"):
        assert api.get("/deals", params={"limit": 9, "cursor": bad}).status_code == 400


@pytest.mark.parametrize(
    ("knobs", "times", "empty"),
    [
        ({"page_shrink": 4}, 1, 0),
        ({"empty_pages": 2}, 1, 2),
        ({"repeat_page": True}, 2, 0),
    ],
    ids=str,
)
def test_pages_by_cursor_or_number_misbehave_and_lose_nothing(
    api: httpx.Client, sandbox: Sandbox, knobs: dict, times: int, empty: int
) -> None:
    sandbox.knobs.turn(knobs)
    pages = _deals(api)
    assert sorted(_joined(pages)) == sorted(times * sandbox.tiny.ids("deals"))
    assert pages[:empty] == [[]] * empty
    first = api.get("/a/ACC1/calls.json?per_page=9").json()
    numbered = [
        [row["id"] for row in api.get(f"/a/ACC1/calls.json?per_page=9&page={n}").json()["calls"]]
        for n in range(1, first["total_pages"] + 1)
    ]
    assert sorted(_joined(numbered)) == sorted(times * sandbox.tiny.ids("calls"))
    assert numbered[:empty] == [[]] * empty


def test_an_offset_skips_a_record_for_each_that_was_deleted_before_it(
    api: httpx.Client, sandbox: Sandbox
) -> None:
    ids = sandbox.tiny.ids("deals")
    page = api.get("/v1/deals?limit=10").json()
    assert page["next_start"] == "10"
    sandbox.tiny.archive("deals", ids[3])
    rest = _walk(api, "/v1/deals", "start", "next_start", limit=10, start=10)
    assert _joined(rest) == ids[11:]
    assert api.get("/v1/deals?start=500").json() == {"data": [], "next_start": None}


def test_a_stuck_cursor_is_the_one_that_was_asked_with(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.knobs.stuck_cursor = True
    assert api.get("/v1/deals?start=7&limit=5").json()["next_start"] == "7"
    first = api.get("/deals?limit=9").json()["additional_data"]["next_cursor"]
    again = api.get("/deals", params={"limit": 9, "cursor": first}).json()
    assert again["additional_data"]["next_cursor"] == first


def test_numbered_pages_tell_totals_and_link_to_the_next(
    api: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.knobs.short_total = 2
    answer = api.get("/a/ACC1/calls.json?per_page=15")
    found = answer.json()
    assert (found["total_pages"], found["total_records"]) == (3, 42)
    seen = [row["id"] for row in found["calls"]]
    while "next" in answer.links:
        answer = api.get(answer.links["next"]["url"])
        seen += [row["id"] for row in answer.json()["calls"]]
    assert seen == sandbox.tiny.ids("calls")
    assert api.get("/a/ACC1/calls.json?page=9").json()["calls"] == []


def test_a_list_goes_on_after_its_last_item(api: httpx.Client) -> None:
    assert api.get("/names?last=n1").json() == {"names": ["n2", "n3"], "last": "n3"}
    assert api.get("/names?last=n2").json() == {"names": ["n3", "n4"], "last": None}


# -- credentials and limits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-token": "north"}, 200),
        ({"Authorization": 'Token token="north"'}, 200),
        ({"Authorization": "Token token=north"}, 200),
        ({"Authorization": "bearer north"}, 200),
        ({"Authorization": "Token north"}, 401),
        ({"Authorization": "north"}, 401),
        ({"x-api-token": "west"}, 401),
        ({}, 401),
    ],
    ids=str,
)
def test_credentials_come_in_several_ways(sandbox: Sandbox, headers: dict, status: int) -> None:
    answer = httpx.get(f"{sandbox.url}/tiny/names", headers=headers, verify=False)
    assert answer.status_code == status
    account = "ACC1" if status == 200 else ""
    assert [entry.account for entry in sandbox.ledger.select("/names")] == [account]


def test_a_key_sees_its_own_account(api: httpx.Client) -> None:
    assert api.get("/a/ACC2/calls.json").status_code == 404
    south = {"x-api-token": "south"}
    assert api.get("/a/ACC2/calls.json", headers=south).status_code == 200


def _renewed(api: httpx.Client, token: str, **more: object) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return api.post(
        "/oauth/token", **{"data": form, "auth": ("tiny-client", "tiny-secret"), **more}
    )


def test_a_refresh_token_that_rotates_works_once(api: httpx.Client, sandbox: Sandbox) -> None:
    assert _renewed(api, "first").json()["refresh"] == "first"
    sandbox.knobs.turn({"rotating_refresh_tokens": True, "token_lifetime": 60})
    second = _renewed(api, "first").json()
    del api.headers["x-api-token"]
    api.headers["Authorization"] = f"Bearer {second['access']}"
    assert api.get("/a/ACC1/calls.json").status_code == 200
    sandbox.clock.advance(61)
    assert api.get("/names").status_code == 401
    assert _renewed(api, "first").status_code == 400
    assert _renewed(api, second["refresh"]).status_code == 400, "the family is revoked"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"auth": ("tiny-client", "wrong")}, "Invalid client"),
        ({"auth": None}, "Invalid client"),
        ({"auth": None, "headers": {"Authorization": "Basic %%"}}, "Invalid client"),
        ({"data": None, "json": {"refresh_token": "first"}}, "x-www-form-urlencoded"),
        ({"data": {"refresh_token": "none"}}, "Invalid grant"),
    ],
    ids=str,
)
def test_a_token_is_asked_for_by_form_and_client(api: httpx.Client, more: dict, error: str) -> None:
    answer = _renewed(api, "first", **more)
    assert answer.status_code == 400
    assert error in answer.json()["error"]


def test_a_limit_counts_what_requests_cost(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.knobs.turn({"limits": True, "tiny_burst": 35, "retry_after": "2"})
    answers = [api.get(path) for path in ("/deals", "/deals/archived", "/deals", "/names")]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert answers[1].headers["x-ratelimit-remaining"] == "10"
    assert (answers[2].text, answers[2].headers["Retry-After"]) == ("<html>burst</html>", "2")
    sandbox.knobs.turn({"tiny_burst": 1_000, "tiny_daily": 40})
    assert api.get("/deals").text == "<html>daily</html>"
    south = {"x-api-token": "south"}
    assert api.get("/deals", headers=south).status_code == 200
    sandbox.clock.advance(86_400)
    assert api.get("/deals").status_code == 200


def test_a_path_that_is_none_and_one_that_is_too_long_are_refused(api: httpx.Client) -> None:
    assert api.get("/spaceships").json() == {"success": False, "error": "resource not found"}
    assert api.get(f"/names?x={'y' * 9_000}").status_code == 414
