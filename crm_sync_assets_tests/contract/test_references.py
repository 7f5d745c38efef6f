"""What holds another entity's key has the type of that key, in every CRM, so that they join."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.orchestration.lineage import references

ENTITIES = list(registry.all_entities().values())
PAIRS = [
    pytest.param(entity, column, target, its, id=f"{entity}.{column}")
    for entity in ENTITIES
    for column, (target, its) in references(registry.crms()[entity.crm], entity).items()
]


def test_there_are_references_between_crms() -> None:
    between = {
        pair.id
        for pair in PAIRS
        if str(pair.values[0]).split(".")[0] != str(pair.values[2]).split(".")[0]
    }
    assert {
        "genius.prospects.hubspot_contact_id",
        "genius.appointments.hubspot_appointment_id",
        "hubspot.appointments.genius_appointment_id",
        "hubspot.appointments.genius_prospect_id",
        "hubspot.contacts.lead_salesrabbit_lead_id",
    } <= between


@pytest.mark.parametrize(("entity", "column", "target", "its"), PAIRS)
def test_a_reference_has_the_type_of_the_key_it_holds(
    entity: Entity, column: str, target: str, its: str
) -> None:
    (held,) = [one for one in entity.columns if one.name == column]
    (key,) = [one for one in registry.all_entities()[target].columns if one.name == its]
    assert held.sql == key.sql
