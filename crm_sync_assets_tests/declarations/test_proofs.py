"""Deliveries are proven as their senders sign them: the vectors they publish, and what is amiss."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.proofs import (
    Basic,
    Delivery,
    Denied,
    NoSecret,
    Proof,
    Signed,
    Token,
    hmac_hex,
)
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.settings import environment as current

SECRET = Variable("A_SECRET", "a secret", secret=True)
USER, PASSWORD = Variable("A_USER", "a user"), Variable("A_PASSWORD", "one", secret=True)


def webhooks(crm: str) -> Webhooks:
    found = registry.crm(crm).webhooks
    assert found is not None
    return found


HUBSPOT = Delivery(
    b'[{"eventId":1,"subscriptionType":"contact.creation","portalId":99,"objectId":42,'
    b'"occurredAt":1711929600000}]',
    {
        "x-hubspot-signature-v3": "uxkIYlwG7Fvhz91ukSAjNC5pxvVKeUpvHCBdUyhkrWU=",
        "x-hubspot-request-timestamp": "1711929601000",
    },
    url="https://hooks.example.com/webhooks/hubspot?src=hs",
)
HUBSPOT_GIVEN = {"HUBSPOT_WEBHOOK_SECRET": "11111111-2222-3333-4444-555555555555"}
THEN = datetime.fromtimestamp(1711929601, UTC)
CALLRAIL = Delivery(
    b'{"id":"CAL0123","timestamp":"2024-04-12T13:12:44.767Z"}',
    {"signature": "2o+c+wbVk1gXOo00ux2veryGXjs="},
    topic="post_call",
)
CALLRAIL_GIVEN = {"CALLRAIL_WEBHOOK_KEY": "072e77e426f92738a72fe23c4d1953b4"}


def test_hubspots_vector_of_version_3_is_proven() -> None:
    webhooks("hubspot").proof.check(HUBSPOT, HUBSPOT_GIVEN, THEN)


@pytest.mark.parametrize("first", [True, False])
def test_each_of_callrails_companies_signs_with_a_key_of_its_own(first: bool) -> None:
    key, other = CALLRAIL_GIVEN["CALLRAIL_WEBHOOK_KEY"], "0" * 32
    keys = f"{key},{other}" if first else f"{other},{key}"
    proof = webhooks("callrail").proof
    proof.check(CALLRAIL, {"CALLRAIL_WEBHOOK_KEY": keys}, THEN)
    with pytest.raises(Denied, match="signature is wrong"):
        proof.check(CALLRAIL, {"CALLRAIL_WEBHOOK_KEY": f"{other},{key[:-1]}"}, THEN)
    with pytest.raises(NoSecret):
        proof.check(CALLRAIL, {"CALLRAIL_WEBHOOK_KEY": ","}, THEN)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_no_replay(seconds: int) -> None:
    webhooks("hubspot").proof.check(HUBSPOT, HUBSPOT_GIVEN, THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"body": HUBSPOT.body + b" "}, "signature is wrong"),
        ({"url": "https://hooks.example.com/webhooks/hubspot"}, "signature is wrong"),
        ({"url": "http://hooks.example.com/webhooks/hubspot?src=hs"}, "signature is wrong"),
        ({"method": "PUT"}, "signature is wrong"),
        ({"headers": {}}, "no signature"),
        ({"headers": {"x-hubspot-signature-v3": ""}}, "no signature"),
        (
            {"headers": {**HUBSPOT.headers, "x-hubspot-request-timestamp": "1711929601001"}},
            "signature is wrong",
        ),
        ({"headers": {"x-hubspot-signature-v3": "\xff"}}, "signature is wrong"),
    ],
)
def test_what_is_not_as_it_was_signed_is_denied(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(Denied, match=why):
        webhooks("hubspot").proof.check(replace(HUBSPOT, **changed), HUBSPOT_GIVEN, THEN)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_delivery_is_denied(seconds: int) -> None:
    with pytest.raises(Denied, match="too long ago"):
        webhooks("hubspot").proof.check(HUBSPOT, HUBSPOT_GIVEN, THEN + timedelta(seconds=seconds))


def test_what_says_no_moment_is_denied() -> None:
    hub = webhooks("hubspot").proof
    for stamp in ("", "soon", "9" * 40, "NaN"):
        signed = _signed_with(stamp)
        with pytest.raises(Denied, match="does not say when"):
            hub.check(signed, HUBSPOT_GIVEN, THEN)


def _signed_with(stamp: str) -> Delivery:
    text = f"POST{HUBSPOT.url}".encode() + HUBSPOT.body + stamp.encode()
    secret = HUBSPOT_GIVEN["HUBSPOT_WEBHOOK_SECRET"].encode()
    found = base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
    headers = {"x-hubspot-signature-v3": found, "x-hubspot-request-timestamp": stamp}
    return replace(HUBSPOT, headers=headers)


def test_the_escapes_that_hubspot_undoes_are_undone_and_no_others() -> None:
    plain = replace(HUBSPOT, url="https://h.example/a:b/c?d=@!$'()*,;&e=%20%2B")
    text = f"POST{plain.url}".encode() + plain.body + b"1711929601000"
    secret = HUBSPOT_GIVEN["HUBSPOT_WEBHOOK_SECRET"].encode()
    found = base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
    escaped = replace(
        plain,
        url="https://h.example/a%3Ab%2fc%3Fd=%40%21%24%27%28%29%2A%2C%3B&e=%20%2B",
        headers={**HUBSPOT.headers, "x-hubspot-signature-v3": found},
    )
    webhooks("hubspot").proof.check(escaped, HUBSPOT_GIVEN, THEN)


def test_older_signatures_count_only_when_they_are_asked_for() -> None:
    told = Delivery(
        b"",
        {"x-hubspot-signature": "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"},
        method="GET",
        url="https://www.example.com/webhook_uri",
    )
    given = {"HUBSPOT_WEBHOOK_SECRET": "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"}
    proof = webhooks("hubspot").proof
    with pytest.raises(Denied):
        proof.check(told, given, THEN)
    proof.check(told, {**given, "HUBSPOT_WEBHOOK_SIGNATURE": "v2"}, THEN)
    with pytest.raises(Denied):
        proof.check(told, {**given, "HUBSPOT_WEBHOOK_SIGNATURE": "v1"}, THEN)
    with pytest.raises(NoSecret, match="none of v3, v2, v1"):
        proof.check(told, {**given, "HUBSPOT_WEBHOOK_SIGNATURE": "v4"}, THEN)


def test_callrails_vector_is_proven_whenever_it_comes() -> None:
    """The moment that it names is that of the call, which may be edited much later."""
    proof, then = webhooks("callrail").proof, datetime(2024, 4, 12, 13, 12, tzinfo=UTC)
    proof.check(CALLRAIL, CALLRAIL_GIVEN, then + timedelta(days=400))
    with pytest.raises(Denied, match="wrong"):
        proof.check(replace(CALLRAIL, body=CALLRAIL.body + b"\n"), CALLRAIL_GIVEN, then)


BASIC = Basic(USER, PASSWORD)
GIVEN = {"A_USER": "me", "A_PASSWORD": "päss:word", "A_SECRET": "a-long-secret"}


def _basic(user: str, password: str) -> Delivery:
    told = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Delivery(b"", {"authorization": f"Basic {told}"})


def test_a_user_and_a_password_prove_a_delivery() -> None:
    BASIC.check(_basic("me", "päss:word"), GIVEN, THEN)


@pytest.mark.parametrize(
    "delivery",
    [
        _basic("me", "wrong"),
        _basic("you", "päss:word"),
        _basic("", ""),
        Delivery(b""),
        Delivery(b"", {"authorization": "Basic"}),
        Delivery(b"", {"authorization": "Basic ä§$"}),
        Delivery(b"", {"authorization": "Bearer bWU6cMOkc3M6d29yZA=="}),
    ],
)
def test_a_wrong_user_or_password_is_denied(delivery: Delivery) -> None:
    with pytest.raises(Denied):
        BASIC.check(delivery, GIVEN, THEN)


def test_a_token_is_taken_from_its_header_or_its_parameter() -> None:
    proof = Token(SECRET, header="X-Webhook-Token", parameter="token")
    proof.check(Delivery(b"", {"x-webhook-token": "a-long-secret"}), GIVEN, THEN)
    proof.check(Delivery(b"", url="https://x/y?a=b&token=a-long-secret"), GIVEN, THEN)
    for wrong in (
        Delivery(b""),
        Delivery(b"", {"x-webhook-token": "a-long-secre"}),
        Delivery(b"", url="https://x/a-long-secret"),
    ):
        with pytest.raises(Denied):
            proof.check(wrong, GIVEN, THEN)


@pytest.mark.parametrize(
    ("proof", "lacking"),
    [
        (BASIC, "A_USER"),
        (BASIC, "A_PASSWORD"),
        (Token(SECRET, header="x"), "A_SECRET"),
        (Signed(SECRET, "x", hmac_hex("sha256")), "A_SECRET"),
    ],
)
def test_without_its_secret_nothing_is_proven(proof: Proof, lacking: str) -> None:
    given = {name: value for name, value in GIVEN.items() if name != lacking}
    empty = Delivery(b"", {"x": hmac_hex("sha256")("", HUBSPOT)})
    for delivery in (Delivery(b""), _basic("", ""), empty):
        with pytest.raises(NoSecret, match=lacking):
            proof.check(delivery, given, THEN)


@pytest.mark.parametrize("crm", [n for n, c in registry.crms().items() if c.webhooks])
def test_a_sender_is_expected_once_its_secret_is_set(
    crm: str, environment: pytest.MonkeyPatch
) -> None:
    found = webhooks(crm)
    assert not found.is_expected
    (secret,) = [variable.name for variable in found.variables if variable.secret]
    environment.setenv(f"{secret}_FILE", "/nowhere")
    assert found.is_expected
    environment.delenv(f"{secret}_FILE")
    environment.setenv(secret, "a-long-secret")
    assert found.is_expected
    assert found.given(current())[secret] == "a-long-secret"
