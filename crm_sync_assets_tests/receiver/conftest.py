from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_sync_assets_tests.receiver.bench import SECRETS, Serving, serving


@pytest.fixture
def secrets(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment has what deliveries are proven by."""
    for name, value in SECRETS.items():
        environment.setenv(name, value)
    return environment


@pytest.fixture
def receiver(secrets: pytest.MonkeyPatch) -> Iterator[Serving]:
    with serving() as found:
        yield found
