"""The sandbox's own APIs for subscriptions: what they refuse, and whom they tell."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.test_webhooks import Sink

APP = "/webhooks/v3/1160452"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=3, contacts=40, zipcodes=1, pipedrive_deals=10) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.reset()
    yield running
    running.reset()


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.close()


# HubSpot


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[httpx.Client]:
    key = sandbox.crms["hubspot"].subscriptions.key  # type: ignore[attr-defined]
    with httpx.Client(base_url=f"{sandbox.url}/hubspot", params={"hapikey": key}) as client:
        yield client


def settings(url: str) -> dict[str, Any]:
    return {"targetUrl": url, "throttling": {"maxConcurrentRequests": 10, "period": "SECONDLY"}}


def settle(sandbox: Sandbox, crm: str, of: str) -> None:
    assert getattr(sandbox.crms[crm], of).settle(), "it is not delivered yet"


def test_only_the_developer_account_sees_the_app(sandbox: Sandbox, app: httpx.Client) -> None:
    path = f"{APP}/subscriptions"
    url = f"{sandbox.url}/hubspot{path}"
    token = sandbox.env()["HUBSPOT_TOKEN"]
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, params={"hapikey": "wrong"}).status_code == 401
    assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    own = sandbox.crms["hubspot"].subscriptions.token  # type: ignore[attr-defined]
    assert httpx.get(url, headers={"Authorization": f"Bearer {own}"}).json() == {"results": []}
    assert app.get("/webhooks/v3/7/subscriptions").status_code == 404
    assert app.get(f"{APP}/settings").status_code == 404, "none are set"


@pytest.mark.parametrize(
    "body",
    [
        {"eventType": "contact.explosion"},
        {"eventType": "contact.propertyChange"},
        {"eventType": "contact.creation", "propertyName": "email"},
        {"eventType": "contact.propertyChange", "propertyName": "hs_lastmodifieddate"},
        {"eventType": "object.creation"},
        {"eventType": "contact.creation", "objectTypeId": "0-1"},
        {"eventType": "deal.privacyDeletion"},
        {},
    ],
    ids=str,
)
def test_hubspot_refuses_subscriptions_that_there_are_not(
    app: httpx.Client, body: dict[str, Any]
) -> None:
    assert app.post(f"{APP}/subscriptions", json=body).status_code == 400


def test_hubspot_takes_each_subscription_once_and_paused_if_nothing_is_said(
    app: httpx.Client,
) -> None:
    body = {"eventType": "object.propertyChange", "objectTypeId": "0-421", "propertyName": "zip"}
    made = app.post(f"{APP}/subscriptions", json=body)
    assert (made.status_code, made.json()["active"]) == (201, False)
    assert app.post(f"{APP}/subscriptions", json=body).status_code == 400
    path = f"{APP}/subscriptions/{made.json()['id']}"
    assert app.patch(path, json={"eventType": "deal.creation"}).status_code == 400
    assert app.patch(path, json={"active": True}).json()["active"] is True
    assert app.delete(path).status_code == 204
    assert app.get(path).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        settings("http://hooks.example.com"),
        settings("") | {"targetUrl": None},
        {"targetUrl": "https://hooks.example.com"},
        settings("https://hooks.example.com") | {"throttling": {"period": "SECONDLY"}},
    ],
    ids=str,
)
def test_hubspot_refuses_settings_that_it_cannot_use(
    app: httpx.Client, body: dict[str, Any]
) -> None:
    assert app.put(f"{APP}/settings", json=body).status_code == 400


def test_hubspot_tells_what_is_subscribed_to_and_nothing_else(
    sandbox: Sandbox, app: httpx.Client, sink: Sink
) -> None:
    world = sandbox.hubspot
    subscriptions = f"{APP}/subscriptions"
    for body in (
        {"eventType": "contact.creation", "active": True},
        {"eventType": "contact.propertyChange", "propertyName": "firstname", "active": True},
        {"eventType": "contact.deletion"},
    ):
        assert app.post(subscriptions, json=body).status_code == 201
    world.create("contacts", {"firstname": "Nobody hears"})
    assert app.put(f"{APP}/settings", json=settings(sink.url)).status_code == 200
    new = world.create("contacts", {"firstname": "Ann"})
    world.edit("contacts", new, {"firstname": "Bob", "lastname": "Ng"})
    world.archive("contacts", new)
    world.create("deals", {"dealname": "Roof"})
    settle(sandbox, "hubspot", "subscriptions")
    events = [event for body in sink.told for event in body]
    assert [(e["subscriptionType"], e.get("propertyName"), str(e["objectId"])) for e in events] == [
        ("contact.creation", None, new),
        ("contact.propertyChange", "firstname", new),
    ]
    ids = {one["eventType"]: one["id"] for one in app.get(subscriptions).json()["results"]}
    assert [str(e["subscriptionId"]) for e in events] == [
        ids["contact.creation"], ids["contact.propertyChange"],
    ]  # fmt: skip
    headers, body = sink.seen[0]
    secret = sandbox.webhooks_env()["HUBSPOT_WEBHOOK_SECRET"].encode()
    text = b"POST" + sink.url.encode() + body + headers["x-hubspot-request-timestamp"].encode()
    right = base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
    assert headers["x-hubspot-signature-v3"] == right
    assert app.delete(f"{APP}/settings").status_code == 204
    world.create("contacts", {"firstname": "Nobody hears"})
    settle(sandbox, "hubspot", "subscriptions")
    assert sum(map(len, sink.told)) == 2


# Pipedrive


class Company:
    def __init__(self, sandbox: Sandbox) -> None:
        token = sandbox.crms["pipedrive"].token  # type: ignore[attr-defined]
        self.http = httpx.Client(
            base_url=f"{sandbox.url}/pipedrive/api/v1", headers={"x-api-token": token}
        )

    def make(self, url: str, **more: Any) -> httpx.Response:
        body = {
            "subscription_url": url,
            "event_action": "*",
            "event_object": "deal",
            "version": "2.0",
            "http_auth_user": "me",
            "http_auth_password": "secret",
            **more,
        }
        return self.http.post("/webhooks", json=body)

    def one(self) -> dict[str, Any]:
        (found,) = self.http.get("/webhooks").json()["data"]
        return dict(found)


@pytest.fixture
def company(sandbox: Sandbox) -> Iterator[Company]:
    found = Company(sandbox)
    with found.http:
        yield found


@pytest.mark.parametrize(
    "more",
    [
        {"event_action": "updated"},
        {"event_object": "roof"},
        {"event_object": "lead", "version": "1.0", "event_action": "*"},
        {"version": "3.0"},
        {"http_auth_password": None},
        {"subscription_url": "http://hooks.example.com"},
        {"subscription_url": "https://acme.pipedrive.com/api/v1/deals"},
        {"subscription_url": "nowhere"},
        {"is_active": 1},
    ],
    ids=str,
)
def test_pipedrive_refuses_what_is_no_webhook(company: Company, more: dict[str, Any]) -> None:
    answer = company.make("https://hooks.example.com/x", **more)
    assert answer.status_code == 400
    assert (answer.json()["status"], answer.json()["success"]) == ("error", False)


def test_pipedrive_has_forty_for_a_user_and_nothing_to_change_one_with(company: Company) -> None:
    numbers = [company.make(f"https://x.org/{n}").json()["data"]["id"] for n in range(40)]
    assert company.make("https://x.org/41").status_code == 400
    assert company.http.put(f"/webhooks/{numbers[0]}", json={}).status_code in (404, 405)
    assert company.http.delete(f"/webhooks/{numbers[0]}").status_code == 200
    assert company.http.delete(f"/webhooks/{numbers[0]}").status_code == 404
    assert company.make("https://x.org/41").status_code == 201


def test_pipedrive_bans_whom_it_cannot_reach_and_removes_him_after_three_days(
    sandbox: Sandbox, company: Company, sink: Sink
) -> None:
    world = sandbox.pipedrive
    assert company.make(sink.url).status_code == 201
    deal = world.create("deals", {"title": "Roof"})
    settle(sandbox, "pipedrive", "hooks")
    assert company.one()["last_http_status"] == 200
    assert company.one()["http_auth_password"] != "secret", "it is not told again"
    sink.statuses = [503] * 40
    for n in range(10):
        world.edit("deals", deal, {"title": f"Roof {n}"})
    settle(sandbox, "pipedrive", "hooks")
    assert len(sink.seen) == 41, "four attempts each"
    world.edit("deals", deal, {"title": "lost"})
    settle(sandbox, "pipedrive", "hooks")
    assert len(sink.seen) == 41, "it is banned"
    assert (company.one()["is_active"], company.one()["last_http_status"]) == (1, 503)
    sandbox.clock.advance(31 * 60)
    world.edit("deals", deal, {"title": "told"})
    settle(sandbox, "pipedrive", "hooks")
    assert len(sink.seen) == 42
    sink.statuses = [503] * 4
    world.edit("deals", deal, {"title": "lost, too"})
    settle(sandbox, "pipedrive", "hooks")
    sandbox.clock.advance(4 * 86_400)
    gone = company.one()
    assert (gone["is_active"], gone["remove_reason"]) == (0, "no success for three days")


# CallRail


class Integrating:
    def __init__(self, sandbox: Sandbox) -> None:
        self.crm: Any = sandbox.crms["callrail"]
        self.world = sandbox.callrail
        accounts = self.world.ids("accounts")
        self.http = httpx.Client(
            base_url=f"{sandbox.url}/callrail/v3/a/{accounts[0]}",
            headers={"Authorization": f'Token token="{self.crm.key}"'},
        )
        listed = self.http.get("/companies.json").json()["companies"]
        self.companies = [str(one["id"]) for one in listed]

    def make(self, **more: Any) -> httpx.Response:
        body = {"type": "Webhooks", "company_id": self.companies[0], "config": {}, **more}
        return self.http.post("/integrations.json", json=body)


@pytest.fixture
def integrating(sandbox: Sandbox) -> Iterator[Integrating]:
    found = Integrating(sandbox)
    yield found
    found.http.close()


@pytest.mark.parametrize(
    "more",
    [
        {"type": "Zapier"},
        {"company_id": None},
        {"config": None},
        {"config": {"call_modified_webhook": ["https://x.org"]}},
        {"config": {"post_call_webhook": "https://x.org"}},
        {"config": {"post_call_webhook": ["http://x.org"]}},
    ],
    ids=str,
)
def test_callrail_refuses_what_is_no_integration(
    integrating: Integrating, more: dict[str, Any]
) -> None:
    assert integrating.make(**more).status_code == 400


def test_callrail_has_one_integration_for_a_company_and_not_for_those_of_others(
    integrating: Integrating,
) -> None:
    assert integrating.make().status_code == 201
    assert integrating.make().status_code == 400
    assert integrating.make(company_id="COM404").status_code == 404
    others = set(integrating.world.ids("companies")) - set(integrating.companies)
    assert integrating.make(company_id=min(others)).status_code == 404
    assert integrating.http.get("/integrations.json").status_code == 400, "of which company?"
    integrating.crm.operate("close_to_all", {})
    asked = {"company_id": integrating.companies[0]}
    assert integrating.http.get("/integrations.json", params=asked).status_code == 403


def test_callrail_tells_each_event_where_it_leads_until_too_much_of_it_failed(
    sandbox: Sandbox, integrating: Integrating, sink: Sink
) -> None:
    world, company = integrating.world, integrating.companies[0]
    config = {"post_call_webhook": [f"{sink.url}/post"], "updated_call_webhook": [sink.url]}
    made = integrating.make(config=config).json()
    assert made["state"] == "active"
    number = world.find("companies", company)[1]
    call = world.begin_call(direction="inbound", _company=number)
    world.edit("calls", call, {"note": "called back"})
    world.begin_call(direction="inbound", _company=number + 1)
    settle(sandbox, "callrail", "integrations")
    first, second = sink.told
    assert [one["resource_id"] for one in (first, second)] == [call, call]
    assert (first.get("changes"), second["changes"]) == (None, ["note"])
    headers, body = sink.seen[0]
    right = hmac.digest(made["signing_key"].encode(), body, hashlib.sha1)
    assert headers["signature"] == base64.b64encode(right).decode()
    assert made["signing_key"] in sandbox.webhooks_env()["CALLRAIL_WEBHOOK_KEY"].split(",")
    sink.statuses = [500] * 5
    for n in range(7):
        world.edit("calls", call, {"note": f"again {n}"})
    settle(sandbox, "callrail", "integrations")
    assert len(sink.seen) == 7, "nothing is sent twice, and five failures switch it off"
    path = f"/integrations/{made['id']}.json"
    assert integrating.http.get(path).json()["state"] == "disabled"
    assert integrating.http.put(path, json={"state": "on"}).status_code == 400
    assert integrating.http.put(path, json={"state": "active"}).json()["config"] == config
