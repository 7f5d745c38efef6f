"""What HubSpot's token endpoint may answer, and what a person is told to do about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.errors import Deferred, FatalError, TransientError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.hubspot.test_client import MakeReader

TOKEN = r"POST /hubspot/oauth/"
MOVING = {
    "its own status": {"status": 477, "body": "migration"},
    "a 400 that says so": {"status": 400, "body": "migration"},
    "a 400 with the status inside": {
        "status": 400,
        "body": json.dumps({"status": 477, "message": "Try again later"}),
    },
    "an OAuth error": {
        "status": 400,
        "body": json.dumps({"error": "migration_in_progress", "error_description": "wait"}),
    },
}
REFUSED = {
    "OAuth's word": {"error": "invalid_grant", "error_description": "it has expired"},
    "HubSpot's word": {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid"},
    "the client": {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"},
    "a standard error": {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "subCategory": "INVALID_TOKEN",
        "message": "Invalid refresh token",
    },
}
OTHERS = {
    "a validation error": {"status": "error", "message": "There was a problem with the request."},
    "an error without words": {"status": "error"},
}


@pytest.fixture
def oauth(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.delenv("HUBSPOT_TOKEN")
    for name, value in sandbox.oauth_env().items():
        monkeypatch.setenv(name, value)
    return sandbox


@pytest.mark.parametrize("answer", MOVING.values(), ids=MOVING)
def test_an_account_that_moves_defers_the_refresh(
    oauth: Sandbox, reader: MakeReader, answer: dict[str, Any]
) -> None:
    """Told to authorise again, a person would throw away a grant that works."""
    oauth.faults.add(TOKEN, "all", retry_after="7200", **answer)
    with pytest.raises(Deferred, match="another data centre") as caught:
        reader().read("deals")
    left = caught.value.until - datetime.now(UTC)
    assert timedelta(seconds=7_100) < left <= timedelta(seconds=7_200)


def test_a_400_that_says_so_defers_any_request(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.faults.add(r"GET .*objects/deals", "all", status=400, body="migration")
    with pytest.raises(Deferred, match="another data centre"):
        reader().read("deals")


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_grant_that_is_refused_asks_for_another(
    oauth: Sandbox, reader: MakeReader, body: dict[str, Any]
) -> None:
    oauth.faults.add(TOKEN, "all", status=400, body=json.dumps(body))
    with pytest.raises(FatalError, match="Authorise the app again"):
        reader().read("deals")


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_a_400_that_blames_nobody_asks_for_no_authorisation(
    oauth: Sandbox, reader: MakeReader, body: dict[str, Any]
) -> None:
    oauth.faults.add(TOKEN, "all", status=400, body=json.dumps(body))
    with pytest.raises(FatalError, match="did not refresh") as caught:
        reader().read("deals")
    assert "Authorise" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 400, "body": "secondly"},
        {"status": 503},
        {"status": 200, "body": "html"},
        {"status": 400, "body": "html"},
        {"status": 200, "body": "{}"},
        {"status": 400, "body": "empty"},
        {"drop": True},
    ],
    ids=str,
)
def test_what_passes_is_asked_again(
    oauth: Sandbox, reader: MakeReader, fault: dict[str, Any]
) -> None:
    oauth.faults.add(TOKEN, [1, 2], **fault)
    assert reader().read("deals")


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}], ids=str)
def test_an_endpoint_that_stays_away_is_no_refusal(
    oauth: Sandbox, reader: MakeReader, fault: dict[str, Any]
) -> None:
    oauth.faults.add(TOKEN, "all", **fault)
    with pytest.raises(TransientError, match="refreshing the OAuth token"):
        reader().read("deals")


@pytest.mark.parametrize("lives", ["null", '"soon"', "0", "1e999"])
def test_a_lifetime_that_makes_no_sense_is_the_usual_one(
    oauth: Sandbox, reader: MakeReader, lives: str
) -> None:
    def odd(body: bytes) -> bytes:
        return body.replace(b'"expires_in":1800', b'"expires_in":' + lives.encode())

    oauth.faults.add(TOKEN, "all", rewrite=odd)
    read = reader()
    assert read.read("deals")
    assert sum("/oauth/" in entry.path for entry in oauth.ledger.entries) == 1
