"""A Python library that many read Salesforce with works against the sandbox."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceLogin, SFType
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceOperationError,
    SalesforceResourceNotFound,
)

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.salesforce import Org

PLAYED = {"salesforce_contacts": 60}
CONTACTS = "SELECT Id, LastName, Description FROM Contact"


class Plain(HTTPAdapter):
    """The library speaks HTTPS with the root of a host, or with Salesforce's own: here that is
    the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        asked = urlsplit(request.url)
        request.url = f"{self._url}{asked.path}" + (f"?{asked.query}" if asked.query else "")
        return super().send(request, *args, **kwargs)


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", Plain(f"{sandbox.url}/salesforce"))
        yield session


@pytest.fixture
def client(org: Org, session: requests.Session) -> Salesforce:
    token = org.http.headers["Authorization"].partition(" ")[2]
    return Salesforce(
        instance_url=org.sandbox.url, session_id=token, session=session, version="67.0"
    )


@pytest.fixture
def jobs(client: Salesforce) -> Any:
    """Those about contacts."""
    return client.bulk2.Contact


def test_it_queries_page_by_page(client: Salesforce, org: Org) -> None:
    org.sandbox.knobs.salesforce_page_size = 25
    first = client.query(CONTACTS)
    assert (first["totalSize"], first["done"], len(first["records"])) == (60, False, 25)
    second = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    third = client.query_more(second["nextRecordsUrl"].rpartition("/")[2])
    assert third["done"] is True
    found = [row["Id"] for page in (first, second, third) for row in page["records"]]
    assert found == org.world.ids("Contact")
    assert client.query("SELECT COUNT() FROM Contact")["totalSize"] == 60


def test_it_queries_all_with_what_was_deleted(client: Salesforce, org: Org) -> None:
    org.sandbox.knobs.salesforce_page_size = 25
    one = org.world.ids("Contact")[30]
    org.world.archive("Contact", one)
    assert one not in [row["Id"] for row in client.query_all(CONTACTS)["records"]]
    every = client.query_all(f"{CONTACTS} WHERE IsDeleted = true", include_deleted=True)
    assert [row["Id"] for row in every["records"]] == [one]
    assert len(list(client.query_all_iter(CONTACTS, include_deleted=True))) == 60


def test_it_describes(client: Salesforce) -> None:
    described = client.describe()
    assert described is not None
    names = [one["name"] for one in described["sobjects"]]
    assert "Invoice__c" in names
    fields = client.Contact.describe()["fields"]
    assert {"name": "Email", "type": "email"}.items() <= fields[
        [field["name"] for field in fields].index("Email")
    ].items()
    assert client.Invoice__c.metadata()["objectDescribe"]["custom"] is True


def test_it_gets_a_record(client: Salesforce, org: Org) -> None:
    one = org.world.ids("Contact")[0]
    assert client.Contact.get(one)["Name"] == org.world.get("Contact", one)["properties"]["Name"]
    org.world.archive("Contact", one)
    with pytest.raises(SalesforceResourceNotFound):
        client.Contact.get(one)


def test_it_reads_the_log(client: Salesforce, org: Org) -> None:
    kind: SFType = client.Contact
    one, two = org.world.ids("Contact")[:2]
    org.world.purge("Contact", one)
    org.world.edit("Contact", two, {"LastName": "New"})
    org.sandbox.clock.advance(90)
    window = datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 20, 17, 1, tzinfo=UTC)
    assert [row["id"] for row in kind.deleted(*window)["deletedRecords"]] == [one]
    assert kind.updated(*window)["ids"] == [two]


def test_it_knows_the_limits(client: Salesforce) -> None:
    assert client.limits()["DailyApiRequests"]["Max"] == 105_000
    assert client.api_usage["api-usage"].total == 105_000


def test_it_downloads_results_of_a_job(jobs: Any, org: Org, tmp_path: Path) -> None:
    org.sandbox.knobs.salesforce_job_polls = 0
    pages = list(jobs.query_all(CONTACTS, max_records=25, wait=0.01))
    rows = [row for page in pages for row in csv.DictReader(page.splitlines(keepends=True))]
    assert len(pages) == 3
    assert sorted(row["Id"] for row in rows) == org.world.ids("Contact")
    files = jobs.download(CONTACTS, path=str(tmp_path), max_records=40, wait=0.01)
    assert [int(one["number_of_records"]) for one in files] == [40, 20]
    assert len(list(tmp_path.iterdir())) == 2


def test_it_says_that_a_job_failed(jobs: Any, org: Org) -> None:
    org.sandbox.knobs.salesforce_jobs_fail = "InternalServerError : Retried 15 times"
    with pytest.raises(SalesforceOperationError, match="Retried 15 times"):
        list(jobs.query(CONTACTS, wait=0.01))
    org.sandbox.knobs.salesforce_jobs_fail = ""
    with pytest.raises(SalesforceMalformedRequest, match="compound"):
        list(jobs.query("SELECT MailingAddress FROM Contact", wait=0.01))


def test_it_takes_refusals_for_what_they_are(client: Salesforce, org: Org) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="MALFORMED_QUERY"):
        client.query("SELECT Id FROM")
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Nme'"):
        client.query("SELECT Nme FROM Contact")
    org.sandbox.faults.add("/limits", status=503)
    with pytest.raises(SalesforceGeneralError, match="503"):
        client.limits()
    org.crm.operate("end_sessions", {})
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        client.query(CONTACTS)


def test_it_logs_in_with_credentials_or_a_key(org: Org, session: requests.Session) -> None:
    org.sandbox.clock.reset()  # It takes the machine's time for its assertions.
    id, secret = org.client.values()
    key = org.crm.signed_env(org.sandbox.url)

    def read(token: str) -> int:
        client = Salesforce(instance_url=org.sandbox.url, session_id=token, session=session)
        return int(client.query("SELECT COUNT() FROM Contact")["totalSize"])

    token, _ = SalesforceLogin(
        session=session, consumer_key=id, consumer_secret=secret, domain="acme.my"
    )
    assert read(token) == 60
    token, _ = SalesforceLogin(
        session=session, username=key["SALESFORCE_USERNAME"], consumer_key=id,
        privatekey=key["SALESFORCE_PRIVATE_KEY"], domain="login",
    )  # fmt: skip
    assert read(token) == 60
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
        SalesforceLogin(session=session, consumer_key=id, consumer_secret="x", domain="acme.my")
