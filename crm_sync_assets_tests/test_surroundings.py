"""A test sees nothing of the account that whoever runs it has in the environment."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import is_named
from crm_sync_assets.declarations.variables import YEAR


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable of every CRM is set before a test gets its environment."""
    for crm in registry.crms().values():
        for variable in crm.variables:
            monkeypatch.setenv(variable.name.replace(YEAR, "2025"), "somebody's own")


@pytest.mark.usefixtures("accounts", "environment")
def test_nobodys_account_is_seen() -> None:
    crms = registry.crms().values()
    assert [crm.name for crm in crms if is_named(crm)] == []
    assert [v.name for crm in crms for v in crm.variables if v.is_set] == []
