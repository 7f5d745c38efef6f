"""What happens to records, how the API shows it, and that the truth agrees."""

import json

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES
from crm_sync_assets_tests.sandbox.conftest import Api


def _batch(api: Api, kind: str, *ids: str) -> dict:
    body = {"inputs": [{"id": i} for i in ids]}
    return api.post(f"/crm/v3/objects/{kind}/batch/read", body).json()


@pytest.mark.parametrize("seed", [1, 2])
def test_after_many_mutations_every_channel_agrees_with_the_truth(
    api: Api, sandbox: Sandbox, seed: int
) -> None:
    lines = sandbox.move(1_500, seed=seed)
    assert {line.split()[0] for line in lines} >= {"create", "edit", "merge", "purge", "restore"}
    for kind, info in TYPES.items():
        truth = list(sandbox.hubspot.truth(kind))
        names = list(truth[0]["properties"])
        for state, archived in (("live", "false"), ("archived", "true")):
            params = {"archived": archived, "limit": 100, "properties": ",".join(names)}
            listed = api.walk(f"/crm/v3/objects/{kind}", **params)
            expected = [t for t in truth if t["state"] == state]
            assert [r["properties"] for r in listed] == [t["properties"] for t in expected]
            assert [r.get("archivedAt") for r in listed] == [t["archivedAt"] for t in expected]
        found = api.sweep(kind, (info.modified, "GTE", "0"), properties=names)
        live = [t["properties"] for t in truth if t["state"] == "live"]
        assert [r["properties"] for r in found] == live


def test_the_same_seed_gives_the_same_portal_and_the_same_life() -> None:
    def life(seed: int) -> list[object]:
        sandbox = Sandbox(seed=seed, contacts=60)
        sandbox.clock.freeze("2026-11-23T10:00:00Z")
        lines = sandbox.move(200, seed=3)
        return [lines, *(list(sandbox.hubspot.truth(kind)) for kind in TYPES)]

    assert life(11) == life(11)
    assert life(11) != life(12)


def test_an_edit_moves_the_modified_date_even_on_a_frozen_clock(sandbox: Sandbox) -> None:
    world = sandbox.hubspot
    sandbox.clock.freeze("2026-11-23T10:00:00Z")
    one = world.ids("deals")[0]
    times = []
    for amount in ("1", "2"):
        world.edit("deals", one, {"amount": amount})
        times.append(world.get("deals", one)["properties"]["hs_lastmodifieddate"])
    assert times == ["2026-11-23T10:00:00.000Z", "2026-11-23T10:00:00.001Z"]


