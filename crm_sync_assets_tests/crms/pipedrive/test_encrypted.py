"""Sensitive columns encrypted at rest; what is there stays the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.vault import encrypted_columns
from crm_sync_assets_tests.crms.pipedrive.conftest import NOON, Company
from crm_sync_assets_tests.encrypted import NEW

SENSITIVE = [e for e in registry.entities("pipedrive") if encrypted_columns(e.columns)]


@pytest.fixture
def encrypting(running: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Company]:
    running.reset()
    running.clock.freeze(NOON)
    for name, value in running.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_PIPEDRIVE__RATE_WINDOWS", "[]")
    environment.setenv("CRM_SYNC_ENCRYPTION_KEYS", NEW)
    company = Company(running, environment)
    yield company
    company.close()


@pytest.mark.parametrize("entity", SENSITIVE, ids=str)
def test_what_is_sensitive_is_encrypted_and_nothing_else_changes(
    encrypting: Company, entity: object
) -> None:
    company, name = encrypting, str(entity).partition(".")[2]
    declared = registry.entity(str(entity))
    for turn in range(2):
        told = company.sync(name, full=bool(turn))
        assert (told.status, told.counts.failed) == ("success", 0)
        assert told.counts.unchanged == (told.counts.processed if turn else 0)
    assert company.wrong(name) == []
    query = sql.SQL("SELECT count({0}), count(*) FILTER (WHERE {0} ~ '^[0-9a-f]+:') FROM {1}")
    with company.warehouse.connection() as connection:
        for column in encrypted_columns(declared.columns):
            names = sql.Identifier(column.name), sql.Identifier(declared.table)
            row = connection.execute(query.format(*names)).fetchone()
            assert row is not None
            assert row[0] == row[1], column.name


def test_people_are_sensitive() -> None:
    assert {entity.sync_type for entity in SENSITIVE} >= {"persons", "users"}
