"""A subject of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_sync_assets_tests.mariadb import mariadb, mysql_database
from crm_sync_assets_tests.promises.crms import SUBJECTS
from crm_sync_assets_tests.promises.driver import Subject

__all__ = ["mariadb", "mysql_database"]


@pytest.fixture(params=SUBJECTS)
def crm(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch) -> Iterator[Subject]:
    """One entity of one CRM as it is in the beginning; nothing is synced."""
    with SUBJECTS[request.param].opened(environment, request.getfixturevalue) as subject:
        yield subject
