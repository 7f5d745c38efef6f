"""Sensitive columns, the whole record among them, encrypted at rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.vault import encrypted_columns
from crm_sync_assets_tests.crms.salesrabbit.conftest import ENTITIES, Bench
from crm_sync_assets_tests.encrypted import NEW


@pytest.fixture
def encrypting(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_ENCRYPTION_KEYS", NEW)
    bench = Bench(sandbox, environment)
    yield bench
    bench.close()


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_what_is_sensitive_is_encrypted_and_nothing_else_changes(
    encrypting: Bench, entity: Entity
) -> None:
    bench = encrypting
    for turn in range(2):
        told = bench.sync(entity.sync_type, full=bool(turn))
        assert (told.status, told.counts.failed) == ("success", 0)
        assert told.counts.unchanged == (told.counts.processed if turn else 0)
    assert bench.wrong(entity.sync_type) == []
    with bench.warehouse.connection() as connection:
        for column in encrypted_columns(entity.columns):
            query = (
                f"SELECT count(*) FROM {entity.table} WHERE {column.name}::text !~ '^[0-9a-f]+:'"  # noqa: S608
            )
            assert connection.execute(query).fetchone() == (0,), column.name
