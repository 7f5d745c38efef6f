"""Search: filters, order, paging, the cap, and the index that runs behind."""

from datetime import UTC, datetime

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets_tests.sandbox.conftest import Api

STAMP = epoch_ms(datetime(2026, 11, 5, 12, tzinfo=UTC))


def test_keyset_paging_finds_everything_once(api: Api, sandbox: Sandbox) -> None:
    found = api.sweep("contacts", ("lastmodifieddate", "GTE", "0"))
    assert [record["id"] for record in found] == sandbox.hubspot.ids("contacts")


@pytest.mark.parametrize(
    ("kind", "name"), [("contacts", "lastmodifieddate"), ("0-421", "hs_lastmodifieddate")]
)
def test_a_window_is_inclusive_at_both_ends(
    api: Api, sandbox: Sandbox, kind: str, name: str
) -> None:
    records = [t for t in sandbox.hubspot.truth(kind) if t["state"] == "live"]
    times = sorted(epoch_ms(t["updatedAt"]) for t in records)
    low, high = times[10], times[60]
    found = api.sweep(kind, (name, "BETWEEN", str(low), str(high)))
    expected = [t["id"] for t in records if low <= epoch_ms(t["updatedAt"]) <= high]
    assert [record["id"] for record in found] == expected


def test_contacts_filtered_by_the_date_of_other_objects_give_nothing(api: Api) -> None:
    answer = api.search("contacts", ("hs_lastmodifieddate", "GTE", "0"))
    assert (answer["total"], answer["results"]) == (0, [])


def test_ids_are_compared_as_numbers(api: Api, sandbox: Sandbox) -> None:
    answer = api.search("contacts", ("hs_object_id", "LT", "100000000000"))
    assert answer["total"] == len(sandbox.hubspot.ids("contacts"))
    assert api.search("contacts", ("hs_object_id", "GT", "9"))["total"] == answer["total"]


def test_offsets_page_through_a_sorted_result(api: Api, sandbox: Sandbox) -> None:
    sandbox.hubspot.edit("deals", sandbox.hubspot.ids("deals")[3], {"amount": "1"})
    newest = [{"propertyName": "hs_lastmodifieddate", "direction": "DESCENDING"}]
    found, after = [], "0"
    while after:
        page = api.search("deals", sorts=newest, limit=20, after=after)
        found += page["results"]
        after = page.get("paging", {}).get("next", {}).get("after")
    times = [record["updatedAt"] for record in found]
    assert len(found) == page["total"] == len(sandbox.hubspot.ids("deals"))
    assert times == sorted(times, reverse=True)


