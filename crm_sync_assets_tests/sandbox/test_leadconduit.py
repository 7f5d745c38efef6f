"""LeadConduit's sandbox: what it refuses, and what it imitates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.conftest import NOON

NOBODY = "0" * 24
PLAYED = {"leadconduit_leads": 120}


class Api:
    """LeadConduit's paths, spoken with the key."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.env()
        self.key = env["LEADCONDUIT_API_KEY"]
        self.client = httpx.Client(
            base_url=env["LEADCONDUIT_BASE_URL"], auth=("API", self.key), verify=False
        )

    def get(self, path: str = "/events", **params: Any) -> httpx.Response:
        return self.client.get(path, params=params)

    def events(self, **params: Any) -> list[dict[str, Any]]:
        answer = self.get(**{"limit": 1_000, "sort": "asc", **params})
        assert answer.status_code == 200
        found: list[dict[str, Any]] = answer.json()
        return found

    def ids(self, **params: Any) -> list[str]:
        return [event["id"] for event in self.events(**params)]


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    with api.client:
        yield api


@pytest.mark.parametrize("auth", [None, ("API", "wrong"), ("root", None), ("API", "")], ids=str)
def test_only_the_user_api_with_the_key_is_let_in(api: Api, auth: Any) -> None:
    given = (auth[0], api.key) if auth and auth[1] is None else auth
    answer = httpx.get(f"{api.client.base_url}/events", auth=given, verify=False)
    assert answer.status_code == 401
    assert "Authorization information is missing or invalid" in answer.json()["message"]


def test_a_free_account_reads_no_events(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.leadconduit_free = True
    assert api.get().status_code == 401


@pytest.mark.parametrize(
    "params",
    [
        *({"limit": limit} for limit in ("0", "1001", "-1", "many")),
        *({name: one} for name in ("after_id", "before_id") for one in ("1", "Z" * 24, "")),
        {"include": "id", "exclude": "vars"},
        *({"rules": rules} for rules in ("{}", "type", '"source"', '[{"lhv": "type"}]', "[1]")),
        *({name: "yesterday"} for name in ("start", "end")),
        {"sort": "newest"},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(api: Api, params: dict[str, str]) -> None:
    answer = api.get(**params)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_an_array_of_a_hundred_the_newest_first_unless_asked_otherwise(api: Api) -> None:
    found = [event["id"] for event in api.get().json()]
    assert len(found) == 100
    assert found == sorted(found, reverse=True)
    everything = api.ids()
    assert everything == sorted(everything)
    assert found == everything[:-101:-1]


def test_ids_are_exclusive_and_moments_of_creation_inclusive(api: Api) -> None:
    every = api.events()
    ids = [event["id"] for event in every]
    assert api.ids(after_id=ids[9]) == ids[10:]
    assert api.ids(before_id=ids[9]) == ids[:9]
    assert api.ids(after_id=ids[-1]) == []
    moment = datetime.fromtimestamp(int(ids[20][:8], 16), UTC).isoformat()
    same = [one for one in ids if one[:8] == ids[20][:8]]
    assert set(api.ids(start=moment, end=moment)) == set(same)
    assert set(api.ids(start=moment)) == {one for one in ids if one[:8] >= ids[20][:8]}


def test_a_lead_has_several_events_and_some_say_only_which_it_is(api: Api) -> None:
    every = api.events()
    assert {event["type"] for event in every} == {"source", "recipient", "feedback"}
    leads = {event["vars"]["lead"]["id"] for event in every}
    assert len(leads) == 120
    feedbacks = [event for event in every if event["type"] == "feedback"]
    bare = [event["vars"]["lead"].keys() == {"id"} for event in feedbacks]
    assert {True, False} == set(bare)
    phones = [e["vars"]["lead"]["phone_1"] for e in every if e["type"] == "source"]
    assert {type(phone) for phone in phones} == {dict, str}


def test_types_are_asked_for_by_parameter_or_by_rules_and_either_may_be_ignored(
    api: Api, sandbox: Sandbox
) -> None:
    rules = '[{"lhv": "type", "op": "is equal to", "rhv": "feedback"}]'
    asked = api.ids(type="feedback")
    assert len(asked) == 24
    assert api.ids(rules=rules) == asked
    sandbox.knobs.leadconduit_ignores_type = True
    assert len(api.ids(type="feedback")) > 240
    sandbox.knobs.leadconduit_refuses_type = True
    assert api.get(type="feedback").status_code == 400
    assert api.ids(rules=rules) == asked


def test_events_come_late_and_out_of_order_and_expire(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.leadconduit_recorded_after = 60
    sandbox.leadconduit.submit({"first_name": "Late"})
    sandbox.knobs.leadconduit_recorded_after = 0
    for _ in range(20):
        sandbox.leadconduit.submit({"first_name": "Now"})
    now = NOON.isoformat()
    assert len(api.ids(start=now)) == 20
    sandbox.clock.advance(60)
    late = api.ids(start=now)
    assert len(late) == 21
    assert late == sorted(late)
    sandbox.knobs.leadconduit_by_date = True
    assert api.ids(start=now) != late
    assert sorted(api.ids(start=now)) == late
    sandbox.clock.freeze(NOON + timedelta(days=91))
    assert api.ids() == []
    assert len(list(sandbox.leadconduit.truth("leads"))) == 141


def test_one_event_by_its_id(api: Api) -> None:
    one = api.events()[3]
    assert api.get(f"/events/{one['id']}").json() == one
    assert api.get(f"/events/{NOBODY}").status_code == 404
    assert api.get("/leads").status_code == 404


def test_a_ping_is_no_lead(api: Api, sandbox: Sandbox) -> None:
    before = list(sandbox.leadconduit.truth("leads"))
    sandbox.leadconduit.ping()
    assert api.events()[-1]["type"] == "ping"
    assert list(sandbox.leadconduit.truth("leads")) == before
