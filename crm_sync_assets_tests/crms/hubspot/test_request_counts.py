"""How many requests a sync makes: what HubSpot's page sizes make unavoidable, and two more at most.

Real syncs through a real socket, with the default settings; the sandbox's ledger counts. `pages(n,
size)` requests are unavoidable for n records. Each test names what comes on top:

- the property definitions of an object, once per client and object: without them a property that
  the account does not have would be asked for in vain, and one that is new would be missed;
- the recycle bin: HubSpot shows deletions nowhere else, in pages of 100, and an empty bin is a
  request too. The bin is a listing of its own, so it has a page count of its own. Nobody counts
  what is in it, so its last page is asked for twice;
- the empty page that ends a search, which shows that nothing came in meanwhile;
- the search's count of what a full list should have contained, after it, and before it too where
  the list has several pages;
- owners, pipelines and stages once more: they are few, and nobody counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crm_sync_assets.crms.hubspot import changes
from crm_sync_assets.crms.hubspot.sources import Associations, Objects
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.orchestration.launch import launch, plan
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.runs import instance_in
from crm_sync_assets_tests.truth import HubSpotSyncs

CONTACTS = 1_250
LIST, SEARCH, BATCH, PAIRS, OWNERS = 100, 200, 100, 1_000, 100
"""The largest pages HubSpot documents."""


def pages(records: int, size: int) -> int:
    """Requests that so many records take."""
    return -(-records // size)


@pytest.fixture
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    others = {"appointments": 210, "deals": 320, "companies": 100, "tickets": 130}
    with Sandbox(seed=5, contacts=CONTACTS, counts=others, zipcodes=60) as sandbox:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
        yield sandbox


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


class Counted:
    """Requests since this was made, by what they asked for."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._before = len(sandbox.ledger.entries)

    @property
    def by_kind(self) -> Counter[str]:
        """Without those for the account, which the links of odd records need once per client."""
        found = self._all()
        del found["account-info"]
        return found

    @property
    def of_account(self) -> int:
        return self._all()["account-info"]

    def _all(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for entry in list(self._sandbox.ledger.entries)[self._before :]:
            path = entry.path.removeprefix("/hubspot")
            parts = path.strip("/").split("/")
            if path.endswith("/search"):
                kind = "search"
            elif path.endswith("/batch/read"):
                kind = "pairs" if "associations" in path else "batch"
            elif "/properties/" in path:
                kind = "properties"
            elif "/objects/" in path:
                bin_or_list = "bin" if "archived=true" in entry.query else "list"
                kind = bin_or_list if len(parts) == 4 else "record"
            else:
                kind = next(
                    (one for one in ("owners", "pipelines", "account-info") if one in path), path
                )
            found[kind] += 1
        return found


def bin_of(sandbox: Sandbox, kind: str) -> int:
    """Requests that the recycle bin takes."""
    return max(1, pages(len(sandbox.hubspot.ids(kind, "archived")), LIST)) + 1


def counts_of(live: int, size: int = LIST) -> int:
    """Searches that count a list of so many records."""
    return 2 if live > size else 1


def type_of(name: str) -> str:
    source = registry.entity(f"hubspot.{name}").source
    assert isinstance(source, Objects)
    return source.type


# -- everything --------------------------------------------------------------------------------


def test_a_full_read_of_each_entity_makes_no_request_too_many(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """And what one client looks up, it looks up once for all of them."""
    whole = Counted(sandbox)
    for entity in registry.entities("hubspot"):
        counted = Counted(sandbox)
        sync = hubspot.sync(entity.sync_type, full=True)
        found, source = counted.by_kind, entity.source
        if isinstance(source, Objects):
            live = len(sandbox.hubspot.ids(source.type))
            assert found == {
                "properties": 1,
                "list": max(1, pages(live, LIST)),
                "bin": bin_of(sandbox, source.type),
                "search": counts_of(live),
            }, entity
        elif isinstance(source, Associations):
            # Every record of one side is asked for: nothing on top, not even at the end.
            assert found == {"pairs": pages(len(sandbox.hubspot.ids(source.of)), PAIRS)}, entity
        elif entity.tombstones_of:
            kind = "contacts" if entity.sync_type == "contacts_removal" else "appointments"
            assert found == {"batch": pages(len(sandbox.hubspot.ids(kind)), BATCH)}, entity
        elif entity.sync_type == "owners":
            # Those who left are a list of their own.
            assert found == {"owners": 2 * (pages(10, OWNERS) + pages(2, OWNERS))}
        elif entity.sync_type in ("pipelines", "pipeline_stages"):
            # One request per type of object that has pipelines, and no pages.
            assert found == {"pipelines": 2 * 3}, entity
        else:
            assert sum(found.values()) == 1, f"{entity}: the file, and nothing else"
        assert sum(found.values()) <= sync.usage.api_calls
    kinds = {type_of(e.sync_type) for e in registry.entities("hubspot") if _is_object(e.source)}
    assert whole.by_kind["properties"] == len(kinds)
    assert whole.of_account == 1


def _is_object(source: object) -> bool:
    return isinstance(source, Objects)


def test_an_explicit_batch_size_is_what_it_says(sandbox: Sandbox, hubspot: HubSpotSyncs) -> None:
    hubspot.sync("deals")
    live = len(sandbox.hubspot.ids("deals"))
    counted = Counted(sandbox)
    hubspot.sync("deals", full=True, batch_size=40)
    assert counted.by_kind["list"] == pages(live, 40)
    hubspot.sync("associations_deal_company", batch_size=50)
    assert counted.by_kind["pairs"] == pages(live, 50)


def test_records_with_many_links_cost_what_their_pages_cost(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """500 links come with the record; who has more is asked for again, all of them together."""
    first, second = sandbox.hubspot.ids("deals")[:2]
    for company in sandbox.hubspot.ids("companies")[:90]:
        sandbox.hubspot.associate("deals", first, "companies", company)
        sandbox.hubspot.associate("deals", second, "companies", company)
    sandbox.knobs.association_page_size = 50
    hubspot.sync("deals")
    counted = Counted(sandbox)
    hubspot.sync("associations_deal_company")
    assert counted.by_kind["pairs"] == 1 + 1


# -- what changed --------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [0, 1, 200, 401])
def test_a_delta_asks_for_what_changed(
    sandbox: Sandbox, hubspot: HubSpotSyncs, changed: int
) -> None:
    hubspot.sync("contacts", batch_size=99)
    if changed:
        sandbox.hubspot.bulk_touch("contacts", count=changed)
    counted = Counted(sandbox)
    sync = hubspot.sync("contacts")
    assert sync.strategy.name == "incremental"
    assert counted.by_kind == Counter(
        search=pages(changed, SEARCH) + 1,  # the empty page that ends it
        bin=bin_of(sandbox, "contacts"),
    ), "the properties are known from the sync before"


def test_a_delta_of_a_fresh_process_looks_up_the_properties_once(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    hubspot.sync("deals")
    fresh, counted = HubSpotSyncs(), Counted(sandbox)
    try:
        fresh.sync("deals")
        fresh.sync("deals")
    finally:
        fresh.close()
    assert counted.by_kind == Counter(properties=1, search=2, bin=2 * bin_of(sandbox, "deals"))


def test_rows_held_as_deleted_are_asked_for_in_whole_batches(
    sandbox: Sandbox, hubspot: HubSpotSyncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are neither in the recycle bin nor live: each delta asks whether they came back.

    They lie scattered among those of the bin, and still fill their batches.
    """
    monkeypatch.setattr(changes, "KNOWN_AT_ONCE", 250)
    hubspot.sync("contacts")
    everyone = sandbox.hubspot.ids("contacts")
    for place, contact in enumerate(everyone):
        if place % 6:
            sandbox.hubspot.archive("contacts", contact)
    hubspot.sync("contacts")
    purged = [contact for place, contact in enumerate(everyone) if place % 6 == 1]
    for contact in purged:
        sandbox.hubspot.purge("contacts", contact)
    counted = Counted(sandbox)
    hubspot.sync("contacts")
    assert counted.by_kind["batch"] == pages(len(purged), BATCH)
    assert counted.by_kind["bin"] == bin_of(sandbox, "contacts")


def test_a_window_is_a_search_and_nothing_else(sandbox: Sandbox, hubspot: HubSpotSyncs) -> None:
    day = sandbox.clock.now() - timedelta(days=3)
    sandbox.hubspot.bulk_touch("deals", count=250, timestamp=day)
    hubspot.sync("deals", full=True)
    counted = Counted(sandbox)
    sync = hubspot.sync(
        "deals", start_date=f"{day:%Y-%m-%d}", end_date=f"{day + timedelta(days=1):%Y-%m-%d}"
    )
    assert sync.counts.processed >= 250
    assert counted.by_kind == Counter(search=pages(sync.counts.processed, SEARCH) + 1)


# -- verification --------------------------------------------------------------------------------


def verified(hubspot: HubSpotSyncs, name: str) -> None:
    entity = registry.entity(f"hubspot.{name}")
    verify(hubspot.warehouse, entity, hubspot.client, settings_for(hubspot.crm, entity))


def test_a_verification_is_the_list_and_whole_batches_of_what_differs(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    for name in ("contacts", "deals", "associations_deal_company"):
        hubspot.sync(name)
    live = len(sandbox.hubspot.ids("contacts"))
    counted = Counted(sandbox)
    verified(hubspot, "contacts")
    listed = Counter(list=pages(live, LIST), search=counts_of(live))
    assert counted.by_kind == listed, "no properties, no recycle bin"
    counted = Counted(sandbox)
    verified(hubspot, "associations_deal_company")
    assert counted.by_kind == Counter(pairs=pages(len(sandbox.hubspot.ids("deals")), PAIRS))
    with hubspot.warehouse.connection() as connection:
        connection.execute(
            "DELETE FROM hubspot_contact WHERE id IN (SELECT id FROM hubspot_contact LIMIT 250)"
        )
        connection.execute("DELETE FROM hubspot_deal_company_assoc")
        connection.commit()
    counted = Counted(sandbox)
    verified(hubspot, "contacts")
    assert counted.by_kind == listed + Counter(batch=pages(250, BATCH))
    counted = Counted(sandbox)
    verified(hubspot, "associations_deal_company")
    assert counted.by_kind == Counter(pairs=2), "all pairs, and then those that differ"


# -- long property lists -------------------------------------------------------------------------


def test_a_refused_address_costs_one_request_and_is_remembered(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """An address too long for HubSpot: the list gives ids alone, and each page is read by id."""
    sandbox.knobs.max_url = 1_500
    live = len(sandbox.hubspot.ids("contacts"))
    gone = len(sandbox.hubspot.ids("contacts", "archived"))
    counted = Counted(sandbox)
    hubspot.sync("contacts", full=True)
    expected = Counter(
        properties=1,
        list=1 + pages(live, LIST),
        bin=bin_of(sandbox, "contacts"),
        batch=pages(live, BATCH) + pages(gone, BATCH),
        search=counts_of(live),
    )
    assert counted.by_kind == expected
    again = Counted(sandbox)
    hubspot.sync("contacts", full=True)
    assert again.by_kind == expected - Counter(properties=1, list=1)


# -- one run -------------------------------------------------------------------------------------


def test_the_entities_of_a_run_share_one_client(
    sandbox: Sandbox, hubspot: HubSpotSyncs, tmp_path: Path
) -> None:
    """The account is asked for, for the links of odd records, once for all of them."""
    for kind, name in (("deals", "amount"), ("tickets", "closed_date")):
        for record in sandbox.hubspot.ids(kind)[:3]:
            sandbox.hubspot.edit(kind, record, {name: "nonsense"})
    entities = [registry.entity(f"hubspot.{name}") for name in ("deals", "tickets", "companies")]
    counted = Counted(sandbox)
    with instance_in(tmp_path) as instance:
        tasks = plan(hubspot.crm, entities, Flags())
        outcomes = launch(
            hubspot.crm, tasks, job=None, instance=instance, warehouse=hubspot.warehouse
        )
    assert {outcome.status for outcome in outcomes} <= {"success", "partial"}
    assert counted.of_account == 1
    assert counted.by_kind["properties"] == 3


def test_an_account_that_does_not_answer_is_not_asked_for_each_record(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    for deal in sandbox.hubspot.ids("deals")[:3]:
        sandbox.hubspot.edit("deals", deal, {"amount": "nonsense"})
    sandbox.faults.add(r"account-info", "all", status=403)
    counted = Counted(sandbox)
    hubspot.sync("deals")
    assert counted.of_account == 1