def test_a_cleared_value_is_null(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.ids("contacts")[0]
    sandbox.hubspot.edit("contacts", one, {"firstname": None})
    record = api.get(f"/crm/v3/objects/contacts/{one}", properties="firstname").json()
    assert record["properties"]["firstname"] is None


def test_a_purged_record_is_in_no_list_and_missing_in_a_batch(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.ids("contacts")[0]
    path = "/crm/v3/objects/contacts"
    assert api.post(f"{path}/gdpr-delete", {"objectId": one}).status_code == 204
    assert one not in [r["id"] for r in api.walk(path, limit=100)]
    assert one not in [r["id"] for r in api.walk(path, limit=100, archived="true")]
    assert _batch(api, "contacts", one)["errors"][0]["context"]["ids"] == [one]
    assert sandbox.hubspot.get("contacts", one)["state"] == "purged"


def test_a_merge_gives_the_survivor_a_new_id_and_chains_former_ids(
    api: Api, sandbox: Sandbox
) -> None:
    world = sandbox.hubspot
    a, b, c = world.ids("contacts")[10:13]
    deal = world.ids("deals")[0]
    world.associate("contacts", b, "deals", deal)
    path = "/crm/v3/objects/contacts"
    first = api.post(f"{path}/merge", {"primaryObjectId": a, "objectIdToMerge": b}).json()["id"]
    second = world.merge("contacts", c, first)
    assert len({a, b, c, first, second}) == 5
    survivor = api.get(f"{path}/{second}", properties="hs_merged_object_ids").json()
    assert survivor["properties"]["hs_merged_object_ids"] == f"{a};{b};{c};{first}"
    assert world.associated("deals", deal, "contacts") == [
        *sorted({*world.associated("deals", deal, "contacts")} - {second}),
        second,
    ]
    assert api.get(f"{path}/{a}").json()["id"] == second
    archived = [r["id"] for r in api.walk(path, limit=100, archived="true")]
    assert not {a, b, c, first} & set(archived)
    assert world.get("contacts", a)["merged_into"] == first


def test_the_primary_can_keep_its_id(sandbox: Sandbox) -> None:
    world = sandbox.hubspot
    sandbox.knobs.preserve_primary_id = True
    a, b = world.ids("contacts")[10:12]
    assert world.merge("contacts", a, b) == a
    assert world.get("contacts", a)["properties"]["hs_merged_object_ids"] == b
    assert world.get("contacts", b)["state"] == "merged"


@pytest.mark.parametrize("how", ["absent", "survivor", "error"])
def test_a_batch_treats_a_merged_id_as_the_knob_says(api: Api, sandbox: Sandbox, how: str) -> None:
    world = sandbox.hubspot
    sandbox.knobs.merged_in_batch_read = how
    a, b = world.ids("contacts")[10:12]
    survivor = world.merge("contacts", a, b)
    answer = _batch(api, "contacts", a)
    assert [r["id"] for r in answer["results"]] == ([survivor] if how == "survivor" else [])
    assert ("errors" in answer) == (how == "error")


@pytest.mark.parametrize("bumps", [False, True])
def test_restoring_brings_a_record_back(sandbox: Sandbox, bumps: bool) -> None:
    world = sandbox.hubspot
    sandbox.knobs.restore_bumps_modified = bumps
    one = world.ids("contacts")[0]
    before = world.get("contacts", one)["updatedAt"]
    world.archive("contacts", one)
    world.restore("contacts", one)
    after = world.get("contacts", one)
    assert after["state"] == "live"
    assert (after["updatedAt"] != before) == bumps


def test_a_delayed_commit_keeps_its_timestamp(api: Api, sandbox: Sandbox) -> None:
    sandbox.clock.freeze("2026-11-23T10:00:00Z")
    sandbox.knobs.commit_delay = 240
    made = [sandbox.hubspot.create("contacts") for _ in range(30)]
    sandbox.clock.advance(120)
    early = {r["id"] for r in api.walk("/crm/v3/objects/contacts", limit=100)} & set(made)
    assert 0 < len(early) < 30
    assert {r["id"] for r in api.sweep("contacts", ("lastmodifieddate", "GTE", "0"))} & set(
        made
    ) == early
    sandbox.clock.advance(120)
    late = {r["id"]: r for r in api.walk("/crm/v3/objects/contacts", limit=100)}
    assert {late[one]["updatedAt"] for one in made} == {"2026-11-23T10:00:00.000Z"}


def test_calculated_values_change_without_a_modified_date(api: Api, sandbox: Sandbox) -> None:
    found = {p["name"]: p for p in api.get("/crm/v3/properties/deals").json()["results"]}
    assert found["custom_score"]["calculated"] is True
    assert found["amount"]["calculated"] is False
    world = sandbox.hubspot
    live, archived = world.ids("deals")[0], world.ids("deals", "archived")[0]
    before = world.get("deals", live)
    world.recalculate("deals", [live, archived], {"custom_score": "12.5"})
    after = world.get("deals", live)
    assert after["properties"] == before["properties"] | {"custom_score": "12.5"}
    assert after["updatedAt"] == before["updatedAt"]
    shown = api.get(f"/crm/v3/objects/deals/{live}", properties="custom_score").json()
    assert shown["properties"]["custom_score"] == "12.5"
    assert world.get("deals", archived)["state"] == "archived"
    with pytest.raises(ValueError, match="not calculated"):
        world.recalculate("deals", [live], {"amount": "1"})


def test_operations_refuse_what_cannot_be(sandbox: Sandbox) -> None:
    world = sandbox.hubspot
    one = world.ids("contacts")[0]
    world.archive("contacts", one)
    with pytest.raises(ValueError, match="archived"):
        world.edit("contacts", one, {"city": "x"})
    with pytest.raises(ValueError, match="no_such"):
        world.create("contacts", {"no_such": "x"})
    with pytest.raises(LookupError):
        world.archive("contacts", "1")
    with pytest.raises(LookupError):
        world.ids("spaceships")


def test_a_record_can_be_dated_into_the_future(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.create("deals", {"dealname": "x"}, at="2028-11-23T10:00:00Z")
    [found] = api.search("deals", ("hs_lastmodifieddate", "GT", str(epoch_ms("2028-01-01"))))[
        "results"
    ]
    assert found["id"] == one


@pytest.mark.parametrize(
    "value",
    ["a\x00b", "\ud800 alone", "x" * 65_536, "0000-00-00", "1e400", '"\\\n\t☕'],
    ids=lambda value: ascii(value)[:12],
)
def test_any_text_can_be_a_value(api: Api, sandbox: Sandbox, value: str) -> None:
    one = sandbox.hubspot.create("contacts", {"comments": value})
    record = api.get(f"/crm/v3/objects/contacts/{one}", properties="comments").json()
    assert record["properties"]["comments"] == value
    url = f"{sandbox.url}/_sandbox/truth/hubspot/contacts"
    assert value in [json.loads(line)["properties"]["comments"] for line in _lines(api, url)]


def _lines(api: Api, url: str) -> list[str]:
    return api.client.get(url).content.decode().split("\n")[:-1]
