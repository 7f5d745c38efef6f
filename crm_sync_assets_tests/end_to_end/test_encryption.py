"""HubSpot and Genius with encryption keys: the truth, encrypted, through edits and a new key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.operations.rotation import rotate
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.vault import encrypted_columns
from crm_sync_assets_tests import truth
from crm_sync_assets_tests.crms.genius import truth as genius_truth
from crm_sync_assets_tests.crms.genius.worlds import (
    Start,
    clock,
    genius_environment,
    mariadb,
    mysql_database,
    postgres_world,
    start,
    world,
)
from crm_sync_assets_tests.encrypted import NEW, OLD, plaintext
from crm_sync_assets_tests.scripted import rows

__all__ = [
    "clock", "genius_environment", "mariadb", "mysql_database", "postgres_world", "start", "world",
]  # fmt: skip

KEYS = "CRM_SYNC_ENCRYPTION_KEYS"


def encrypted_only(warehouse: Warehouse, crm: str, key: str) -> bool:
    """Whether every sensitive value of every table of this CRM is under this key."""
    checked = 0
    for entity in registry.entities(crm):
        for column in encrypted_columns(entity.columns):
            [(values, encrypted)] = rows(
                warehouse,
                f"SELECT count({column.name}), count(*) FILTER (WHERE {column.name} LIKE %s "  # noqa: S608
                f"AND {column.index} ~ '^[0-9a-f]{{32}}$') FROM {entity.table}",
                f"{key}:%",
            )
            checked += values
            if values != encrypted:
                return False
    return checked > 0


def changed(syncs: Iterable[Any]) -> int:
    return sum(sync.counts.created + sync.counts.updated for sync in syncs)


def test_hubspot_is_the_truth_and_nobody_can_read_it(
    sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    from crm_sync_assets.keyring import key_id

    environment.setenv(KEYS, OLD)
    names = ("contacts", "owners", "emails")
    hubspot = truth.HubSpotSyncs()
    entities = [registry.entity(f"hubspot.{name}") for name in names]

    def differences() -> list[str]:
        return [
            problem
            for entity in entities
            for problem in truth.entity_differences(sandbox, hubspot.warehouse, entity, False)
        ]

    first = [hubspot.sync(name) for name in names]
    assert {one.status for one in first} == {"success"}
    assert differences() == []
    people = [one["properties"] for one in sandbox.crms["hubspot"].truth("contacts")]
    emails = [one["email"] for one in people if one.get("email")][:40]
    # Undeclared properties are kept as they are; no address is among them.
    assert plaintext(hubspot.warehouse, *emails) == []
    assert changed(hubspot.sync(name, full=True) for name in names) == 0
    sandbox.move(60)
    assert changed(hubspot.sync(name) for name in names) > 0
    assert differences() == []
    hubspot.close()
    environment.setenv(KEYS, f"{NEW},{OLD}")
    hubspot = truth.HubSpotSyncs()
    assert rotate(hubspot.warehouse, entities).retired == [key_id(OLD)]
    hubspot.close()
    environment.setenv(KEYS, NEW)
    hubspot = truth.HubSpotSyncs()
    assert differences() == []
    assert changed(hubspot.sync(name, full=True) for name in names) == 0
    hubspot.close()


def test_genius_is_the_truth_and_nobody_can_read_it(
    postgres_world: World, start: Start, environment: pytest.MonkeyPatch
) -> None:
    from crm_sync_assets.keyring import key_id

    names = ("user_data", "prospects", "leads", "job_financings")
    genius = start()
    for name in names:
        genius.sync(name)
    environment.setenv(KEYS, OLD)
    keyed = open_warehouse()
    assert rotate(keyed, [registry.entity(f"genius.{name}") for name in names]).left == 0
    genius.warehouse = keyed
    assert genius_truth.differences(postgres_world, keyed, *names) == []
    assert changed(genius.sync(name, full=True) for name in names) == 0
    postgres_world.move(60, seed=3)
    for name in names:
        assert genius.sync(name).status == "success"
    assert genius_truth.differences(postgres_world, keyed, *names) == []
    for name in registry.entities("genius"):
        if name.sync_type not in names:
            genius.sync(name.sync_type)
    assert encrypted_only(keyed, "genius", key_id(OLD))
