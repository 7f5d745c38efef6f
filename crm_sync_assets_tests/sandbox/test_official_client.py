"""HubSpot's own Python library works against the sandbox."""

from datetime import UTC, datetime

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import (
    ApiException,
    BatchReadInputSimplePublicObjectId,
    PublicObjectSearchRequest,
)

from crm_sync_assets.sandbox import Sandbox


@pytest.fixture
def official(sandbox: Sandbox) -> HubSpot:
    env = sandbox.env()
    return HubSpot(access_token=env["HUBSPOT_TOKEN"], host=env["HUBSPOT_BASE_URL"])


def test_it_lists_all_contacts(official: HubSpot, sandbox: Sandbox) -> None:
    found = official.crm.contacts.get_all(properties=["email"])
    assert [contact.id for contact in found] == sandbox.hubspot.ids("contacts")
    assert found[0].updated_at.tzinfo is not None


def test_it_searches(official: HubSpot, sandbox: Sandbox) -> None:
    one = sandbox.hubspot.create("contacts", {"email": "official@example.com"})
    condition = {"propertyName": "email", "operator": "EQ", "value": "official@example.com"}
    request = PublicObjectSearchRequest(filter_groups=[{"filters": [condition]}], limit=10)
    found = official.crm.contacts.search_api.do_search(request)
    assert (found.total, found.results[0].id) == (1, one)


def test_it_reads_a_batch(official: HubSpot, sandbox: Sandbox) -> None:
    ids = sandbox.hubspot.ids("contacts")[:3]
    request = BatchReadInputSimplePublicObjectId(
        properties=["email"], properties_with_history=[], inputs=[{"id": i} for i in ids]
    )
    found = official.crm.contacts.batch_api.read(request)
    assert {record.id for record in found.results} == set(ids)


def test_it_reads_objects_by_type_id(official: HubSpot, sandbox: Sandbox) -> None:
    found = official.crm.objects.get_all("0-421", properties=["date", "time"])
    assert [one.id for one in found] == sandbox.hubspot.ids("appointments")


def test_it_reads_associations(official: HubSpot, sandbox: Sandbox) -> None:
    ids = sandbox.hubspot.ids("contacts")
    request = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": i} for i in ids])
    found = official.crm.associations.v4.batch_api.get_page("contacts", "divisions", request)
    pairs = {(entry._from.id, str(to.to_object_id)) for entry in found.results for to in entry.to}
    truth = sandbox.hubspot.truth("associations/contacts/divisions")
    assert pairs == {(pair["from"], pair["to"]) for pair in truth}


def test_it_reads_owners_pipelines_properties_and_schemas(official: HubSpot) -> None:
    assert len(official.crm.owners.owners_api.get_page().results) == 10
    [pipeline, _] = official.crm.pipelines.pipelines_api.get_all("deals").results
    assert pipeline.stages[0].metadata["probability"] == "0.2"
    names = [p.name for p in official.crm.properties.core_api.get_all("contacts").results]
    assert "lead_status" in names
    assert len(official.crm.schemas.core_api.get_all().results) == 2


def test_it_writes(official: HubSpot, sandbox: Sandbox) -> None:
    api = official.crm.contacts.basic_api
    made = api.create({"properties": {"email": "made@example.com"}})
    assert made.created_at <= datetime.now(UTC)
    api.archive(made.id)
    with pytest.raises(ApiException) as caught:
        api.get_by_id(made.id)
    assert caught.value.status == 404
    assert sandbox.hubspot.get("contacts", made.id)["state"] == "archived"


def test_it_refreshes_a_token(official: HubSpot, sandbox: Sandbox) -> None:
    env = sandbox.oauth_env()
    granted = official.oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id=env["HUBSPOT_CLIENT_ID"],
        client_secret=env["HUBSPOT_CLIENT_SECRET"],
        refresh_token=env["HUBSPOT_REFRESH_TOKEN"],
    )
    official.access_token = granted.access_token
    assert official.crm.contacts.basic_api.get_page(limit=1).results
