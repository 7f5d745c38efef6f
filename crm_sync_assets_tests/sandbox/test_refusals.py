"""What HubSpot refuses, the sandbox refuses, with the body clients will see."""

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.conftest import Api

CONTACTS = "/crm/v3/objects/contacts"
SEARCH = f"{CONTACTS}/search"


def _filter(name: str, operator: str, **value: object) -> dict:
    return {"filterGroups": [{"filters": [{"propertyName": name, "operator": operator, **value}]}]}


def _inputs(count: int) -> dict:
    return {"inputs": [{"id": str(n)} for n in range(count)]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{CONTACTS}?limit=101", 400),
        (f"{CONTACTS}?limit=0", 400),
        (f"{CONTACTS}?limit=x", 400),
        (f"{CONTACTS}?after=someday", 400),
        (f"{CONTACTS}?archived=perhaps", 400),
        (f"{CONTACTS}?limit=51&propertiesWithHistory=email", 400),
        (f"{CONTACTS}?properties={'x' * 9_000}", 414),
        (f"{CONTACTS}/17", 404),
        ("/crm/v3/objects/spaceships", 404),
        ("/crm/v3/owners?limit=501", 400),
        ("/crm/v3/pipelines/deals/none", 404),
        ("/crm/v3/properties/contacts/none", 404),
        ("/crm/v4/objects/contacts/17/associations/deals", 404),
        ("/crm/v9/objects/contacts", 404),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_read_is_refused(api: Api, path: str, status: int) -> None:
    answer = api.client.get(path)
    assert answer.status_code == status
    assert answer.json()["status"] == "error"
    assert answer.json()["correlationId"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SEARCH, {"limit": 201}),
        (SEARCH, {"limit": "many"}),
        (SEARCH, {"after": "10000"}),
        (SEARCH, {"after": "9900", "limit": 200}),
        (SEARCH, {"after": "x"}),
        (SEARCH, {"sorts": [{"propertyName": "email"}, {"propertyName": "city"}]}),
        (SEARCH, {"sorts": [{"propertyName": "nope"}]}),
        (SEARCH, {"sorts": [{"propertyName": "email", "direction": "UP"}]}),
        (SEARCH, {"query": "q" * 3_001}),
        (SEARCH, {"properties": "email"}),
        (SEARCH, _filter("email", "LIKE", value="x")),
        (SEARCH, _filter("email", "EQ")),
        (SEARCH, _filter("email", "IN", value="x")),
        (SEARCH, _filter("lastmodifieddate", "GTE", value="yesterday")),
        (SEARCH, _filter("lastmodifieddate", "BETWEEN", value="1")),
        (SEARCH, _filter("price", "GT", value="cheap")),
        (SEARCH, {"filterGroups": [{"filters": []}] * 6}),
        (SEARCH, {"filterGroups": [_filter("email", "HAS_PROPERTY")["filterGroups"][0]] * 6}),
        (SEARCH, []),
        (f"{CONTACTS}/batch/read", _inputs(101)),
        (f"{CONTACTS}/batch/read", _inputs(0)),
        (f"{CONTACTS}/batch/read", {"ids": [1]}),
        (f"{CONTACTS}/merge", {"primaryObjectId": "1"}),
        (CONTACTS, {"properties": {"no_such_property": "x"}}),
        ("/crm/v4/associations/contacts/deals/batch/read", _inputs(1_001)),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_body_is_a_validation_error(api: Api, path: str, body: object) -> None:
    answer = api.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_a_body_must_be_json_and_say_so(api: Api) -> None:
    typed = {"Content-Type": "application/json"}
    assert api.client.post(SEARCH, content=b"{").status_code == 415
    assert api.client.post(SEARCH, content=b"{", headers=typed).status_code == 400
    assert api.client.post(SEARCH, content=b"{}", headers=typed).status_code == 200


@pytest.mark.parametrize(
    ("header", "status", "category"),
    [
        (None, 401, "INVALID_AUTHENTICATION"),
        ("Bearer", 401, "INVALID_AUTHENTICATION"),
        ("Basic x", 401, "INVALID_AUTHENTICATION"),
        ("Bearer pat-na1-00000000-0000-0000-0000-000000000000", 401, "INVALID_AUTHENTICATION"),
        ("Bearer COundecodable", 401, "EXPIRED_AUTHENTICATION"),
        ("Bearer two words", 530, None),
    ],
    ids=str,
)
def test_bad_credentials_are_refused(
    api: Api, header: str | None, status: int, category: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    del api.client.headers["Authorization"]
    answer = api.client.get(CONTACTS, headers=headers)
    assert answer.status_code == status
    assert answer.json().get("category") == category


def test_a_missing_scope_closes_its_objects_only(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.missing_scopes = {"crm.objects.deals.read", "crm.objects.owners.read"}
    answer = api.get("/crm/v3/objects/deals")
    assert answer.status_code == 403
    [error] = answer.json()["errors"]
    assert error["context"]["requiredGranularScopes"] == ["crm.objects.deals.read"]
    assert api.get("/crm/v3/owners").status_code == 403
    associations = "/crm/v4/associations/contacts/deals/batch/read"
    assert api.post(associations, _inputs(1)).status_code == 403
    assert api.get(CONTACTS).status_code == 200


def _refresh(api: Api, token: str, **more: str) -> dict:
    env = api.sandbox.oauth_env()
    form = {
        "grant_type": "refresh_token",
        "client_id": env["HUBSPOT_CLIENT_ID"],
        "client_secret": env["HUBSPOT_CLIENT_SECRET"],
        "refresh_token": token,
    }
    return api.client.post("/oauth/v3/token", data={**form, **more}).json()


def test_an_access_token_lives_by_the_sandbox_clock(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.token_lifetime = 60
    granted = _refresh(api, sandbox.oauth_env()["HUBSPOT_REFRESH_TOKEN"])
    assert granted["expires_in"] == 60
    api.client.headers["Authorization"] = f"Bearer {granted['access_token']}"
    answer = api.get(CONTACTS)
    assert answer.status_code == 200
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers
    sandbox.clock.advance(61)
    answer = api.get(CONTACTS)
    assert answer.status_code == 401
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"


def test_a_refresh_token_serves_for_ever_unless_it_rotates(api: Api, sandbox: Sandbox) -> None:
    first = sandbox.oauth_env()["HUBSPOT_REFRESH_TOKEN"]
    assert _refresh(api, first)["refresh_token"] == first
    sandbox.knobs.rotating_refresh_tokens = True
    second = _refresh(api, first)["refresh_token"]
    assert second != first
    assert _refresh(api, first)["status"] == "BAD_REFRESH_TOKEN"
    assert _refresh(api, second)["error"] == "invalid_grant", "reuse revokes the family"


def test_a_wrong_client_gets_no_token(api: Api, sandbox: Sandbox) -> None:
    token = sandbox.oauth_env()["HUBSPOT_REFRESH_TOKEN"]
    assert _refresh(api, token, client_secret="x")["status"] == "BAD_CLIENT_ID"
    assert _refresh(api, token, grant_type="password")["status"] == "BAD_GRANT_TYPE"
