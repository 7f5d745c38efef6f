"""Salesforce's sandbox: how sessions begin and end, and what keeps requests out."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from crm_sync_assets_tests.sandbox.salesforce import DATA, Org, refused

PLAYED = {"salesforce_contacts": 10}
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def _error(answer: httpx.Response) -> str:
    """The code of the token endpoint's refusal, an object."""
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "error_description"}
    return str(answer.json()["error"])


def test_a_session_says_where_the_org_is_and_not_how_long_it_lasts(org: Org) -> None:
    told = org.token(grant_type="client_credentials", **org.client).json()
    assert told["instance_url"] == org.env["SALESFORCE_LOGIN_URL"]
    assert told["token_type"] == "Bearer"
    assert "expires_in" not in told
    assert "refresh_token" not in told
    who = org.http.get(told["id"]).json()
    assert told["id"].endswith(f"/id/{who['organization_id']}/{who['user_id']}")
    [row] = org.rows("SELECT Id FROM Organization")
    assert row["Id"] == who["organization_id"]


def test_the_client_may_come_in_a_header(org: Org) -> None:
    auth = tuple(org.client.values())
    path, form = "/services/oauth2/token", {"grant_type": "client_credentials"}
    assert org.http.post(path, data=form, auth=auth).status_code == 200
    assert _error(org.http.post(path, data=form, auth=(auth[0], "wrong"))) == "invalid_client"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"client_id": "other"}, "invalid_client_id"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "other"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_grant"),
        ({"grant_type": JWT, "assertion": "a.b.c"}, "invalid_grant"),
    ],
    ids=str,
)
def test_what_begins_no_session(org: Org, wrong: dict[str, str], code: str) -> None:
    form = {"grant_type": "client_credentials", **org.client, **wrong}
    assert _error(org.token(**form)) == code


def test_a_password_is_taken_only_where_it_is_switched_on(org: Org) -> None:
    form = {"grant_type": "password", **org.client, "username": "user0@acme.example.com"}
    org.sandbox.knobs.salesforce_password_grant = True
    assert org.token(**form, password="secret-and-security-token").status_code == 200
    refusal = org.token(**form, password="secret")
    assert _error(refusal) == "invalid_grant"
    assert refusal.json()["error_description"] == "authentication failure"


def test_a_refresh_token_works_again_unless_it_rotates(org: Org) -> None:
    first = org.crm.env(org.sandbox.url, oauth=True)["SALESFORCE_REFRESH_TOKEN"]

    def refresh(token: str) -> httpx.Response:
        return org.token(grant_type="refresh_token", refresh_token=token, **org.client)

    assert "refresh_token" not in refresh(first).json()
    org.sandbox.knobs.rotating_refresh_tokens = True
    second = refresh(first).json()["refresh_token"]
    third = refresh(second).json()["refresh_token"]
    assert len({first, second, third}) == 3
    assert _error(refresh(second)) == "invalid_grant"
    assert _error(refresh(third)) == "invalid_grant", "reuse revokes the family"


# -- assertions ----------------------------------------------------------------------------------


def _part(content: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")


def _assertion(org: Org, key: Any = None, alg: str = "RS256", **changed: Any) -> str:
    env = org.crm.signed_env(org.sandbox.url)
    key = key or serialization.load_pem_private_key(env["SALESFORCE_PRIVATE_KEY"].encode(), None)
    claims = {
        "iss": env["SALESFORCE_CLIENT_ID"],
        "sub": env["SALESFORCE_USERNAME"],
        "aud": env["SALESFORCE_LOGIN_URL"],
        "exp": org.sandbox.clock.now_ms() // 1000 + 120,
        **changed,
    }
    signed = _part({"alg": alg}) + b"." + _part(claims)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.mark.parametrize("changed", [{}, {"aud": "https://login.salesforce.com"}], ids=str)
def test_a_signed_assertion_begins_a_session(org: Org, changed: dict[str, Any]) -> None:
    answer = org.token(grant_type=JWT, assertion=_assertion(org, **changed))
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert org.http.get(f"{DATA}/limits", headers=token).status_code == 200


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"iss": "other"}, "invalid_client_id"),
        ({"sub": "other"}, "invalid_grant"),
        ({"aud": "https://example.com"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"exp": 4_000_000_000}, "invalid_grant"),
        ({"exp": 1_795_194_000 + 191}, "invalid_grant"),
        ({"exp": "soon"}, "invalid_grant"),
        ({"alg": "none"}, "invalid_grant"),
    ],
    ids=str,
)
def test_an_assertion_that_is_not_right(org: Org, changed: dict[str, Any], code: str) -> None:
    assert _error(org.token(grant_type=JWT, assertion=_assertion(org, **changed))) == code


def test_an_assertion_of_another_key(org: Org) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    assertion = _assertion(org, key=other)
    assert _error(org.token(grant_type=JWT, assertion=assertion)) == "invalid_grant"