def test_without_a_sort_the_oldest_created_come_first(api: Api, sandbox: Sandbox) -> None:
    world = sandbox.hubspot
    a, b = world.ids("contacts")[:2]
    world.merge("contacts", a, b)
    found = api.search("contacts", limit=100)["results"]
    times = [record["createdAt"] for record in found]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (("city", "EQ", "bowie"), {"a"}),
        (("city", "NEQ", "Bowie"), {"b", "c"}),
        (("city", "IN", ["bowie", "york"]), {"a", "b"}),
        (("city", "IN", ["Bowie"]), set()),
        (("city", "NOT_IN", ["bowie"]), {"b", "c"}),
        (("city", "HAS_PROPERTY"), {"a", "b"}),
        (("city", "NOT_HAS_PROPERTY"), {"c"}),
        (("email", "CONTAINS_TOKEN", "*@b.example"), {"b"}),
        (("email", "NOT_CONTAINS_TOKEN", "*@b.example"), {"a", "c"}),
        (("price", "GT", "9.5"), {"a"}),
        (("price", "EQ", "7"), {"b"}),
        (("service_of_interest", "EQ", "roofing"), {"a"}),
        (("service_of_interest", "EQ", "Roofing"), set()),
        (("lead_viewed_on", "LT", "1700000000001"), {"a", "b"}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_operators(api: Api, sandbox: Sandbox, condition: tuple, expected: set[str]) -> None:
    world = sandbox.hubspot
    values = {
        "a": {"city": "Bowie", "price": "10.0", "service_of_interest": "siding;roofing"},
        "b": {"city": "York", "price": "7.00", "lead_viewed_on": "2023-11-14T22:13:20Z"},
        "c": {},
    }
    values["a"]["lead_viewed_on"] = "1700000000000"
    ids = {}
    for name, properties in values.items():
        marked = {**properties, "email": f"x@{name}.example", "hatch_id": "mine"}
        ids[world.create("contacts", marked)] = name
    name, operator, *value = condition
    one = {"propertyName": name, "operator": operator}
    if value:
        one["values" if operator.endswith("IN") else "value"] = value[0]
    mine = {"propertyName": "hatch_id", "operator": "EQ", "value": "mine"}
    body = {"filterGroups": [{"filters": [one, mine]}]}
    answer = api.post("/crm/v3/objects/contacts/search", body).raise_for_status().json()
    assert {ids[record["id"]] for record in answer["results"]} == expected


def test_groups_are_alternatives_and_the_query_is_a_text(api: Api, sandbox: Sandbox) -> None:
    a = sandbox.hubspot.create("contacts", {"email": "first@search.example"})
    b = sandbox.hubspot.create("contacts", {"email": "second@search.example"})
    groups = [
        {"filters": [{"propertyName": "hs_object_id", "operator": "EQ", "value": i}]}
        for i in (a, b)
    ]
    body = {"filterGroups": groups}
    answer = api.post("/crm/v3/objects/contacts/search", body).json()
    assert [record["id"] for record in answer["results"]] == [a, b]
    assert api.search("contacts", query="SEARCH.example")["total"] == 2


def test_the_index_runs_behind_but_lists_do_not(api: Api, sandbox: Sandbox) -> None:
    world, clock = sandbox.hubspot, sandbox.clock
    clock.freeze("2026-11-23T10:00:00Z")
    sandbox.knobs.index_lag = 60
    edited, gone = world.ids("contacts")[:2]
    before = world.get("contacts", edited)["properties"]["city"]
    world.edit("contacts", edited, {"city": "Nowhere"})
    world.archive("contacts", gone)
    made = world.create("contacts", {"city": "Nowhere"})

    def indexed() -> dict[str, str]:
        found = api.sweep("contacts", ("lastmodifieddate", "GTE", "0"), properties=["city"])
        return {record["id"]: record["properties"]["city"] for record in found}

    listed = {r["id"] for r in api.walk("/crm/v3/objects/contacts", limit=100)}
    assert made in listed
    assert gone not in listed
    clock.advance(59.9)
    seen = indexed()
    assert seen[edited] == before
    assert gone in seen
    assert made not in seen
    clock.advance(0.1)
    seen = indexed()
    assert seen[edited] == seen[made] == "Nowhere"
    assert gone not in seen


def test_many_records_can_share_one_instant_beyond_the_cap(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.search_cap = 40
    ids = sandbox.hubspot.bulk_touch("contacts", count=150, timestamp=STAMP)
    same = ("lastmodifieddate", "BETWEEN", str(STAMP), str(STAMP))
    assert [r["id"] for r in _small_sweep(api, same)] == ids
    path = "/crm/v3/objects/contacts/search"
    assert api.post(path, {"limit": 20, "after": "20"}).json()["paging"]["next"]["after"] == "40"
    assert api.post(path, {"limit": 20, "after": "40"}).status_code == 400


def _small_sweep(api: Api, *filters: tuple) -> list[dict]:
    found, last = [], "0"
    by_id = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    while page := api.search(
        "contacts", *filters, ("hs_object_id", "GT", last), sorts=by_id, limit=40
    )["results"]:
        found += page
        last = page[-1]["id"]
    return found


def test_a_search_carries_no_rate_headers_and_a_list_does(api: Api) -> None:
    search = api.post("/crm/v3/objects/contacts/search", {})
    assert not [name for name in search.headers if "ratelimit" in name]
    listed = api.get("/crm/v3/objects/contacts")
    assert listed.headers["X-HubSpot-RateLimit-Max"] == "190"
