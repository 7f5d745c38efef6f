"""Google's sandbox: what it refuses, what it imitates, and gspread as the judge of both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from crm_sync_assets.clients.rest.grants import JWT_GRANT, signed_jwt
from crm_sync_assets.sandbox import Sandbox

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
TAB = "'Marketing Source Leads'"


@pytest.fixture(scope="module")
def _running() -> Iterator[Sandbox]:
    with Sandbox(seed=5, contacts=1, zipcodes=1, gsheet_leads=12) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: Sandbox) -> Sandbox:
    _running.reset()
    _running.clock.freeze(NOON)
    return _running


class Api:
    """Google's paths, spoken with a token of the service account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.env = sandbox.env()
        self.account = json.loads(self.env["GSHEET_SERVICE_ACCOUNT"])
        self.client = httpx.Client(verify=False)
        self.book = self.env["GSHEET_2025_MARKETING_LEADS_ID"]
        token = self.token().json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def token(self, **changes: Any) -> httpx.Response:
        now = int(time.time())
        claims = {
            "iss": self.account["client_email"],
            "scope": SCOPE,
            "aud": self.account["token_uri"],
            "iat": now,
            "exp": now + int(changes.pop("lasts", 3_600)),
        }
        tail = changes.pop("tail", "")
        assertion = signed_jwt(claims | changes, self.account["private_key"], None, "KEY") + tail
        form = {"grant_type": JWT_GRANT, "assertion": assertion}
        return self.client.post(self.account["token_uri"], data=form)

    def sheets(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(f"{self.env['GSHEET_BASE_URL']}/spreadsheets/{path}", params=params)

    def values(self, place: str, book: str = "", **params: Any) -> httpx.Response:
        return self.sheets(f"{book or self.book}/values/{quote(place, safe='')}", **params)

    def file(self, book: str = "") -> httpx.Response:
        return self.client.get(f"{self.env['GSHEET_DRIVE_URL']}/files/{book or self.book}")


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    yield api
    api.client.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"aud": "https://elsewhere.example.com"}, "audience"),
        ({"lasts": 9_999}, "60 minutes"),
        ({"iat": 1, "exp": 3_000}, "reasonable timeframe"),
        ({"iss": "nobody@example.com"}, "account not found"),
        ({"tail": "A"}, "Signature"),
    ],
    ids=str,
)
def test_a_jwt_that_is_amiss_grants_nothing(api: Api, changes: Any, said: str) -> None:
    answer = api.token(**changes)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert said in answer.json()["error_description"]


def test_who_has_no_token_is_not_let_in_and_a_token_ends(api: Api, sandbox: Sandbox) -> None:
    assert api.file().status_code == 200
    sandbox.clock.advance(7_200)
    assert api.file().status_code == 401
    api.client.headers.pop("Authorization")
    answer = api.sheets(api.book)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_an_api_key_is_known_or_refused(api: Api, sandbox: Sandbox) -> None:
    api.client.headers.pop("Authorization")
    key = sandbox.crms["gsheet"].key  # type: ignore[attr-defined]
    assert api.sheets(api.book, key=key).status_code == 200
    answer = api.sheets(api.book, key="AIzaWrong")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize(
    ("place", "params", "said"),
    [
        ("Marketing Source Leads!A1:B2", {}, "Unable to parse range"),
        ("'Other'!A1:B2", {}, "Unable to parse range"),
        (f"{TAB}!A900:B999", {}, "exceeds grid limits. Max rows: 18, max columns:"),
        (f"{TAB}!A1:B2", {"valueRenderOption": "NICELY"}, "value_render_option"),
    ],
)
def test_a_range_that_there_is_not_is_refused(
    api: Api, place: str, params: dict[str, str], said: str
) -> None:
    answer = api.values(place, **params)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert said in answer.json()["error"]["message"]


def test_a_spreadsheet_is_seen_by_whom_it_is_shared_with(api: Api, sandbox: Sandbox) -> None:
    assert api.sheets("1nobodys").status_code == 404
    sandbox.gsheet.set("2025", is_shared=False)
    assert api.sheets(api.book).json()["error"]["status"] == "PERMISSION_DENIED"
    assert api.file().json()["error"]["errors"][0]["reason"] == "notFound"
    sandbox.gsheet.set("2025", is_shared=True, is_trashed=True)
    assert api.file().json()["trashed"] is True


