"""The company's name is a part of the host's: what is none of that leads to no other host."""

from __future__ import annotations

import pytest

from crm_sync_assets.crms.pipedrive.client import Pipedrive
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.settings import environment as read


@pytest.mark.parametrize(
    "company",
    ["127.0.0.1:8799/", "evil.example/", "https://acme", "acme.pipedrive.com", "ac me", "-acme"],
)
def test_what_is_no_part_of_a_host_s_name_is_refused(
    environment: pytest.MonkeyPatch, company: str
) -> None:
    environment.setenv("PIPEDRIVE_TOKEN", "0123456789abcdef0123456789abcdef01234567")
    environment.setenv("PIPEDRIVE_COMPANY", company)
    with pytest.raises(UsageError, match=r"PIPEDRIVE_COMPANY is '.*letters, digits and hyphens"):
        Pipedrive(read(), SyncSettings())


def test_a_company_s_name_is_taken(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PIPEDRIVE_TOKEN", "0123456789abcdef0123456789abcdef01234567")
    environment.setenv("PIPEDRIVE_COMPANY", "acme-2")
    client = Pipedrive(read(), SyncSettings())
    assert [http.base_url for http in client._https.values()] == ["https://acme-2.pipedrive.com"]
    client.close()
