"""Sensitive columns, what a domain has made among them, encrypted at rest."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.five9.conftest import ENTITIES, Bench


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_what_is_sensitive_is_encrypted_and_nothing_else_changes(
    encrypting: Bench, entity: Entity
) -> None:
    encrypting.is_encrypted(entity)
