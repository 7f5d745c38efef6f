"""What a source no longer has of what was never read: stored is what is left, and it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crm_sync_assets.errors import Expired
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, history, people, person, sync


def test_a_gap_longer_than_the_source_keeps_its_records_is_stored_and_no_success(
    warehouse: Warehouse,
) -> None:
    """Whoever starts it, until somebody says to go on without what is lost."""
    entity, keeps = replace(PEOPLE, absent="kept"), SyncSettings(keeps_days=30)
    client = FakeClient([person(1)], now=datetime.now(UTC) - timedelta(days=40))
    sync(warehouse, client, entity, keeps)
    client.now, client.records = datetime.now(UTC), [person(2)]
    for flags in ({}, {"full": True}, {}):
        with pytest.raises(Expired, match=r"may be lost: .*`crm-sync test people --force` once"):
            sync(warehouse, client, entity, keeps, **flags)
        row = history(warehouse)[-1]
        assert (row["status"], row["reason"], row["watermark"]) == ("failed", "data", None)
        assert "All that it still has was stored" in row["error_message"]
        assert row["checkpoint"] is None, "the next one reads what came since"
        assert people(warehouse).keys() == {"1", "2"}
    assert sync(warehouse, client, entity, keeps, dry_run=True).status == "success"
    assert sync(warehouse, client, entity, keeps, force=True).status == "success"
    assert sync(warehouse, client, entity, keeps).strategy.name == "incremental"
    assert sync(warehouse, client, entity, keeps, full=True).status == "success"