def test_rows_end_with_their_last_cell_and_ranges_with_their_last_row(
    api: Api, sandbox: Sandbox
) -> None:
    one, two, *_ = sandbox.gsheet.ids("marketing_leads")[12:]
    sandbox.gsheet.clear(two)
    names = [column.name for column in sandbox.gsheet.book("2025").columns]
    sandbox.gsheet.edit(one, dict.fromkeys(names[2:]))
    found = api.values(f"{TAB}!A1:ZZ400").json()
    rows = found["values"]
    assert (len(rows), len(rows[1]), rows[2]) == (13, 2, [])
    assert found["range"].endswith(":BJ18")
    assert "values" not in api.values(f"{TAB}!A15:C17").json()


def test_a_cell_is_shown_or_bare(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.gsheet.ids("marketing_leads")[12]
    sandbox.gsheet.edit(one, {"created_at": "2024-04-12 09:12:44", "phone_number": "6145550142"})
    place = f"{TAB}!A2:D2"
    [shown] = api.values(place).json()["values"]
    [bare] = api.values(place, valueRenderOption="UNFORMATTED_VALUE").json()["values"]
    assert (shown[0], shown[3]) == ("4/12/2024 9:12:44", "6145550142")
    assert (round(bare[0], 3), bare[3]) == (45_394.384, 6_145_550_142.0)


def test_what_dates_the_file_and_what_does_not(api: Api, sandbox: Sandbox) -> None:
    def changed(act: Any) -> bool:
        before = api.file().json()["modifiedTime"]
        act()
        return bool(api.file().json()["modifiedTime"] != before)

    one = sandbox.gsheet.ids("marketing_leads")[12]
    assert changed(lambda: sandbox.gsheet.touch("2025"))
    assert changed(lambda: sandbox.gsheet.edit(one, {"call_notes": "x"}))
    assert not changed(lambda: sandbox.gsheet.recalculate(one, {"call_notes": "y"}))


def test_sixty_reads_a_minute_are_the_limit(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.limits = True
    statuses = [api.sheets(api.book).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    body = api.sheets(api.book).json()["error"]
    assert (body["status"], body["details"][0]["reason"]) == (
        "RESOURCE_EXHAUSTED",
        "RATE_LIMIT_EXCEEDED",
    )
    assert api.file().status_code == 200, "Drive counts by itself"


def test_several_ranges_come_together(api: Api) -> None:
    found = api.sheets(f"{api.book}/values:batchGet", ranges=[f"{TAB}!A1:B1", f"{TAB}!A2:B2"])
    assert [len(one["values"]) for one in found.json()["valueRanges"]] == [1, 1]


def test_gspread_reads_a_tab_as_the_service_account(api: Api, sandbox: Sandbox) -> None:
    gspread = pytest.importorskip("gspread")
    requests = pytest.importorskip("requests")

    class Here(requests.adapters.HTTPAdapter):  # type: ignore[misc, name-defined]
        """Sends what is meant for Google to the sandbox."""

        def send(self, request: Any, **options: Any) -> Any:
            places = {
                "https://sheets.googleapis.com/v4": api.env["GSHEET_BASE_URL"],
                "https://www.googleapis.com/drive/v3": api.env["GSHEET_DRIVE_URL"],
            }
            for google, ours in places.items():
                request.url = request.url.replace(google, ours)
            return super().send(request, **options)

    client = gspread.service_account_from_dict(api.account, scopes=[SCOPE])
    client.http_client.session.mount("https://", Here())
    book = client.open_by_key(api.book)
    assert (book.title, book.timezone, book.locale) == ("Leads 2025", "America/New_York", "en_US")
    tab = book.worksheet("Marketing Source Leads")
    grid = sandbox.gsheet.book("2025").grid()
    assert tab.row_values(1) == grid[0]
    found = tab.get_all_values()
    width = len(found[0])
    assert found == [row + [""] * (width - len(row)) for row in grid]
    assert tab.acell("A2").value == grid[1][0]
