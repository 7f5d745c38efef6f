"""The sandbox's own endpoints, the clock, and the process of its own."""

import json
import signal
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.people import HISTORY_END
from crm_sync_assets_tests.sandbox.conftest import Api


def _post(api: Api, path: str, body: object = None) -> dict:
    return api.client.post(f"{api.sandbox.url}/_sandbox/{path}", json=body or {}).json()


def _truth(api: Api, what: str) -> list[dict]:
    answer = api.client.get(f"{api.sandbox.url}/_sandbox/truth/{what}").raise_for_status()
    return [json.loads(line) for line in answer.text.splitlines()]


def test_the_world_can_be_operated_over_http(api: Api, sandbox: Sandbox) -> None:
    one = _post(api, "hubspot/create", {"type": "deals", "properties": {"amount": "5"}})["result"]
    _post(api, "hubspot/edit", {"type": "deals", "id": one, "properties": {"amount": "6"}})
    _post(api, "hubspot/archive", {"type": "deals", "id": one})
    assert sandbox.hubspot.get("deals", one)["state"] == "archived"
    assert len(_post(api, "hubspot/move", {"n": 5, "seed": 1})["result"]) == 5
    _post(api, "hubspot/edit_stage", {"type": "deals", "pipeline": "default", "id": "new"})
    _post(api, "github/remove", {"zipcode": next(sandbox.github.truth())["zipcode"]})
    assert "new" in [stage["id"] for stage in _truth(api, "hubspot/pipeline_stages")]


@pytest.mark.parametrize(
    "what",
    ["contacts", "0-421", "owners", "pipelines", "pipeline_stages", "associations/contacts/deals"],
)
def test_the_truth_over_http_is_that_of_python(api: Api, sandbox: Sandbox, what: str) -> None:
    assert _truth(api, f"hubspot/{what}") == list(sandbox.hubspot.truth(what))


def test_zip_codes_are_part_of_the_truth(api: Api) -> None:
    assert len(_truth(api, "github/zipcodes")) == 400
    assert _truth(api, "hubspot/zipcodes") == _truth(api, "github/zipcodes")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("hubspot/explode", {}),
        ("nobody/edit", {}),
        ("hubspot/edit", {"type": "deals", "id": "1", "properties": {}}),
        ("hubspot/create", {"kind": "deals"}),
        ("hubspot/create", {"type": "deals", "properties": {"x": "y"}}),
        ("knobs", {"speed": 9}),
        ("faults", {"match": "x", "on": "never"}),
    ],
    ids=str,
)
def test_control_says_what_is_wrong(api: Api, path: str, body: dict) -> None:
    assert "error" in _post(api, path, body)


def test_knobs_faults_and_reset_work_over_http(api: Api, sandbox: Sandbox) -> None:
    _post(api, "knobs", {"index_lag": 5, "missing_scopes": ["tickets"]})
    assert (sandbox.knobs.index_lag, sandbox.knobs.missing_scopes) == (5, {"tickets"})
    _post(api, "faults", {"match": "contacts", "on": "all", "action": {"status": 503}})
    _post(api, "faults", [{"match": "deals", "on": [1], "drop": True}])
    assert api.get("/crm/v3/objects/contacts").status_code == 503
    contacts = sandbox.hubspot.ids("contacts")
    sandbox.hubspot.purge("contacts", contacts[0])
    _post(api, "reset")
    assert sandbox.hubspot.ids("contacts") == contacts
    assert sandbox.knobs.index_lag == 0
    assert api.get("/crm/v3/objects/contacts").status_code == 200
    assert sandbox.ledger.count() == 1


def test_every_answer_is_dated_by_the_sandbox_clock(api: Api) -> None:
    assert _post(api, "clock", {"freeze": "2027-01-02T03:04:05Z"})["now"][:19] == (
        "2027-01-02T03:04:05"
    )
    _post(api, "clock", {"advance": 55})
    for path in ("/crm/v3/owners", "/nothing", f"{api.sandbox.url}/github/x"):
        date = parsedate_to_datetime(api.client.get(path).headers["Date"])
        assert date.isoformat() == "2027-01-02T03:05:00+00:00"


def test_a_thawed_clock_runs_on_from_where_it_was() -> None:
    clock = Clock(HISTORY_END)
    clock.freeze("2030-01-01T00:00:00Z")
    clock.thaw()
    assert clock.now().isoformat().startswith("2030-01-01T00:00:00")
    clock.reset()
    assert clock.now() >= HISTORY_END


def test_a_million_contacts_are_there_at_once() -> None:
    started = time.monotonic()
    with Sandbox(contacts=1_000_000) as sandbox:
        api = Api(sandbox)
        with api.client:
            page = api.get("/crm/v3/objects/contacts", limit=100, after="90228000000").json()
            assert len(page["results"]) == 100
    assert time.monotonic() - started < 3


def test_contacts_render_fast_enough() -> None:
    sandbox = Sandbox(contacts=100_000)
    portal = sandbox.crms["hubspot"].portal
    table = sandbox.hubspot.table("contacts")
    renderer = portal.renderer(table.base, tuple(table.base.values(0)))
    started = time.process_time()
    for number in range(5_000):
        renderer.base(number)
    assert time.process_time() - started < 0.5, "10,000 a second at the very least"


def test_the_sandbox_is_a_program_too() -> None:
    command = [sys.executable, "-m", "crm_sync_assets.sandbox", "--port", "0", "--contacts", "60"]
    command += ["--move-every", "0.02", "--knob", "index_lag=3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["env"]["HUBSPOT_BASE_URL"] == f"{ready['url']}/hubspot"
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
