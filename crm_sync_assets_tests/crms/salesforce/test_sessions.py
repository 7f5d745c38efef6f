"""Sessions: how they are begun, what they begin with, and whose data they read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_sync_assets.errors import Deferred, FatalError, NotSet, Unauthorized, UsageError
from crm_sync_assets.operations.opening import open_client
from crm_sync_assets_tests.crms.salesforce.conftest import Bench

SECRETS = ("SALESFORCE_CLIENT_SECRET", "SALESFORCE_REFRESH_TOKEN", "SALESFORCE_PRIVATE_KEY")
TOKENS = "/services/oauth2/token"


def given(bench: Bench, **variables: str) -> None:
    """A client of these variables, and of no other of Salesforce's."""
    for name in (*SECRETS, "SALESFORCE_CLIENT_ID", "SALESFORCE_USERNAME", "SALESFORCE_LOGIN_URL"):
        bench.environment.delenv(name, raising=False)
    for name, value in variables.items():
        bench.environment.setenv(name, value)
    # A signed JWT is good for minutes, by our own clock.
    bench.sandbox.clock.freeze(datetime.now(UTC))
    bench.connect()


def of_sandbox(bench: Bench, way: str) -> dict[str, str]:
    played = bench.sandbox.crms["salesforce"]
    url = bench.sandbox.env()["SALESFORCE_LOGIN_URL"].removesuffix("/salesforce")
    if way == "signed":
        found: dict[str, str] = played.signed_env(url)
    else:
        found = played.env(url, oauth=way == "refresh token")
    return found


@pytest.mark.parametrize("way", ["client credentials", "refresh token", "signed"])
def test_a_session_is_begun_in_each_way_and_anew_once_it_has_ended(bench: Bench, way: str) -> None:
    given(bench, **of_sandbox(bench, way))
    bench.sandbox.ledger.reset()
    assert bench.client.check().startswith("Salesforce org 00D")
    assert len(bench.asked(TOKENS)) == 1
    bench.sandbox.crms["salesforce"].operations()["end_sessions"]()
    bench.sync("users")
    assert len(bench.asked(TOKENS)) == 2
    assert bench.wrong("users") == []


def test_a_key_in_one_line_is_a_key(bench: Bench) -> None:
    variables = of_sandbox(bench, "signed")
    key = variables["SALESFORCE_PRIVATE_KEY"]
    given(bench, **variables | {"SALESFORCE_PRIVATE_KEY": key.replace("\n", "\\n")})
    assert "Salesforce org" in bench.client.check()


def test_a_refresh_token_that_works_once_is_kept_for_all_processes(bench: Bench) -> None:
    bench.sandbox.knobs.turn({"rotating_refresh_tokens": True})
    given(bench, **of_sandbox(bench, "refresh token"))
    bench.client.check()
    for _ in range(2):
        bench.sandbox.crms["salesforce"].operations()["end_sessions"]()
        other = open_client("salesforce")
        assert "Salesforce org" in other.check()
        other.close()
    bench.sync("users")
    assert bench.wrong("users") == []


@pytest.mark.parametrize("way", ["client credentials", "refresh token", "signed"])
def test_credentials_that_are_refused_are_named(bench: Bench, way: str) -> None:
    variables = of_sandbox(bench, way)
    wrong = {"client credentials": 0, "refresh token": 1, "signed": None}[way]
    if wrong is None:
        variables["SALESFORCE_USERNAME"] = "nobody@acme.example.com"
    else:
        variables[SECRETS[wrong]] = "a-wrong-one-0123456789"
    given(bench, **variables)
    with pytest.raises(Unauthorized, match=SECRETS[0 if wrong is None else wrong]) as told:
        bench.sync("users")
    assert "a-wrong-one" not in str(told.value)


def test_what_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(NotSet, match="SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET"):
        given(bench, SALESFORCE_CLIENT_ID="3MVG9.sandbox.consumer.key")


def test_a_version_is_written_as_salesforce_writes_it(bench: Bench) -> None:
    bench.environment.setenv("SALESFORCE_API_VERSION", "67")
    with pytest.raises(UsageError, match=r"SALESFORCE_API_VERSION is '67': write it like v67\.0"):
        bench.connect()
    bench.environment.setenv("SALESFORCE_API_VERSION", "v66.0")
    bench.connect()
    bench.sync("users")
    assert bench.asked("/v66.0/")


def test_a_session_that_is_refused_again_is_an_error_of_the_credentials(bench: Bench) -> None:
    bench.sandbox.knobs.turn({"salesforce_no_api_scope": True})
    bench.sandbox.ledger.reset()
    with pytest.raises(Unauthorized, match=r"INVALID_SESSION_ID.*SALESFORCE_CLIENT_SECRET"):
        bench.sync("users")
    assert len(bench.asked("/query")) == 2


def test_the_data_of_another_org_does_not_get_into_the_tables(bench: Bench) -> None:
    bench.sync("users")
    bench.client.note("organization", {"Id": "00D000000000001EAA", "Name": "Other"})
    bench.client._remembered.pop("org id")
    with pytest.raises(FatalError, match="00D000000000001EAA"):
        bench.sync("users")


def test_no_more_than_the_share_of_the_days_requests_is_used(bench: Bench) -> None:
    bench.sandbox.knobs.turn({"salesforce_daily": 100, "salesforce_used": 79})
    bench.configure(page_size=20)
    with pytest.raises(Deferred, match="20% are left to others"):
        bench.sync("contacts")
    asked = len(bench.asked("/services/data"))
    with pytest.raises(Deferred):
        bench.sync("contacts")
    assert len(bench.asked("/services/data")) == asked
    bench.sandbox.knobs.turn({"salesforce_daily": 10_000, "salesforce_used": 0})
    bench.connect()
    bench.sync("contacts")
    assert bench.wrong("contacts") == []


def test_requests_that_are_used_up_are_put_off(bench: Bench) -> None:
    bench.configure(rate_reserve=0)
    bench.sandbox.faults.add("/queryAll", on="2-", status=403, body="limit")
    with pytest.raises(Deferred, match="TotalRequests Limit exceeded"):
        bench.sync("contacts")
    bench.sandbox.faults.clear()
    bench.sandbox.faults.add("/queryAll", on=2, status=403, body="concurrent")
    bench.sync("contacts")
    assert bench.wrong("contacts") == []
    assert max(bench.waits) >= 30
