"""Lists, single reads, batches, associations and settings, as HubSpot answers them."""

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES
from crm_sync_assets_tests.sandbox.conftest import Api

KINDS = sorted(TYPES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_walk_gives_exactly_the_live_records_in_the_order_of_ids(
    api: Api, sandbox: Sandbox, kind: str
) -> None:
    ids = [record["id"] for record in api.walk(f"/crm/v3/objects/{kind}", limit=100)]
    assert ids == sandbox.hubspot.ids(kind)
    assert ids == sorted(ids, key=int)


@pytest.mark.parametrize("kind", KINDS)
def test_all_properties_on_the_wire_are_those_of_the_truth(api: Api, kind: str) -> None:
    names = [p["name"] for p in api.get(f"/crm/v3/properties/{kind}").json()["results"]]
    page = api.get(f"/crm/v3/objects/{kind}", limit=20, properties=",".join(names)).json()
    for record in page["results"]:
        truth = api.sandbox.hubspot.get(kind, record["id"])
        assert record["properties"] == truth["properties"]
        assert record["createdAt"] == truth["createdAt"]
        assert record["updatedAt"] == truth["updatedAt"]


@pytest.mark.parametrize("version", ["2026-09", "2026-03"])
def test_the_dated_paths_answer_the_same(api: Api, version: str) -> None:
    old = api.get("/crm/v3/objects/0-421", limit=3, properties="date").json()
    new = api.get(f"/crm/objects/{version}/appointments", limit=3, properties="date").json()
    assert new["results"] == old["results"]
    assert api.get(f"/crm/owners/{version}").json() == api.get("/crm/v3/owners").json()


def test_without_properties_only_the_defaults_come(api: Api) -> None:
    [record] = api.get("/crm/v3/objects/contacts", limit=1).json()["results"]
    always = {"createdate", "hs_object_id", "lastmodifieddate"}
    assert set(record["properties"]) == always | {"email", "firstname", "lastname"}
    [record] = api.get("/crm/v3/objects/contacts", limit=1, properties="city").json()["results"]
    assert set(record["properties"]) == always | {"city"}


def test_unknown_properties_are_left_out_and_empty_ones_are_null(
    api: Api, sandbox: Sandbox
) -> None:
    one = sandbox.hubspot.create("contacts", {"city": None})
    path = f"/crm/v3/objects/contacts/{one}"
    properties = api.get(path, properties="city,no_such_thing").json()["properties"]
    assert properties["city"] is None
    assert "no_such_thing" not in properties


def test_the_recycle_bin_is_a_list_of_its_own(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.ids("contacts")[5]
    sandbox.hubspot.archive("contacts", one)
    found = {r["id"]: r for r in api.walk("/crm/v3/objects/contacts", archived="true", limit=2)}
    assert list(found) == sandbox.hubspot.ids("contacts", "archived")
    assert found[one]["archived"] is True
    assert found[one]["archivedAt"] == sandbox.hubspot.get("contacts", one)["archivedAt"]
    assert api.get(f"/crm/v3/objects/contacts/{one}").status_code == 404
    assert api.get(f"/crm/v3/objects/contacts/{one}", archived="true").status_code == 200


def test_a_batch_with_a_missing_id_is_a_207_that_names_it(api: Api, sandbox: Sandbox) -> None:
    ids = sandbox.hubspot.ids("contacts")[:9]
    path = "/crm/v3/objects/contacts/batch/read"
    whole = api.post(path, {"inputs": [{"id": i} for i in ids], "properties": ["email"]})
    assert whole.status_code == 200
    order = [record["id"] for record in whole.json()["results"]]
    assert sorted(order) == ids
    assert order != ids, "results come in no particular order"
    partial = api.post(path, {"inputs": [{"id": i} for i in [*ids, "17", "x"]]})
    assert partial.status_code == 207
    assert partial.json()["numErrors"] == 1
    assert partial.json()["errors"][0]["context"]["ids"] == ["17", "x"]


def test_a_batch_can_ask_by_another_property(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.create("contacts", {"email": "Solo@example.com"})
    body = {"idProperty": "email", "inputs": [{"id": "solo@example.com"}]}
    answer = api.post("/crm/v3/objects/contacts/batch/read", body).json()
    assert [record["id"] for record in answer["results"]] == [one]


def _pairs(api: Api, a: str, b: str, ids: list[str]) -> set[tuple[str, str]]:
    pairs, inputs, path = (
        set(),
        [{"id": i} for i in ids],
        f"/crm/v4/associations/{a}/{b}/batch/read",
    )
    while inputs:
        answer = api.post(path, {"inputs": inputs[:1000]}).json()
        inputs = inputs[1000:]
        for entry in answer["results"]:
            for to in entry["to"]:
                assert isinstance(to["toObjectId"], int)
                pairs.add((entry["from"]["id"], str(to["toObjectId"])))
            if "paging" in entry:
                after = entry["paging"]["next"]["after"]
                inputs.append({"id": entry["from"]["id"], "after": after})
    return pairs


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("contacts", "0-421"),
        ("contacts", "2-37778609"),
        ("contacts", "deals"),
        ("contacts", "companies"),
        ("deals", "line_items"),
        ("deals", "companies"),
        ("calls", "contacts"),
        ("tasks", "contacts"),
    ],
)
def test_associations_are_the_same_from_both_sides_and_those_of_the_truth(
    api: Api, sandbox: Sandbox, a: str, b: str
) -> None:
    world = sandbox.hubspot
    sandbox.knobs.association_page_size = 3
    there = _pairs(api, a, b, world.ids(a))
    back = _pairs(api, b, a, world.ids(b))
    assert there == {(y, x) for x, y in back}
    assert there == {(p["from"], p["to"]) for p in world.truth(f"associations/{a}/{b}")}
    assert there


def test_an_id_without_associations_is_an_error_entry(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.create("contacts")
    path = "/crm/v4/associations/contacts/deals/batch/read"
    answer = api.post(path, {"inputs": [{"id": one}]})
    assert answer.status_code == 207
    assert answer.json()["results"] == []
    [error] = answer.json()["errors"]
    assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert error["context"]["fromObjectId"] == [one]


def test_a_single_record_pages_through_its_associations(api: Api, sandbox: Sandbox) -> None:
    division = sandbox.hubspot.ids("divisions")[0]
    path = f"/crm/v4/objects/divisions/{division}/associations/contacts"
    found = api.walk(path, limit=4)
    expected = sandbox.hubspot.associated("divisions", division, "contacts")
    assert [str(one["toObjectId"]) for one in found] == expected
    assert len(expected) > 8


def test_associating_changes_both_sides_and_no_date(api: Api, sandbox: Sandbox) -> None:
    world = sandbox.hubspot
    contact, deal = world.create("contacts"), world.ids("deals")[0]
    before = world.get("contacts", contact)["updatedAt"]
    world.associate("deals", deal, "contacts", contact)
    assert _pairs(api, "contacts", "deals", [contact]) == {(contact, deal)}
    assert world.get("contacts", contact)["updatedAt"] == before
    assert world.dissociate("contacts", contact, "deals", deal)
    assert _pairs(api, "contacts", "deals", [contact]) == set()


def test_owners_come_in_two_lists(api: Api, sandbox: Sandbox) -> None:
    active = api.walk("/crm/v3/owners/", limit=4)
    gone = api.walk("/crm/v3/owners", archived="true")
    assert (len(active), len(gone)) == (10, 2)
    assert all(owner["userId"] is None and owner["userIdIncludingInactive"] for owner in gone)
    sandbox.hubspot.directory.archive_owner(active[0]["id"])
    assert len(api.walk("/crm/v3/owners", archived="true")) == 3


@pytest.mark.parametrize("kind", ["deals", "tickets", "0-421"])
def test_pipelines_hold_their_stages(api: Api, kind: str) -> None:
    pipelines = api.get(f"/crm/v3/pipelines/{kind}").json()["results"]
    assert all(pipeline["stages"] for pipeline in pipelines)
    one = api.get(f"/crm/v3/pipelines/{kind}/{pipelines[0]['id']}").json()
    assert one == pipelines[0]


def test_property_definitions_have_true_types_and_lying_field_types(api: Api) -> None:
    found = {p["name"]: p for p in api.get("/crm/v3/properties/contacts").json()["results"]}
    assert (found["lead_viewed_on"]["type"], found["lead_viewed_on"]["fieldType"]) == (
        "datetime",
        "date",
    )
    assert found["favourite_color"]["options"]
    assert {"hs_merged_object_ids", "custom_score", "lead_is_dnc", "canvasser_id"} <= set(found)


def test_the_account_and_the_custom_objects_are_described(api: Api) -> None:
    assert api.get("/account-info/v3/details").json()["portalId"] == 123456
    schemas = api.get("/crm/v3/schemas").json()["results"]
    assert {s["objectTypeId"] for s in schemas} == {"2-37778609", "2-42119425"}


def test_records_can_be_written_through_the_api(api: Api, sandbox: Sandbox) -> None:
    path = "/crm/v3/objects/deals"
    made = api.post(path, {"properties": {"dealname": "Roof", "amount": "12.50"}})
    assert made.status_code == 201
    one = made.json()["id"]
    api.client.patch(f"{path}/{one}", json={"properties": {"amount": ""}}).raise_for_status()
    values = sandbox.hubspot.get("deals", one)["properties"]
    assert (values["dealname"], values["amount"]) == ("Roof", None)
    assert api.client.delete(f"{path}/{one}").status_code == 204
    assert sandbox.hubspot.get("deals", one)["state"] == "archived"
    batch = api.post(f"{path}/batch/update", {"inputs": [{"id": "5", "properties": {}}]})
    assert batch.status_code == 207


@pytest.mark.parametrize("path", ["/crm/v3/pipelines", "/crm/pipelines/2026-09"])
def test_a_stage_has_an_address_of_its_own(api: Api, sandbox: Sandbox, path: str) -> None:
    (pipeline, *_) = api.get(f"{path}/deals").json()["results"]
    address = f"{path}/deals/{pipeline['id']}/stages"
    assert api.get(f"{address}/closedwon").json() == next(
        stage for stage in pipeline["stages"] if stage["id"] == "closedwon"
    )
    assert api.get(f"{address}/nothing").status_code == 404
    assert api.get(f"{path}/deals/nothing/stages/closedwon").status_code == 404
    sandbox.hubspot.directory.edit_stage("deals", pipeline["id"], "closedwon", archived=True)
    assert api.get(f"{address}/closedwon").status_code == 404
