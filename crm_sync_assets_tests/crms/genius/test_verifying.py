"""Genius's tables compared with the warehouse, row by row."""

# ruff: noqa: S608  keys of the test's own

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import GeniusSyncs, differences
from crm_sync_assets_tests.crms.genius.worlds import Start


def compared(genius: GeniusSyncs, name: str, **options: Any) -> Verification:
    entity = registry.entity(f"genius.{name}")
    settings = settings_for(genius.crm, entity)
    return verify(genius.warehouse, entity, genius.client, settings, **options)


def change(genius: GeniusSyncs, *statements: Any) -> None:
    with genius.warehouse.connection() as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def found(seen: Verification) -> set[tuple[str, str, bool]]:
    return {("/".join(f.key), f.kind, f.dated) for f in seen.findings}


def test_every_table_is_verified_after_its_sync(world: World, start: Start) -> None:
    genius = start()
    genius.all()
    for entity in registry.entities("genius"):
        seen = compared(genius, entity.sync_type)
        assert (seen.findings, seen.status) == ([], "success"), entity
        assert seen.there == seen.here > 0


def test_rows_with_two_keys_are_found_and_mended(world: World, start: Start) -> None:
    genius, name = start(), "appointment_services"
    genius.sync(name)
    dated = [
        (row["appointment_id"], row["service_id"])
        for row in world.rows("appointment_to_service")
        if row["updated_at"] is not None and row["updated_at"].year > 1
    ]
    (lost, old) = dated[3], dated[5]
    where = "WHERE appointment_id = {} AND service_id = {}"
    change(
        genius,
        "DELETE FROM genius_appointment_service " + where.format(*lost),
        "UPDATE genius_appointment_service SET updated_at = updated_at - interval '1 day' "
        + where.format(*old),
        "INSERT INTO genius_appointment_service (appointment_id, service_id) VALUES (99999, 77)",
    )
    expected = {
        (f"{lost[0]}/{lost[1]}", "missing", True),
        (f"{old[0]}/{old[1]}", "stale", True),
        ("99999/77", "extra", False),
    }
    assert found(compared(genius, name)) == expected
    mended = compared(genius, name, repair=True)
    assert found(mended) == expected
    assert mended.usage.api_calls <= 10, "columns, clock, the keys in one chunk, three rows by key"
    assert compared(genius, name).status == "success"
    assert differences(world, genius.warehouse, name) == []


@pytest.mark.parametrize("name", ["marketsharp_marketing_source_maps", "user_data"])
def test_text_keys_and_joined_tables_are_compared_too(
    world: World, start: Start, name: str
) -> None:
    entity = registry.entity(f"genius.{name}")
    genius = start()
    genius.sync(name)
    change(
        genius,
        f"DELETE FROM {entity.table} WHERE ctid = (SELECT min(ctid) FROM {entity.table})",
    )
    seen = compared(genius, name, repair=True)
    assert (seen.count("missing"), seen.repaired) == (1, 1)
    assert differences(world, genius.warehouse, name) == []


def test_what_changes_after_the_watermark_is_left_to_the_next_delta(
    world: World, start: Start
) -> None:
    genius = start()
    genius.sync("leads")
    keys = world.keys("lead")
    world.edit("lead", keys[1], {"city": "Now"})
    world.insert("lead", 2)
    seen = compared(genius, "leads", repair=True)
    assert seen.findings == []
    assert genius.sync("leads").counts.created == 2
    assert differences(world, genius.warehouse, "leads") == []
