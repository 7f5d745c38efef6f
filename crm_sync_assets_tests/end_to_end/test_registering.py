"""`crm-sync webhooks register` and `check`, against the sandbox: made, repaired, told, received."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.dev import free_port
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run  # noqa: F401  a fixture
from crm_sync_assets_tests.receiver.bench import Serving, serving
from crm_sync_assets_tests.scripted import rows

PLACE = "https://hooks.example.com"
ELSEWHERE = "https://hooks.zapier.com/hooks/catch/1/of-others"


@pytest.fixture
def played(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Of each CRM little: what is subscribed to follows from the entities that are synced."""
    with Sandbox(seed=3, contacts=30, zipcodes=1, pipedrive_deals=10) as sandbox:
        for name, value in {**sandbox.env(), **sandbox.webhooks_env()}.items():
            environment.setenv(name, value)
        environment.setenv("CRM_SYNC_WEBHOOKS_URL", PLACE)
        environment.setenv("CRM_SYNC_HUBSPOT__ENTITIES", "products,associations_deal_line_item")
        environment.setenv("CRM_SYNC_PIPEDRIVE__ENTITIES", "deals,persons")
        environment.setenv("CRM_SYNC_CALLRAIL__ENTITIES", "calls")
        yield sandbox


class Api:
    """The CRMs' own APIs, for who makes subscriptions by hand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.crms: Any = sandbox.crms
        self.http = httpx.Client(base_url=sandbox.url)
        self.app = {"hapikey": self.crms["hubspot"].subscriptions.key}

    def hubspot(self, method: str, path: str, body: Any = None) -> Any:
        where = f"/hubspot/webhooks/v3/1160452{path}"
        answer = self.http.request(method, where, params=self.app, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def pipedrive(self, method: str, path: str = "", body: Any = None) -> Any:
        headers = {"x-api-token": self.crms["pipedrive"].token}
        where = f"/pipedrive/api/v1/webhooks{path}"
        answer = self.http.request(method, where, headers=headers, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json().get("data")

    def integrations(self) -> list[Any]:
        return list(self.crms["callrail"].integrations._made.values())


@pytest.fixture
def api(played: Sandbox) -> Iterator[Api]:
    found = Api(played)
    yield found
    found.http.close()


def hook(url: str, thing: str = "deal", **more: Any) -> dict[str, Any]:
    body = {"subscription_url": url, "event_action": "*", "event_object": thing, "version": "2.0"}
    return {**body, **more}


def states(run: Run, *words: str) -> dict[tuple[str, str | None], str]:  # noqa: F811
    """State by CRM and entity, as `check` says it; the worst of several parts of an account."""
    _, said, _ = run("webhooks", "check", "--json", *words)
    found: dict[tuple[str, str | None], str] = {}
    for row in json.loads(said):
        key = (row["crm"], row["entity"])
        if found.get(key, "ok") == "ok":
            found[key] = row["state"]
    return found


RIGHT = {
    ("callrail", "calls"): "ok",
    ("hubspot", "products"): "ok",
    ("hubspot", "associations_deal_line_item"): "ok",
    ("pipedrive", "deals"): "ok",
    ("pipedrive", "persons"): "ok",
}


def test_what_is_missing_is_made_once_and_a_dry_run_makes_nothing(
    played: Sandbox,
    api: Api,
    run: Run,  # noqa: F811
) -> None:
    assert set(states(run).values()) == {"missing"}
    status, said, _ = run("webhooks", "register", "--dry-run")
    assert status == exits.SUCCESS
    assert "pipedrive deals: 1 would be made: *.deal" in said
    assert set(states(run).values()) == {"missing"}
    status, said, _ = run("webhooks", "register")
    assert status == exits.SUCCESS
    assert "pipedrive deals: 1 made: *.deal" in said
    assert states(run) == RIGHT
    assert run("webhooks", "check")[0] == exits.SUCCESS
    told = api.hubspot("GET", "/settings")
    assert told["targetUrl"] == f"{PLACE}/webhooks/hubspot"
    assert told["throttling"]["maxConcurrentRequests"] == 10
    made = {one["eventType"] for one in api.hubspot("GET", "/subscriptions")["results"]}
    assert {"product.creation", "product.deletion", "deal.associationChange"} < made
    assert "product.associationChange" not in made
    addresses = {one["subscription_url"] for one in api.pipedrive("GET")}
    assert addresses == {f"{PLACE}/webhooks/pipedrive"}
    for one in api.integrations():
        assert one.config["post_call_webhook"] == [f"{PLACE}/webhooks/callrail/post_call"]
        assert "sms_received_webhook" not in one.config, "no entity hears of texts here"
    played.ledger.reset()
    status, said, _ = run("webhooks", "register")
    assert status == exits.SUCCESS
    assert " made" not in said
    written = [one for one in played.ledger.summary(1000)["entries"] if one["method"] != "GET"]
    assert written == [], "what is right stays"


def test_what_is_off_wrong_or_of_another_secret_is_repaired_and_what_is_of_others_stays(
    api: Api,
    run: Run,  # noqa: F811
) -> None:
    assert run("webhooks", "register")[0] == exits.SUCCESS
    one = api.hubspot("GET", "/subscriptions")["results"][0]
    api.hubspot("PATCH", f"/subscriptions/{one['id']}", {"active": False})
    api.hubspot("PUT", "/settings", {
        "targetUrl": f"{PLACE}/webhooks/hubspott", "throttling": {"maxConcurrentRequests": 3},
    })  # fmt: skip
    for each in api.pipedrive("GET"):
        api.pipedrive("DELETE", f"/{each['id']}")
    api.pipedrive("POST", body=hook(ELSEWHERE))
    api.pipedrive("POST", body=hook(f"{PLACE}/webhooks/pipedrive", http_auth_user="me",
                                    http_auth_password="an older one"))  # fmt: skip
    api.pipedrive("POST", body=hook(f"{PLACE}/webhooks/pipedrive/persons", "person"))
    integration = api.integrations()[0]
    mine = f"{PLACE}/webhooks/callrail/post_call"
    integration.config = {"post_call_webhook": [ELSEWHERE], "pre_call_webhook": [ELSEWHERE]}
    integration.state = "disabled"
    found = states(run)
    assert found["pipedrive", "deals"] == "secret"
    assert found["pipedrive", "persons"] == "elsewhere"
    assert found["hubspot", "products"] == "elsewhere"
    assert found["callrail", "calls"] == "missing"
    status, said, wrong = run("webhooks", "check")
    assert status == exits.FAILED
    assert "webhooks register" in wrong
    status, said, wrong = run("webhooks", "register")
    assert status == exits.SUCCESS, wrong
    assert "pipedrive: left alone: *.deal to https://hooks.zapier.com/…" in said
    assert "pipedrive persons: 1 led here: *.person" in said
    assert "of-others" not in said + wrong, "the address of others may be a secret"
    foreign = {("callrail", None): "foreign", ("pipedrive", None): "foreign"}
    assert states(run) == {**RIGHT, **foreign}
    settings = api.hubspot("GET", "/settings")
    assert settings["targetUrl"] == f"{PLACE}/webhooks/hubspot"
    assert settings["throttling"] == {"maxConcurrentRequests": 3}, "how many at once stays"
    assert all(each["active"] for each in api.hubspot("GET", "/subscriptions")["results"])
    ours = f"{PLACE}/webhooks/pipedrive"
    told = sorted((one["event_object"], one["subscription_url"]) for one in api.pipedrive("GET"))
    assert told == sorted([("deal", ELSEWHERE), ("deal", ours), ("person", ours)])
    assert integration.state == "active"
    assert integration.config["post_call_webhook"] == [ELSEWHERE, mine]
    assert integration.config["pre_call_webhook"] == [ELSEWHERE]


def test_an_app_that_tells_somebody_else_is_not_drawn_away_but_for_who_has_moved(
    api: Api,
    run: Run,  # noqa: F811
) -> None:
    """Two installations with one app: the second must not silence the first."""
    before = "https://staging.example.com"
    api.hubspot("PUT", "/settings", {
        "targetUrl": f"{before}/webhooks/hubspot", "throttling": {"maxConcurrentRequests": 10},
    })  # fmt: skip
    status, said, wrong = run("webhooks", "register", "--crm", "hubspot")
    assert status == exits.FAILED
    assert "cannot be made" in wrong
    assert "to https://staging.example.com/…" in said
    assert api.hubspot("GET", "/subscriptions")["results"] == []
    assert states(run, "--crm", "hubspot")["hubspot", "products"] == "taken"
    status, _, _ = run("webhooks", "register", "--crm", "hubspot", f"--moved-from={before}")
    assert status == exits.SUCCESS
    assert api.hubspot("GET", "/settings")["targetUrl"] == f"{PLACE}/webhooks/hubspot"


def test_a_company_whose_key_is_not_known_here_is_said_to_be_wrong(
    played: Sandbox,
    environment: pytest.MonkeyPatch,
    run: Run,  # noqa: F811
) -> None:
    """What it sends would be denied, and CallRail switches off what is denied too often."""
    first, *others = played.webhooks_env()["CALLRAIL_WEBHOOK_KEY"].split(",")
    environment.setenv("CALLRAIL_WEBHOOK_KEY", ",".join(others))
    status, _, wrong = run("webhooks", "register", "--crm", "callrail")
    assert status == exits.FAILED
    assert "signs with a key that CALLRAIL_WEBHOOK_KEY does not have" in wrong
    assert first not in wrong
    environment.setenv("CALLRAIL_WEBHOOK_KEY", ",".join([*others, first]))
    assert run("webhooks", "register", "--crm", "callrail")[0] == exits.SUCCESS


def test_one_that_is_refused_keeps_no_other_from_being_made(
    played: Sandbox,
    run: Run,  # noqa: F811
) -> None:
    played.faults.add("POST /pipedrive/api/v1/webhooks", 1, status=400)
    status, said, wrong = run("webhooks", "register", "--crm", "pipedrive")
    assert status == exits.FAILED
    assert "pipedrive: 1 of 2 subscriptions are as they should be" in said
    assert "1 missing still: *." in wrong


def test_no_secret_is_ever_printed(
    played: Sandbox,
    run: Run,  # noqa: F811
) -> None:
    said = "".join(
        "".join(run("webhooks", *words)[1:])
        for words in (["register"], ["check"], ["check", "--json"], ["register", "--dry-run"])
    )
    secrets = [one for value in played.webhooks_env().values() for one in value.split(",")]
    for secret in secrets:
        assert secret in ("crm_sync", "1160452") or secret not in said


@pytest.mark.parametrize(
    ("name", "value", "words", "said"),
    [
        pytest.param("CRM_SYNC_WEBHOOKS_URL", None, [], "CRM_SYNC_WEBHOOKS_URL is not set",
                     id="no address"),
        pytest.param("CRM_SYNC_WEBHOOKS_URL", "http://hooks.example.com", [],
                     "does not begin with https://", id="without TLS"),
        pytest.param("PIPEDRIVE_WEBHOOK_PASSWORD", None, ["--crm", "pipedrive"],
                     "PIPEDRIVE_WEBHOOK_PASSWORD is not set", id="no secret"),
        pytest.param("HUBSPOT_DEVELOPER_KEY", None, ["--crm", "hubspot"],
                     "HUBSPOT_DEVELOPER_KEY or HUBSPOT_APP_TOKEN is not set", id="an app by half"),
        pytest.param("HUBSPOT_APP_ID", "mine", ["--crm", "hubspot"],
                     "HUBSPOT_APP_ID is no number", id="an app of no number"),
        pytest.param("X", "", ["--crm", "genius"], "genius sends no webhooks", id="no sender"),
        pytest.param("X", "", ["--moved-from=here"], "--moved-from is no address", id="moved"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", ["register", "check"])
def test_what_is_missing_is_said_in_a_line_before_anything_is_asked(
    played: Sandbox,
    environment: pytest.MonkeyPatch,
    run: Run,  # noqa: F811
    name: str,
    value: str | None,
    words: list[str],
    said: str,
    action: str,
) -> None:
    if action == "check" and words[:1] == ["--moved-from=here"]:
        pytest.skip("only who registers has moved")
    played.ledger.reset()
    environment.delenv(name, raising=False) if value is None else environment.setenv(name, value)
    status, out, wrong = run("webhooks", action, *words)
    assert (status, out) == (exits.USAGE, "")
    assert said in wrong
    assert wrong.count("\n") == 1
    assert played.ledger.summary(10)["requests"] == 0


def test_without_an_api_it_is_said_where_webhooks_are_set_up(
    played: Sandbox,
    environment: pytest.MonkeyPatch,
    run: Run,  # noqa: F811
) -> None:
    environment.setenv("ARRIVY_WEBHOOK_TOKEN", "arrivy-token")
    environment.delenv("HUBSPOT_APP_ID")
    environment.delenv("HUBSPOT_DEVELOPER_KEY")
    for crm, where in (("arrivy", "Settings, Integrations, Webhooks"), ("hubspot", "Webhooks tab")):
        status, said, _ = run("webhooks", "register", "--crm", crm)
        assert (status, said.count("\n")) == (exits.SUCCESS, 1)
        assert where in said
        assert f"{PLACE}/webhooks/{crm}" in said
    status, said, _ = run("webhooks", "check", "--crm", "arrivy", "--json")
    (row,) = json.loads(said)
    assert (status, row["state"]) == (exits.SUCCESS, "by hand")


@pytest.fixture
def receiver(played: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Serving]:
    port = free_port(31_000)
    environment.setenv("CRM_SYNC_WEBHOOKS_URL", f"http://127.0.0.1:{port}")
    with serving(port=port) as found:
        yield found


def test_what_is_registered_arrives_and_what_stops_is_silent(
    played: Sandbox,
    api: Api,
    receiver: Serving,
    warehouse: Warehouse,
    run: Run,  # noqa: F811
) -> None:
    """Over real sockets, from the change to the event, of each of the three."""
    assert run("pipedrive", "deals", "--quiet")[0] == exits.SUCCESS
    assert run("webhooks", "register")[0] == exits.SUCCESS
    product = played.hubspot.create("products", {"name": "Roof"})
    deal = played.pipedrive.create("deals", {"title": "Roof"})
    call = played.callrail.begin_call(direction="inbound")
    for crm, of in (
        ("hubspot", "subscriptions"), ("pipedrive", "hooks"), ("callrail", "integrations"),
    ):  # fmt: skip
        assert getattr(played.crms[crm], of).settle()
    query = "SELECT source, entity, record_id, status FROM ingestion_webhook_event ORDER BY 1"
    assert sorted(set(rows(warehouse, query))) == [
        ("callrail", "calls", call, "pending"),
        ("hubspot", "products", product, "pending"),
        ("pipedrive", "deals", deal, "pending"),
    ]
    status, said, _ = run("webhooks", "check", "--json")
    assert status == exits.SUCCESS
    assert all(row["last_received"] for row in json.loads(said) if row["entity"] == "deals")
    # They were told of long ago; somebody switched them off and on; deltas find what was missed.
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_webhook_event SET received_at = received_at - interval '3 days'"
        )
        connection.commit()
    for one in list(api.crms["pipedrive"].hooks._hooks.values()):
        one.active = False
    played.pipedrive.edit("deals", deal, {"title": "Gutter"})
    assert played.crms["pipedrive"].hooks.settle()
    assert states(run, "--crm", "pipedrive")["pipedrive", "deals"] == "off"
    assert run("pipedrive", "deals", "--quiet")[0] == exits.SUCCESS
    assert run("webhooks", "register", "--crm", "pipedrive")[0] == exits.SUCCESS
    status, said, _ = run("webhooks", "check", "--crm", "pipedrive")
    assert status == exits.FAILED
    assert "silent" in said
    assert "deltas found" in " ".join(said.split())