# -- sessions ------------------------------------------------------------------------------------


def test_a_session_lives_on_with_every_call(org: Org) -> None:
    org.sandbox.knobs.token_lifetime = 600
    for _ in range(4):
        org.sandbox.clock.advance(500)
        assert org.get("limits").status_code == 200
    org.sandbox.clock.advance(601)
    assert refused(org.get("limits"), 401, "INVALID_SESSION_ID") == "Session expired or invalid"
    org.begin()
    assert org.get("limits").status_code == 200


def test_sessions_can_be_ended_and_what_they_began_with_goes_on(org: Org) -> None:
    org.crm.operate("end_sessions", {})
    refused(org.get("limits"), 401, "INVALID_SESSION_ID")
    org.begin()
    assert org.get("limits").status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "INVALID_AUTH_HEADER"),
        ("Basic abc", "INVALID_AUTH_HEADER"),
        ("Bearer", "INVALID_AUTH_HEADER"),
        ("Bearer other", "INVALID_SESSION_ID"),
        ("OAuth other", "INVALID_SESSION_ID"),
    ],
)
def test_credentials_that_are_not_right(org: Org, header: str, code: str) -> None:
    answer = org.http.get(f"{DATA}/limits", headers={"Authorization": header})
    refused(answer, 401, code)


def test_an_org_without_api_and_a_token_without_its_scope(org: Org) -> None:
    org.sandbox.knobs.salesforce_no_api_scope = True
    refused(org.get("limits"), 401, "INVALID_SESSION_ID")
    org.sandbox.knobs.salesforce_no_api_scope = False
    org.sandbox.knobs.salesforce_api_disabled = True
    refused(org.get("limits"), 403, "API_DISABLED_FOR_ORG")


# -- limits --------------------------------------------------------------------------------------


def test_every_answer_says_how_much_of_the_day_is_used(org: Org) -> None:
    org.sandbox.knobs.salesforce_daily = 5_000
    org.sandbox.knobs.salesforce_used = 4_000
    assert org.get("limits").headers["sforce-limit-info"] == "api-usage=4001/5000"
    assert org.ask("nonsense").headers["sforce-limit-info"] == "api-usage=4002/5000"
    limits = org.get("limits/").json()
    assert limits["DailyApiRequests"] == {"Max": 5_000, "Remaining": 997}
    assert limits["DailyBulkV2QueryJobs"]["Max"] == 10_000
    org.sandbox.knobs.salesforce_per_app = True
    info = org.get("limits").headers["sforce-limit-info"]
    assert info == "api-usage=4004/5000; per-app-api-usage=4004/250(appName=crm sync)"


def test_the_day_can_be_used_up(org: Org) -> None:
    org.sandbox.knobs.limits = True
    org.sandbox.knobs.salesforce_daily = 3
    assert [org.get("limits").status_code for _ in range(4)] == [200, 200, 200, 403]
    answer = org.get("limits")
    assert refused(answer, 403, "REQUEST_LIMIT_EXCEEDED") == "TotalRequests Limit exceeded."
    assert "retry-after" not in answer.headers


def test_a_long_request_is_turned_away_at_the_edge(org: Org) -> None:
    filling = "x" * 8_000
    soql = f"SELECT Id FROM Contact WHERE LastName != '{filling}'"
    assert org.ask(soql).status_code == 200
    assert org.http.get(f"{DATA}/limits", headers={"X-Filling": filling}).status_code == 200
    answer = org.http.get(f"{DATA}/query", params={"q": soql}, headers={"X-Filling": "x" * 8_400})
    assert answer.status_code == 431
    answer = org.ask(f"{soql}{filling}{filling}")
    assert (answer.status_code, answer.headers["content-type"][:9]) == (414, "text/html")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 403}, 403, "REQUEST_LIMIT_EXCEEDED"),
        ({"status": 403, "body": "concurrent"}, 403, "REQUEST_LIMIT_EXCEEDED"),
        ({"status": 400, "body": "timeout"}, 400, "QUERY_TIMEOUT"),
        ({"status": 500}, 500, "UNKNOWN_EXCEPTION"),
        ({"status": 503}, 503, "SERVER_UNAVAILABLE"),
    ],
    ids=str,
)
def test_faults_have_the_words_of_the_api(
    org: Org, fault: dict[str, Any], status: int, code: str
) -> None:
    org.sandbox.faults.add("/salesforce/.*limits", **fault)
    refused(org.get("limits"), status, code)
    assert org.get("limits").status_code == 200


def test_a_gateway_answers_with_html(org: Org) -> None:
    org.sandbox.faults.add("limits", status=502)
    answer = org.get("limits")
    assert (answer.status_code, answer.text[:9]) == (502, "<!DOCTYPE")
