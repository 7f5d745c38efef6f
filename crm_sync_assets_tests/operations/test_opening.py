"""What a process opens once: the warehouse, and clients that share through it."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.overrides import client_for
from crm_sync_assets.operations import opening
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets.settings import environment as settings
from crm_sync_assets_tests.scripted import FakeClient


def test_a_client_shares_through_the_warehouse_only_what_it_is_handed(
    environment: pytest.MonkeyPatch,
) -> None:
    handed: list[Shared] = []

    def client(_environment: Environment, _settings: SyncSettings, shared: Shared) -> Any:
        handed.append(shared)
        return FakeClient()

    crm = Crm("test", "Test", client=client)
    environment.setattr(registry, "crm", lambda _: crm)
    client_for(crm, settings())
    opening.open_client("test")
    assert settings().warehouse_url
    assert handed == [Shared(None), Shared(opening.open_warehouse().url)]
    assert opening.open_warehouse().url not in repr(handed)
