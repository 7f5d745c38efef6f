"""How the company is reached: a token or an app, who answers, and where people look."""

from __future__ import annotations

import pytest

from crm_sync_assets.crms.pipedrive.api import API, api
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import FatalError, NotSet, Unauthorized
from crm_sync_assets.operations.opening import open_client
from crm_sync_assets.settings import environment as read_environment
from crm_sync_assets_tests.crms.pipedrive.conftest import Company

GIVEN = ("TOKEN", "COMPANY", "CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "OAUTH_URL", "BASE_URL")


@pytest.fixture
def by_app(company: Company) -> Company:
    """The environment of an app, without a company."""
    for name in GIVEN:
        company.environment.delenv(f"PIPEDRIVE_{name}", raising=False)
    for name, value in company.sandbox.crms["pipedrive"].env(company.sandbox.url, True).items():
        company.environment.setenv(name, value)
    company.connect()
    return company


def test_the_company_is_who_answers(company: Company) -> None:
    assert company.client.check().endswith("/pipedrive answers for Acme Roofing (777)")
    (meant,) = company.client.meaning(registry.entity("pipedrive.deals"))
    assert (meant.name, meant.value) == ("account", "777")


def test_an_app_s_requests_go_where_its_tokens_say(by_app: Company) -> None:
    by_app.sandbox.knobs.rotating_refresh_tokens = True
    by_app.sync("deals")
    by_app.sandbox.clock.advance(2 * 3_600)
    by_app.connect()
    by_app.sync("persons")
    assert by_app.wrong("deals", "persons") == []
    assert by_app.sandbox.ledger.count("/oauth/token", status=200) >= 1
    assert {entry.crm for entry in by_app.sandbox.ledger.entries} == {"pipedrive"}


def test_a_token_that_ended_is_renewed_once(by_app: Company) -> None:
    by_app.sync("users")
    by_app.sandbox.crms["pipedrive"].tokens._grants.clear()
    assert by_app.sync("stages").status == "success"
    assert by_app.sandbox.ledger.count("/oauth/token") == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [("REFRESH_TOKEN", "refresh_token is invalid"), ("CLIENT_SECRET", "client is invalid")],
)
def test_a_refused_grant_names_what_to_renew(by_app: Company, name: str, said: str) -> None:
    by_app.environment.setenv(f"PIPEDRIVE_{name}", "wrong-0123456789")
    by_app.connect()
    with pytest.raises(Unauthorized, match=said) as caught:
        by_app.sync("users")
    assert "PIPEDRIVE_REFRESH_TOKEN" in str(caught.value)


def test_without_a_company_it_is_the_app_that_is_asked(by_app: Company) -> None:
    assert api(read_environment()).base == "https://api.pipedrive.com"
    by_app.environment.setenv("PIPEDRIVE_COMPANY", "acme")
    assert api(read_environment()) is API


def test_a_token_needs_the_company_s_name(company: Company) -> None:
    company.environment.delenv("PIPEDRIVE_BASE_URL")
    company.environment.delenv("PIPEDRIVE_COMPANY")
    with pytest.raises(NotSet, match="PIPEDRIVE_COMPANY is not set: give what stands before"):
        open_client("pipedrive")
    company.environment.setenv("PIPEDRIVE_COMPANY", "acme")
    client = open_client("pipedrive")
    assert client._https[""].base_url == "https://acme.pipedrive.com"  # type: ignore[attr-defined]
    client.close()


def test_nothing_given_says_what_to_give(company: Company) -> None:
    for name in GIVEN[:5]:
        company.environment.delenv(f"PIPEDRIVE_{name}", raising=False)
    with pytest.raises(FatalError, match="PIPEDRIVE_TOKEN is not set: give the API token"):
        open_client("pipedrive")


URLS = {
    "deals": "https://acme.pipedrive.com/deal/7",
    "persons": "https://acme.pipedrive.com/person/7",
    "organizations": "https://acme.pipedrive.com/organization/7",
    "products": "https://acme.pipedrive.com/product/7",
    "leads": "https://acme.pipedrive.com/leads/inbox/7",
    "pipelines": "https://acme.pipedrive.com/pipeline/7",
    "users": "https://acme.pipedrive.com/settings/users",
    "activities": None,
    "notes": None,
    "stages": None,
}


@pytest.mark.parametrize("name", URLS)
def test_a_record_has_a_page_where_the_company_is_known(company: Company, name: str) -> None:
    entity = registry.entity(f"pipedrive.{name}")
    assert company.client.record_url(entity, ("7",)) == URLS[name]


def test_so_has_the_list_of_them(company: Company) -> None:
    persons, notes = map(registry.entity, ("pipedrive.persons", "pipedrive.notes"))
    assert company.client.list_url(persons) == "https://acme.pipedrive.com/persons/list"
    assert company.client.list_url(notes) is None


@pytest.mark.parametrize("name", URLS)
def test_and_none_where_it_is_not(by_app: Company, name: str) -> None:
    assert by_app.client.record_url(registry.entity(f"pipedrive.{name}"), ("7",)) is None
