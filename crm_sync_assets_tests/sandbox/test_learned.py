"""What the service does beyond its first pages of documentation."""

from __future__ import annotations

import pytest
from hubspot import HubSpot
from hubspot.crm.contacts import ApiException, BatchReadInputSimplePublicObjectId
from hubspot.crm.pipelines import PipelineStage

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.conftest import Api

CONTACTS = "/crm/v3/objects/contacts"
PROPERTIES = "/crm/v3/properties/contacts"
SCOPE = "crm.objects.contacts.highly_sensitive.read.v2"


@pytest.fixture
def official(sandbox: Sandbox) -> HubSpot:
    env = sandbox.env()
    return HubSpot(access_token=env["HUBSPOT_TOKEN"], host=env["HUBSPOT_BASE_URL"])


def names(api: Api, **params: str) -> set[str]:
    return {one["name"] for one in api.get(PROPERTIES, **params).json()["results"]}


def test_a_property_may_answer_though_no_list_has_it(api: Api, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.create("contacts", {"city": "Kent"})
    sandbox.knobs.unlisted_properties = {"city"}
    assert "city" not in names(api) | names(api, dataSensitivity="highly_sensitive")
    found = api.get(f"{CONTACTS}/{one}", properties="city").json()
    assert found["properties"]["city"] == "Kent"


def test_a_sensitive_property_is_listed_apart_and_needs_its_scope(
    api: Api, sandbox: Sandbox
) -> None:
    one = sandbox.hubspot.create("contacts", {"city": "Kent"})
    sandbox.knobs.sensitive_properties = {"city"}
    assert "city" not in names(api)
    assert names(api, dataSensitivity="highly_sensitive") == {"city"}
    assert api.get(f"{CONTACTS}/{one}", properties="city").json()["properties"]["city"] == "Kent"
    sandbox.knobs.missing_scopes = {SCOPE}
    batch = {"properties": ["email", "city"], "inputs": [{"id": one}]}
    for answer in (
        api.get(f"{CONTACTS}/{one}", properties="city"),
        api.get(CONTACTS, properties="email,city"),
        api.post(f"{CONTACTS}/search", {"properties": ["city"]}),
        api.post(f"{CONTACTS}/batch/read", batch),
    ):
        assert answer.status_code == 403
        assert answer.json()["category"] == "MISSING_SCOPES"
        assert answer.json()["errors"][0]["context"]["requiredGranularScopes"] == [SCOPE]
    assert api.get(CONTACTS, properties="email").status_code == 200
    assert api.get(f"{PROPERTIES}/city").json()["dataSensitivity"] == "highly_sensitive"
    assert api.get(PROPERTIES, dataSensitivity="secret").status_code == 400


def test_a_batch_read_takes_so_many_inputs_and_properties(
    official: HubSpot, sandbox: Sandbox
) -> None:
    ids = sandbox.hubspot.ids("contacts")

    def refused(count: int, **asked: list[str]) -> str:
        lists = {"properties": [], "properties_with_history": []} | asked
        inputs = [{"id": i} for i in ids[:count]]
        with pytest.raises(ApiException) as caught:
            official.crm.contacts.batch_api.read(
                BatchReadInputSimplePublicObjectId(inputs=inputs, **lists)
            )
        assert caught.value.status == 400
        return str(caught.value.body)

    assert "inputs supported in a batch request is 100" in refused(101)
    histories = "inputs supported in a batch request for property histories is 50"
    assert histories in refused(51, properties_with_history=["email"])
    sandbox.knobs.most_properties = 2
    too_wide = "properties supported in a batch request is 2"
    assert too_wide in refused(1, properties=["email", "city", "zip"])
    assert too_wide in refused(1, properties=["email", "city"], properties_with_history=["zip"])


def test_an_account_that_moves_says_how_long(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.moving = 7_200
    for answer in (api.get(CONTACTS), api.post(f"{CONTACTS}/search", {}), api.get("/nowhere")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (477, "7200")
    form = {"grant_type": "refresh_token"}
    token = api.client.post("/oauth/v3/token", data=form)
    assert (token.status_code, token.headers["Retry-After"]) == (400, "7200")
    assert token.json()["message"] == "Migration in progress"
    sandbox.knobs.moving = None
    assert api.get(CONTACTS).status_code == 200


@pytest.mark.parametrize("family", ["/crm/v3/pipelines", "/crm/pipelines/2026-09"])
def test_a_stage_says_who_may_move_a_record_into_it(
    api: Api, sandbox: Sandbox, family: str
) -> None:
    where = {"type": "deals", "pipeline": "default", "id": "haggling"}
    sandbox.crms["hubspot"].operate("edit_stage", {**where, "label": "Haggling"})
    for pipeline in api.get(f"{family}/deals").json()["results"]:
        for stage in pipeline["stages"]:
            # The official model takes only what the service may send.
            PipelineStage(
                id=stage["id"],
                label=stage["label"],
                display_order=stage["displayOrder"],
                metadata=stage["metadata"],
                created_at=stage["createdAt"],
                updated_at=stage["updatedAt"],
                archived=stage["archived"],
                write_permissions=stage["writePermissions"],
            )


@pytest.mark.parametrize("path", [CONTACTS, "/crm/objects/2026-09/contacts"])
def test_associations_with_objects_that_the_account_has_none_of(
    api: Api, sandbox: Sandbox, path: str
) -> None:
    one = sandbox.hubspot.create("contacts")
    sandbox.hubspot.associate("contacts", one, "deals", sandbox.hubspot.ids("deals")[0])
    answer = api.get(f"{path}/{one}", associations="deals,quotes,0-53")
    assert answer.status_code == 200
    assert set(answer.json()["associations"]) == {"deals"}
    assert api.get(f"{path}/{one}", associations="deals,quotas").status_code == 400


def test_the_new_knobs_can_be_turned_from_outside(sandbox: Sandbox) -> None:
    sandbox.knobs.turn({"unlisted_properties": ["city"], "sensitive_properties": ["zip"]})
    told = sandbox.knobs.as_dict()
    assert (told["unlisted_properties"], told["sensitive_properties"]) == (["city"], ["zip"])
    assert sandbox.knobs.unlisted_properties == {"city"}
