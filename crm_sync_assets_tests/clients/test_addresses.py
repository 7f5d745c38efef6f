"""One address, however it is written; what is none is refused by its variable's name."""

from __future__ import annotations

import pytest

from crm_sync_assets.clients.addresses import base_url
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import environment

DEFAULT = "https://api.hubapi.com"


def written(given: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HUBSPOT_BASE_URL", given)
    return base_url(environment(), "HUBSPOT_BASE_URL", DEFAULT)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  ",
        "api.hubapi.com",
        "https://api.hubapi.com/",
        " https://api.hubapi.com/ ",
        "https://api.hubapi.com\r\n",
        "\ufeffhttps://api.hubapi.com",
        '"https://api.hubapi.com"',
        "HTTPS://API.hubapi.com",
        "https://api.hubapi.com///",
    ],
    ids=repr,
)
def test_one_address_has_one_spelling(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate budget and the OAuth token are kept under it."""
    assert written(given, monkeypatch) == DEFAULT


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("ghe.example.com/api/v3/", "https://ghe.example.com/api/v3"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://127.0.0.1:8080/Hub", "http://127.0.0.1:8080/Hub"),
        ("localhost:8080", "https://localhost:8080"),
    ],
)
def test_paths_ports_and_ipv6_are_kept(
    given: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert written(given, monkeypatch) == address


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("ftp://api.hubapi.com", "begins with ftp://"),
        ("https://", "names no host"),
        ("htp:/api.hubapi.com", "has a colon where no port follows"),
        ("https:///crm", "names no host"),
        ("https://api hubapi com", "names no host"),
        ("https://api.hubapi.com:https", "is no address"),
        ("https://[::1", "is no address"),
        ("https://me:hunter2@api.hubapi.com", "holds a user name"),
        ("https://api.hubapi.com/?hapikey=hunter2", "has a query"),
    ],
)
def test_what_is_no_base_url_is_refused(
    given: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=f"HUBSPOT_BASE_URL {problem}") as caught:
        written(given, monkeypatch)
    assert "hunter2" not in str(caught.value)
