"""Everything else the client reads, and how it gets on with an account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Read, Tombstone, Usage
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import Deferred, FatalError, Unauthorized, UsageError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import environment
from crm_sync_assets_tests.crms.hubspot.conftest import FULL, Reader, Stored, delta

MakeReader = Callable[..., Reader]


# -- associations ------------------------------------------------------------------------------


def pairs_of(sandbox: Sandbox, contacts: list[str]) -> set[tuple[str, str]]:
    return {
        (contact, other)
        for contact in contacts
        for other in sandbox.hubspot.associated("contacts", contact, "appointments")
    }


@pytest.mark.parametrize("page_size", [7, 100, 1_000])
def test_all_pairs_are_read_however_they_are_paged(
    sandbox: Sandbox, reader: MakeReader, page_size: int
) -> None:
    sandbox.knobs.association_page_size = 1
    contacts = sandbox.hubspot.ids("contacts")
    for appointment in sandbox.hubspot.ids("appointments")[:9]:
        sandbox.hubspot.associate("contacts", contacts[0], "appointments", appointment)
    read = reader()
    read.stored.live["hubspot_contact"] = set(contacts)
    records = read.read("associations_contact_appointment", page_size=page_size)
    found = [(r["contact_id"], r["appointment_id"]) for r in records]
    assert len(set(found)) == len(found)
    assert set(found) == pairs_of(sandbox, contacts)


def test_a_pair_that_was_undone_is_no_longer_read(sandbox: Sandbox, reader: MakeReader) -> None:
    contact = next(
        c
        for c in sandbox.hubspot.ids("contacts")
        if sandbox.hubspot.associated("contacts", c, "appointments")
    )
    (other, *_) = sandbox.hubspot.associated("contacts", contact, "appointments")
    sandbox.hubspot.dissociate("contacts", contact, "appointments", other)
    read = reader()
    read.stored.live["hubspot_contact"] = {contact, "1"}
    records = read.read("associations_contact_appointment")
    assert {"contact_id": contact, "appointment_id": other} not in records


def test_no_contacts_stored_means_no_pairs_and_a_word_about_it(
    reader: MakeReader, caplog: pytest.LogCaptureFixture
) -> None:
    assert reader().read("associations_contact_deal") == []
    assert "sync hubspot.contacts first" in caplog.text


def test_a_record_that_is_not_answered_for_fails(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.faults.add(
        r"associations/contacts/",
        "all",
        status=200,
        body='{"status":"COMPLETE","results":[]}',
        headers={"content-type": "application/json"},
    )
    read = reader()
    read.stored.live["hubspot_contact"] = set(sandbox.hubspot.ids("contacts")[:5])
    with pytest.raises(FatalError, match="short read: 5 of 5"):
        read.read("associations_contact_appointment")


# -- removal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("merged", ["absent", "survivor", "error"])
def test_only_what_hubspot_names_as_gone_is_removed(
    sandbox: Sandbox, reader: MakeReader, merged: str
) -> None:
    sandbox.knobs.merged_in_batch_read = merged
    portal = sandbox.hubspot
    stored = portal.ids("contacts")
    first, second, archived, purged = stored[10:14]
    survivor = portal.merge("contacts", first, second)
    portal.archive("contacts", archived)
    portal.purge("contacts", purged)
    read = reader()
    read.stored.live["hubspot_contact"] = set(stored)
    pages = list(read.pages("contacts_removal"))
    tombstones = {tombstone.key[0]: tombstone for page in pages for tombstone in page.tombstones}
    assert set(tombstones) == {first, second, archived, purged}
    assert tombstones[purged] == Tombstone((purged,))
    if merged == "absent":
        assert tombstones[first].merged_into == survivor
    assert sum(page.confirmed for page in pages) == len(stored) - 4
    assert not any(page.records for page in pages)


@pytest.mark.parametrize("status", [207, 404, 429, 500])
def test_an_odd_answer_removes_nobody(sandbox: Sandbox, reader: MakeReader, status: int) -> None:
    """The command this replaces took any answer but 200 for a hundred deleted contacts."""
    read = reader(budget_seconds=5)
    read.stored.live["hubspot_contact"] = set(sandbox.hubspot.ids("contacts"))
    sandbox.faults.add(r"POST .*contacts/batch/read", "all", status=status, body="internal")
    with pytest.raises(Exception, match=r"hubspot\.contacts_removal"):
        list(read.pages("contacts_removal"))


# -- owners, pipelines -------------------------------------------------------------------------


def test_owners_include_those_who_left(reader: MakeReader) -> None:
    owners = reader().read("owners", page_size=5)
    assert {owner["archived"] for owner in owners} == {False, True}
    assert len({owner["id"] for owner in owners}) == len(owners)


def test_owners_resume_in_both_phases(reader: MakeReader) -> None:
    pages = list(reader().pages("owners", page_size=4))
    for stop in range(1, len(pages)):
        later = list(reader().pages("owners", page_size=4, cursor=pages[stop - 1].cursor))
        assert [page.records for page in later] == [page.records for page in pages[stop:]]


def test_pipelines_and_stages_carry_what_makes_them_unique(reader: MakeReader) -> None:
    read = reader()
    pipelines = {(p["objectType"], p["id"]) for p in read.read("pipelines")}
    stages = read.read("pipeline_stages")
    assert {kind for kind, _ in pipelines} == {"deals", "tickets", "appointments"}
    assert {(s["objectType"], s["pipelineId"]) for s in stages} <= pipelines
    first = next(iter(read.pages("pipelines")))
    resumed = list(read.pages("pipelines", cursor=first.cursor))
    assert [page.records[0]["objectType"] for page in resumed] == ["tickets", "appointments"]


# -- the account -------------------------------------------------------------------------------


def test_the_check_names_the_account_and_asks_for_nothing_else(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    before = sandbox.ledger.count()
    assert reader().client.check() == "HubSpot account 123456 (STANDARD)"
    assert sandbox.ledger.count() == before + 1


def test_a_wrong_token_is_told_by_the_name_of_its_variable(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-wrong")
    with pytest.raises(Unauthorized, match="check HUBSPOT_TOKEN") as caught:
        reader().client.check()
    assert "pat-na1-wrong" not in str(caught.value)


def test_without_credentials_the_variables_are_named(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUBSPOT_TOKEN")
    with pytest.raises(UsageError, match=r"HUBSPOT_TOKEN is not set.*HUBSPOT_CLIENT_ID"):
        reader()


@pytest.mark.parametrize("rotating", [False, True])
def test_oauth_tokens_that_end_mid_run_are_replaced(
    sandbox: Sandbox,
    reader: MakeReader,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
    rotating: bool,
) -> None:
    sandbox.knobs.rotating_refresh_tokens = rotating
    monkeypatch.delenv("HUBSPOT_TOKEN")
    for name, value in sandbox.oauth_env().items():
        monkeypatch.setenv(name, value)
    sandbox.faults.add(r"GET .*objects/contacts", [2, 4], status=401)
    read = reader(database_url=database_url)
    assert len(read.read("contacts")) == len(sandbox.hubspot.ids("contacts")) + len(
        sandbox.hubspot.ids("contacts", "archived")
    )
    another = reader(database_url=database_url)
    assert another.read("deals")


def test_a_refresh_token_that_was_revoked_asks_for_a_new_authorisation(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUBSPOT_TOKEN")
    for name, value in (sandbox.oauth_env() | {"HUBSPOT_REFRESH_TOKEN": "na1-revoked"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Unauthorized, match="Authorise the app again") as caught:
        reader().read("contacts")
    assert "na1-revoked" not in str(caught.value)


def test_the_daily_limit_defers_until_the_account_s_midnight(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.faults.add(r"GET .*objects/deals", "all", status=429, body="daily")
    read = reader(budget_seconds=1)
    read.client.account()
    with pytest.raises(Deferred, match="daily limit") as caught:
        read.read("deals")
    assert caught.value.until <= datetime.now(UTC) + timedelta(hours=24)
    assert read.waits == []


def test_a_move_to_another_data_centre_defers(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.faults.add(r"GET .*objects/deals", "all", status=477, retry_after="10")
    with pytest.raises(Deferred, match="another data centre"):
        reader().read("deals")


def test_dated_paths_read_the_same(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = reader()
    old.stored.live["hubspot_contact"] = set(sandbox.hubspot.ids("contacts")[:20])
    monkeypatch.setenv("HUBSPOT_API_VERSION", "2026-09")
    new = reader()
    new.stored = old.stored
    since = delta(sandbox, days=100)
    for name in ("deals", "owners", "pipelines", "associations_contact_division"):
        assert new.read(name) == old.read(name)
    assert new.read("deals", since) == old.read("deals", since)
    assert any("/2026-09/" in entry.path for entry in sandbox.ledger.entries)


def test_an_unknown_version_is_refused(reader: MakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_API_VERSION", "v5")
    with pytest.raises(UsageError, match="HUBSPOT_API_VERSION"):
        reader()


@pytest.mark.parametrize(
    ("name", "key", "url"),
    [
        ("contacts", "7", "https://app.hubspot.com/contacts/123456/record/0-1/7"),
        ("appointments", "8", "https://app.hubspot.com/contacts/123456/record/0-421/8"),
        ("contacts_removal", "9", "https://app.hubspot.com/contacts/123456/record/0-1/9"),
        ("owners", "1", None),
        ("zipcodes", "01001", "https://github.com/example-home/Zipcodes/blob/main/zips.csv"),
    ],
)
def test_a_record_s_page(reader: MakeReader, name: str, key: str, url: str | None) -> None:
    assert reader().client.record_url(registry.entity(f"hubspot.{name}"), (key,)) == url


def test_the_list_of_them(reader: MakeReader) -> None:
    client = reader().client
    url = client.list_url(registry.entity("hubspot.contacts"))
    assert url == "https://app.hubspot.com/contacts/123456/objects/0-1/views/all/list"
    assert client.list_url(registry.entity("hubspot.owners")) is None


def test_no_link_is_no_failure(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.faults.add(r"account-info", "all", status=403)
    assert reader().client.record_url(registry.entity("hubspot.deals"), ("1",)) is None


def test_the_source_s_clock_is_told_after_the_first_answer(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    client = reader().client
    assert client.source_time() is None
    client.account()
    told = client.source_time()
    assert told is not None
    assert timedelta(0) <= sandbox.clock.now() - told < timedelta(seconds=4)


def test_clients_of_one_account_keep_within_its_limits(sandbox: Sandbox, database_url: str) -> None:
    """No 429 at all, though four of them search as fast as they may."""
    sandbox.knobs.turn({"limits": True, "search_limit": 5, "burst_limit": 30})
    settings = settings_for(registry.crm("hubspot")).model_copy(
        update={
            "rate_windows": (("burst", 30, 10.0), ("search", 5, 1.0), ("daily", 650_000, 86_400.0))
        }
    )
    since = Strategy("manual", since=sandbox.clock.now(), until=sandbox.clock.now())
    usages, failures = [Usage() for _ in range(4)], list[BaseException]()

    def run(usage: Usage) -> None:
        client = HubSpot(environment(), settings, database_url=database_url)
        try:
            for name in ("deals", "tickets", "companies"):
                entity = registry.entity(f"hubspot.{name}")
                list(client.pages(Read(entity, since, 100, Stored()), usage))
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=run, args=(usage,)) for usage in usages]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(usage.api_calls for usage in usages) == 24
    assert sum(usage.rate_limit_hits for usage in usages) == 0
    assert sum(usage.rate_limit_wait_seconds for usage in usages) > 0
    assert time.monotonic() - began < 20


# -- zip codes ---------------------------------------------------------------------------------


def zip_state(read: Reader) -> dict[str, object]:
    pages = list(read.pages("zipcodes", page_size=1_000))
    read.stored.live["hubspot_zipcode"] = {r["zipcode"] for p in pages for r in p.records}
    assert pages[-1].state is not None
    return dict(pages[-1].state)


def test_the_file_s_rows_are_read_and_its_state_remembered(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    read = reader()
    state = zip_state(read)
    assert read.stored.live["hubspot_zipcode"] == {row["zipcode"] for row in sandbox.github.truth()}
    assert state["zipcodes"] == 400
    assert len(str(state["sha"])) == 40


def test_an_unchanged_file_is_one_page_that_says_so(sandbox: Sandbox, reader: MakeReader) -> None:
    read = reader()
    state = zip_state(read)
    (page,) = read.pages("zipcodes", state=state)
    assert page.unchanged
    assert not page.records
    assert page.state == state
    forced = Strategy("full", overwrite=True)
    assert len(read.read("zipcodes", forced, state=state)) == 400
    read.stored.live["hubspot_zipcode"].pop()
    assert len(read.read("zipcodes", state=state)) == 400
    sandbox.github.put("99999", division="Baltimore")
    read.stored.live["hubspot_zipcode"] = {row["zipcode"] for row in sandbox.github.truth()}
    assert len(read.read("zipcodes", state=state)) == 401


@pytest.mark.parametrize(
    "knobs",
    [
        {"zip_bom": True},
        {"zip_crlf": True},
        {"zip_cp1252": True},
        {"zip_blank_lines": True},
        {"zip_bom": True, "zip_crlf": True, "zip_blank_lines": True},
    ],
    ids=str,
)
def test_the_file_s_make_does_not_matter(
    sandbox: Sandbox, reader: MakeReader, knobs: dict[str, bool]
) -> None:
    sandbox.knobs.turn(knobs)
    truth = [{k: v or None for k, v in row.items()} for row in sandbox.github.truth()]
    found = sorted(reader().read("zipcodes"), key=lambda row: str(row["zipcode"]))
    assert found == sorted(truth, key=lambda row: str(row["zipcode"]))


def test_lost_zeros_come_back_and_duplicates_are_told(
    sandbox: Sandbox, reader: MakeReader, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.github.replace(
        " Zip ,DIVISION,city\n1001,North,Agawam\n601,Isle,Adjuntas\n21230-1234,South,\n"
        ",South,Nowhere\n01001,West,Agawam\n"
    )
    rows = {row["zipcode"]: row for row in reader().read("zipcodes")}
    assert set(rows) == {"01001", "00601", "21230-1234"}
    assert rows["01001"]["division"] == "West"
    assert rows["21230-1234"]["city"] is None
    for words in ("2 zip codes had lost", "1 lines without", "come twice", "01001 (North, West)"):
        assert words in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>maintenance</html>", "no column zipcode or zip"),
        ("zipcode,city\n21230,Baltimore\n", "no column division"),
        ("version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ],
    ids=["html", "no division", "lfs"],
)
def test_a_file_that_is_not_the_file_is_refused(
    sandbox: Sandbox, reader: MakeReader, text: str, message: str
) -> None:
    sandbox.github.replace(text)
    with pytest.raises(FatalError, match=message):
        reader().read("zipcodes")


def test_a_reading_of_the_file_resumes_unless_it_changed(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    pages = list(reader().pages("zipcodes", page_size=150))
    resumed = list(reader().pages("zipcodes", page_size=150, cursor=pages[0].cursor))
    assert [len(page.records) for page in resumed] == [150, 100]
    sandbox.github.put("99999", division="Baltimore")
    afresh = list(reader().pages("zipcodes", FULL, page_size=150, cursor=pages[0].cursor))
    assert [len(page.records) for page in afresh] == [150, 150, 101]


def test_the_file_needs_to_know_its_owner(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZIPCODES_OWNER")
    with pytest.raises(UsageError, match="ZIPCODES_OWNER"):
        reader().read("zipcodes")
