"""What is declared about Genius's 30 tables."""

from __future__ import annotations

import pytest

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.genius.schema import sources

ENTITIES = registry.entities("genius")

WITHOUT_A_TIME = {
    "appointment_types", "appointment_outcome_types", "job_statuses", "job_financings",
    "job_change_order_types", "job_change_order_statuses", "job_change_order_reasons",
    "integration_field_definitions", "division_regions",
}  # fmt: skip
PARENTS = {
    "divisions": {"division_groups", "division_regions"},
    "user_data": {"divisions", "user_titles"},
    "marketing_sources": {"marketing_source_types"},
    "marketsharp_marketing_source_maps": {"marketing_sources", "marketsharp_sources"},
    "integration_fields": {"integration_field_definitions", "user_data"},
    "prospect_sources": {"prospects", "marketing_sources"},
    "appointments": {"prospects", "prospect_sources", "appointment_types"},
    "appointment_services": {"appointments", "services"},
    "jobs": {"prospects", "divisions", "job_statuses"},
    "quotes": {"jobs", "appointments"},
    "job_financings": {"jobs"},
    "job_change_orders": {"jobs", "job_change_order_types", "job_change_order_reasons"},
    "job_change_order_items": {"job_change_orders"},
}


def test_there_are_thirty_each_of_its_own_table() -> None:
    assert len(ENTITIES) == 30
    assert len({entity.table for entity in ENTITIES}) == 30
    assert len({str(entity.source) for entity in ENTITIES}) == 30
    assert set(registry.crm("genius").order) == {entity.sync_type for entity in ENTITIES}


def test_parents_come_before_what_refers_to_them() -> None:
    seen: set[str] = set()
    for entity in ENTITIES:
        assert seen >= PARENTS.get(entity.sync_type, set()), entity
        seen.add(entity.sync_type)


def test_what_cannot_say_when_it_changed_is_read_whole() -> None:
    assert {e.sync_type for e in ENTITIES if not e.tracks_changes} == WITHOUT_A_TIME


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_deletions_are_found_by_comparing_and_so_held_back(entity: Entity) -> None:
    assert entity.tombstones == "found"
    assert entity.source.kind == "database"


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_every_column_of_the_table_is_read(entity: Entity) -> None:
    """All but those that only lead to what is joined."""
    assert isinstance(entity.source, Table)
    read = {c.path("").lower() for c in entity.columns if not callable(c.at)}
    there = {name.lower() for name in sources()[entity.source.name].columns}
    assert there - read <= {"third_party_source_id", "user_associations_id"} - read


def test_secrets_and_people_are_sensitive() -> None:
    columns = {c.name: c for entity in ENTITIES for c in entity.columns if c.sensitive}
    assert columns.keys() >= {
        "paysimple_secret", "paysimple_username", "mes_profile_key", "docusign_acct_id",
        "cc_profile_id", "email", "personal_email", "phone1", "phone4", "first_name", "last_name",
        "address1", "birth_date", "signer_name", "signer_email", "applicant", "co_applicant",
        "legal_app_name", "added_by_latitude",
    }  # fmt: skip


def test_keys_are_numbers_but_for_marketsharps() -> None:
    text = [e.sync_type for e in ENTITIES if any(c.sql != "bigint" for c in e.key)]
    assert text == ["marketsharp_marketing_source_maps"]
    pair = [e.sync_type for e in ENTITIES if len(e.key) > 1]
    assert pair == ["appointment_services"]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("division_groups", 16), ("job_financings", 25), ("divisions", 12), ("user_data", 24),
        ("user_associations", 7), ("prospects", 25), ("leads", 95), ("appointments", 32),
        ("quotes", 16), ("jobs", 100), ("appointment_services", 4), ("job_change_orders", 22),
    ],
)  # fmt: skip
def test_no_column_is_forgotten(name: str, count: int) -> None:
    assert len(registry.entity(f"genius.{name}").columns) == count
