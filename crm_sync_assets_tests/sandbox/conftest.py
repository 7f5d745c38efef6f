"""One running sandbox per module, as new before each test, and a client that talks to it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.sandbox.salesforce import Org

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)


class Api:
    """HubSpot's paths, spoken with the static token."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        token = sandbox.env()["HUBSPOT_TOKEN"]
        self.client = httpx.Client(
            base_url=sandbox.env()["HUBSPOT_BASE_URL"],
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            verify=False,  # plain HTTP: spares 60 ms of reading certificates
        )

    def get(self, path: str, **params: object) -> httpx.Response:
        return self.client.get(path, params={k: str(v) for k, v in params.items()})

    def post(self, path: str, body: object) -> httpx.Response:
        return self.client.post(path, json=body)

    def walk(self, path: str, **params: object) -> list[dict]:
        """All records of a list, page by page."""
        found, after = [], {}
        for _ in range(10_000):
            page = self.get(path, **params, **after).raise_for_status().json()
            found += page["results"]
            if "paging" not in page:
                return found
            after = {"after": page["paging"]["next"]["after"]}
        raise AssertionError("no end")

    def search(self, kind: str, *filters: tuple, **more: object) -> dict:
        """One page of a search; a filter is (name, operator, value[, highValue])."""
        keys = ("propertyName", "operator", "value", "highValue")
        group = [dict(zip(keys, one, strict=False)) for one in filters]
        body = {"filterGroups": [{"filters": group}] if group else [], **more}
        return self.post(f"/crm/v3/objects/{kind}/search", body).raise_for_status().json()

    def sweep(self, kind: str, *filters: tuple, **more: object) -> list[dict]:
        """All results of a search, by key."""
        found, last = [], "0"
        by_id = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        while page := self.search(
            kind, *filters, ("hs_object_id", "GT", last), sorts=by_id, limit=200, **more
        )["results"]:
            found += page
            last = page[-1]["id"]
        return found


@pytest.fixture(scope="module")
def _running(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A module of another CRM says in `PLAYED` what there is of it; there is little else then."""
    played = getattr(request.module, "PLAYED", None)
    little = {"seed": 5, "contacts": 1, "zipcodes": 1}
    options = {"seed": 7, "contacts": 230} if played is None else {**little, **played}
    with Sandbox(**options) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: Sandbox, request: pytest.FixtureRequest) -> Sandbox:
    """As in the beginning; for such a module its clock stands at noon."""
    _running.reset()
    if hasattr(request.module, "PLAYED"):
        _running.clock.freeze(NOON)
    return _running


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    with api.client:
        yield api


@pytest.fixture
def org(sandbox: Sandbox) -> Iterator[Org]:
    """Salesforce, asked in a session."""
    org = Org(sandbox)
    yield org
    org.http.close()
