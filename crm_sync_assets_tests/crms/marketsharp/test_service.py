"""MarketSharp's service: how requests are signed, what passes, how properties are spelled."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_plus

import pytest

from crm_sync_assets.cli.sync import _asked_for, parser
from crm_sync_assets.crms.marketsharp.signing import authorization, decoded
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import (
    BadRequest,
    FatalError,
    Refused,
    TransientError,
    Unauthorized,
    Unknown,
    UsageError,
)
from crm_sync_assets_tests.crms.marketsharp.conftest import CRM, DAY, ENTITIES, Bench

COMPANY, KEY = "1234", "11112222-3333-4444-5555-666677778888"
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def test_a_request_is_signed_as_the_vendor_signs_it() -> None:
    assert authorization(COMPANY, KEY, decoded(SECRET), 1712927564) == (
        "1234:11112222-3333-4444-5555-666677778888:1712927564:"
        "zFpmUtmIif0GPilcBBN2soKZl9+wJ+vjoqMOEmulcZk="
    )


def test_each_try_is_signed_for_its_own_second(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the one after a refusal, which may have been about the second."""
    bench.client.check()
    now = time.time()
    seconds = iter([now - 4_000, *[now] * 50])
    # Of that module alone: whoever else looks at the clock must take no second away.
    clock = SimpleNamespace(time=lambda: next(seconds))
    monkeypatch.setattr("crm_sync_assets.crms.marketsharp.signing.time", clock)
    bench.sandbox.ledger.reset()
    assert bench.sync("companies").status == "success"
    assert [one.status for one in bench.asked()][:2] == [401, 200]


def test_a_clock_that_is_wrong_is_an_error_of_credentials(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_skew = 400
    with pytest.raises(Unauthorized, match="MARKETSHARP_SECRET_KEY"):
        bench.sync("companies")
    assert len(bench.asked()) >= 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MARKETSHARP_SECRET_KEY", "not base64!"),
        ("MARKETSHARP_COMPANY_ID", "Acme"),
        ("MARKETSHARP_TIME_ZONE", "Eastern"),
    ],
)
def test_a_setting_that_cannot_be_is_named_before_anything_is_asked(
    bench: Bench, name: str, value: str
) -> None:
    bench.environment.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        bench.connect()


# What passes


@pytest.mark.parametrize("status", [400, 404, 503])
def test_what_comes_and_goes_is_asked_for_again_after_ten_seconds(
    bench: Bench, status: int
) -> None:
    bench.sandbox.faults.add(r"/Contacts\?", [1, 2, 3, 5], status=status)
    told = bench.sync("contacts", batch_size=20)
    assert told.status == "success"
    assert bench.wrong("contacts") == []
    assert len([wait for wait in bench.waits if wait >= 10]) == 4


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequest), (404, Unknown), (503, TransientError)]
)
def test_what_stays_is_believed_after_several_tries(
    bench: Bench, status: int, error: type[FatalError]
) -> None:
    bench.sync("contacts")
    bench.sandbox.faults.add(r"/Contacts\?", "all", status=status)
    bench.sandbox.ledger.reset()
    with pytest.raises(error, match="given up after 7 failures"):
        bench.sync("contacts", full=True)
    assert len(bench.asked("Contacts")) == 7
    assert bench.rows("contacts")
    assert not any(row["deleted_at"] for row in bench.rows("contacts").values())


def test_requests_go_one_at_a_time(bench: Bench) -> None:
    """Also of several entities at the same time."""
    bench.sandbox.knobs.marketsharp_at_once = 1
    bench.sandbox.knobs.latency = 0.05
    names = ("contacts", "jobs", "activities", "custom_fields")
    with ThreadPoolExecutor(len(names)) as threads:
        read = list(threads.map(lambda name: bench.pages(bench.entity(name)), names))
    assert all(read)
    assert bench.sandbox.ledger.most_at_once["marketsharp"] == 1
    assert bench.sandbox.ledger.statuses[503] == 0


# Spelling


@pytest.mark.parametrize("plain", [False, True], ids=["misspelt", "as it should be"])
@pytest.mark.parametrize("name", ["addresses", "jobs", "contacts", "appointments"])
def test_properties_are_found_however_they_are_spelled(
    bench: Bench, name: str, plain: bool
) -> None:
    bench.sandbox.knobs.marketsharp_plain_names = plain
    bench.sync(name)
    assert bench.wrong(name) == []
    rows = bench.rows(name).values()
    for column in {"addresses": ["county"], "jobs": ["address_line2"]}.get(name, []):
        assert any(row[column] for row in rows)


def test_a_service_that_hides_its_schema_is_asked_with_the_declared_names(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.sandbox.knobs.marketsharp_hides_schema = True
    told = bench.sync("contacts")
    assert told.status == "success"
    assert bench.wrong("contacts") == []
    assert caplog.text.count("asking with the names that are declared") == 1


def test_a_column_whose_property_is_gone_keeps_what_it_had(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.sync("contacts")
    before = {key: row["first_name"] for key, row in bench.rows("contacts").items()}
    bench.sandbox.faults.add(
        "metadata", "all", rewrite=lambda body: body.replace(b'"firstName"', b'"givenName"')
    )
    bench.sandbox.faults.add(
        "/Contacts", "all", rewrite=lambda body: body.replace(b"d:firstName", b"d:givenName")
    )
    bench.pass_time(60)
    for one in bench.world.ids("Contacts"):
        bench.world.edit("Contacts", one, {"reference": "new"})
    told = bench.sync("contacts", full=True)
    assert told.counts.updated == len(before)
    assert {key: row["first_name"] for key, row in bench.rows("contacts").items()} == before
    assert "no property for first_name" in caplog.text
    # What changed meanwhile is so once it is there again, and is read once.
    one, *_ = before
    bench.world.edit("Contacts", one, {"firstName": None})
    bench.pass_time(3 * DAY)
    bench.sync("contacts")
    bench.pass_time(3 * DAY)
    bench.sandbox.faults.clear()
    told = bench.sync("contacts")
    assert (told.strategy.name, bench.rows("contacts")[one]["first_name"]) == ("incremental", None)
    assert bench.wrong("contacts") == []
    bench.pass_time(3 * DAY)
    assert bench.sync("contacts").counts.processed == 0


def test_a_sync_that_is_resumed_once_a_property_is_back_has_it_everywhere(bench: Bench) -> None:
    bench.configure(page_size=9, load_rows=9, prefetch_pages=1)
    bench.sandbox.faults.add("/Contacts", "3-", status=500)
    for where, told, lie in (
        ("metadata", b'"firstName"', b'"givenName"'),
        ("/Contacts", b"d:firstName", b"d:givenName"),
    ):
        bench.sandbox.faults.add(
            where, "all", rewrite=lambda body, told=told, lie=lie: body.replace(told, lie)
        )
    with pytest.raises(TransientError):
        bench.sync("contacts", batch_size=9)
    assert bench.rows("contacts")
    bench.sandbox.faults.clear()
    bench.connect()
    assert bench.sync("contacts", batch_size=9).resumed
    assert bench.wrong("contacts") == []


def test_what_is_asked_for_is_spelled_as_the_schema_spells_it(bench: Bench) -> None:
    def respelled(body: bytes) -> bytes:
        return body.replace(b'"lastUpdate"', b'"LastUpdate"').replace(b'Name="id"', b'Name="ID"')

    bench.sandbox.faults.add("metadata", "all", rewrite=respelled)
    with pytest.raises(BadRequest):
        # The sandbox's own spelling has not changed, so it refuses what it was asked for.
        bench.sync("contacts")
    asked = unquote_plus(bench.asked("Contacts")[-1].query)
    assert "$orderby=LastUpdate asc,ID asc" in asked


# Values


@pytest.mark.parametrize("guid", [False, True], ids=["a number", "a GUID"])
def test_the_company_is_its_number_whatever_its_id_is(bench: Bench, guid: bool) -> None:
    bench.sandbox.knobs.marketsharp_guid_company = guid
    for name in ("companies", "contacts", "product_types", "activity_results"):
        bench.sync(name)
    assert set(bench.rows("companies")) == {"1234"}
    for name in ("contacts", "product_types", "activity_results"):
        assert {row["company_id"] for row in bench.rows(name).values()} == {1234}
    bench.sync("companies", full=True)
    assert bench.rows("companies")["1234"]["deleted_at"] is None


def test_companies_that_are_not_listed_once_are_asked_for_again(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_guid_company = True
    bench.sandbox.faults.add("/Companies", 1, lie="empty")
    bench.sync("product_types")
    assert len(bench.asked("/Companies")) == 2
    assert {row["company_id"] for row in bench.rows("product_types").values()} == {1234}


def test_a_company_that_is_never_listed_takes_no_number_from_stored_rows(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_guid_company = True
    bench.sync("product_types")
    bench.pass_time(DAY)
    bench.sandbox.faults.add("/Companies", "all", lie="empty")
    with pytest.raises(TransientError, match="without 9d1f0c55-1111"):
        bench.sync("product_types")
    assert {row["company_id"] for row in bench.rows("product_types").values()} == {1234}


def test_zeros_are_no_company_and_nobody_is_asked_for_its_number(bench: Bench) -> None:
    zeros = b"00000000-0000-0000-0000-000000000000"
    bench.sandbox.knobs.marketsharp_guid_company = True
    bench.sandbox.faults.add(
        "/ProductTypes",
        "all",
        rewrite=lambda body: body.replace(b"9d1f0c55-1111-4222-8333-444455556666", zeros),
    )
    told = bench.sync("product_types")
    assert (told.status, told.counts.failed) == ("success", 0)
    assert bench.asked("/Companies") == []
    assert {row["company_id"] for row in bench.rows("product_types").values()} == {None}


def test_a_company_id_that_is_neither_number_nor_guid_is_noted(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_guid_company = True
    bench.sandbox.faults.add(
        "/ProductTypes",
        "all",
        rewrite=lambda body: body.replace(b"9d1f0c55-1111-4222-8333-444455556666", b"ours"),
    )
    told = bench.sync("product_types")
    assert told.counts.warnings == len(bench.rows("product_types"))
    assert bench.asked("/Companies") == []


def test_characters_that_no_xml_has_cost_nothing_but_themselves(bench: Bench) -> None:
    notes = {
        "notes": 'a\x1fb \x00c & <d> "é☕" &#x1F; &amp; ]]>',
        "name": "\x0b",
    }
    one = bench.world.create("Activities", notes)
    bench.sync("activities")
    row = bench.rows("activities")[one]
    assert row["notes"] == 'ab c & <d> "é☕" &#x1F; &amp; ]]>'
    assert row["name"] is None
    assert bench.wrong("activities") == []


def test_zeros_are_no_guid_and_a_record_without_an_id_is_set_aside(bench: Bench) -> None:
    one, other = bench.world.ids("Activities")[:2]
    zeros = "00000000-0000-0000-0000-000000000000"
    bench.world.edit("Activities", one, {"contactId": zeros, "inquiryId": ""})
    bench.sandbox.faults.add(
        "/Activities", "all", rewrite=lambda body: body.replace(
            f">{other}</d:id>".encode(), f">{zeros}</d:id>".encode()
        ),
    )  # fmt: skip
    told = bench.sync("activities")
    assert (told.status, told.counts.failed) == ("partial", 1)
    assert told.counts.created == len(bench.world.ids("Activities")) - 1
    row = bench.rows("activities")[one]
    assert (row["contact_id"], row["inquiry_id"]) == (None, None)


def test_what_is_said_to_be_there_always_and_is_not_is_empty(bench: Bench) -> None:
    bench.sync("contacts")
    sources = {row["source"] for row in bench.rows("contacts").values()}
    assert "" in sources
    assert None not in sources


# From set to set


def test_a_contact_that_becomes_a_customer_moves_with_the_next_full_read(bench: Bench) -> None:
    kinds = ("contacts", "contact_types", "leads", "customers")
    for name in kinds:
        bench.sync(name)
    one = bench.world.ids_of("Leads")[0]
    bench.pass_time(DAY)
    bench.world.convert(one, "3")
    for name in kinds:
        assert bench.sync(name).status == "success"
        assert bench.wrong(name, deletions=False) == []
    assert bench.rows("customers")[one]["deleted_at"] is None
    assert bench.rows("leads")[one]["deleted_at"] is None, "a delta cannot see that"
    told = bench.sync("leads", full=True)
    assert told.counts.deleted == 1
    assert all(bench.wrong(name) == [] for name in kinds)
    bench.pass_time(60)
    bench.world.convert(one, "2")
    bench.sync("leads")
    assert bench.rows("leads")[one]["deleted_at"] is None


def test_more_than_half_of_the_leads_that_are_gone_at_once_are_not_believed(bench: Bench) -> None:
    bench.sync("leads")
    ids = bench.world.ids_of("Leads")
    for one in ids[: len(ids) * 2 // 3]:
        bench.world.convert(one, "3")
    with pytest.raises(Refused):
        bench.sync("leads", full=True)
    bench.sync("leads", full=True, force=True)
    assert bench.wrong("leads") == []


# By key


@pytest.mark.parametrize(
    "entity", [one for one in ENTITIES if one.sync_type != "companies"], ids=str
)
def test_records_are_asked_for_by_their_keys_or_are_gone(bench: Bench, entity: Entity) -> None:
    name = entity.sync_type
    if name == "contact_types":
        keys = [row["key"][0] for row in bench.world.truth("ContactTypes")]
    else:
        keys = [row["key"][0] for row in bench.world.truth(entity.source.path[1:])]
        keys = [k for k in keys if k in set(bench.world.ids_of(entity.source.path[1:]))]
    missing = "ca367725-5a17-4d9b-9a1e-000000000000" if "-" in keys[0] else "999"
    bench.sandbox.ledger.reset()
    pages = bench.by_key(entity, *keys[:25], missing)
    found = {record[entity.source.id] for page in pages for record in page.records}
    assert found == set(keys[:25])
    gone = [tombstone.key for page in pages for tombstone in page.tombstones]
    assert gone == [(missing,)]
    asked = [one for one in bench.asked() if "filter" in one.query]
    assert len(asked) == -(-(len(keys[:25]) + 1) // 20)


def test_keys_that_a_feed_is_cut_before_are_asked_for_again(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_page_cap = 9
    keys, missing = bench.world.ids("Contacts")[:19], "ca367725-5a17-4d9b-9a1e-000000000000"
    pages = bench.by_key(bench.entity("contacts"), missing, *keys)
    assert sorted(record["id"] for page in pages for record in page.records) == sorted(keys)
    gone = [tombstone.key for page in pages for tombstone in page.tombstones]
    assert gone == [(missing,)]


def test_a_feed_without_a_record_and_more_to_come_proves_nobody_gone(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_page_cap = 9
    bench.sandbox.faults.add("/Contacts.*filter", "all", lie="empty")
    with pytest.raises(TransientError, match="more to come"):
        bench.by_key(bench.entity("contacts"), *bench.world.ids("Contacts")[:19])


@pytest.mark.parametrize("cap", [1_000, 9])
def test_an_entry_without_its_key_proves_nobody_gone(bench: Bench, cap: int) -> None:
    bench.sandbox.knobs.marketsharp_page_cap = cap
    keys = bench.world.ids("Contacts")[:12]
    lost = keys[3]

    def nameless(body: bytes) -> bytes:
        return re.sub(rb"<d:id[^>]*>" + lost.encode() + rb"</d:id>", b"", body)

    bench.sandbox.faults.add("/Contacts.*filter", 1, rewrite=nameless)
    bench.sandbox.faults.add("/Contacts.*filter", "2-", lie="empty")
    missing = "ca367725-5a17-4d9b-9a1e-000000000000"
    pages = bench.by_key(bench.entity("contacts"), *keys, missing)
    assert [tombstone for page in pages for tombstone in page.tombstones] == []
    assert {(lost,), (missing,)} <= {key for page in pages for key in page.kept}


def test_a_page_that_hides_stored_records_deletes_none(bench: Bench) -> None:
    bench.sync("custom_fields")
    bench.sandbox.faults.add(r"/CustomFields\?.*orderby", 1, lie="short")
    told = bench.sync("custom_fields")
    assert told.counts.deleted == 0
    assert bench.wrong("custom_fields") == []


def test_a_server_that_cuts_pages_short_hides_nothing(bench: Bench) -> None:
    bench.sandbox.knobs.marketsharp_page_cap = 9
    for name in ("contacts", "custom_fields"):
        told = bench.sync(name)
        assert told.status == "success"
        assert bench.wrong(name) == []


def test_moments_that_are_shown_rounded_lose_nobody(bench: Bench) -> None:
    """What is shown as .127 is a third of a millisecond less, and is not at or after .127."""
    bench.sandbox.knobs.marketsharp_rounds = True
    world = bench.world
    for number, one in enumerate(world.ids("Contacts")):
        world.edit("Contacts", one, {}, at=f"2026-11-20T16:{number // 3:02d}:05.127+00:00")
    told = bench.sync("contacts", batch_size=10)
    assert told.counts.created == 60
    assert bench.wrong("contacts") == []


# Flags of old


def _named(words: list[str]) -> list[str]:
    return _asked_for(CRM, parser(CRM).parse(words))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--endpoint", "Contacts"], ["contacts"]),
        (["--endpoint=ActivityResults", "--concurrent"], ["activity_results"]),
        (["all", "--endpoint", "activity-results"], ["activity_results"]),
        (["contacts", "--endpoint", "contacts"], ["contacts"]),
        (["contacts", "jobs"], ["contacts", "jobs"]),
    ],
)
def test_one_set_may_be_named_by_the_flag_of_old(words: list[str], found: list[str]) -> None:
    assert _named(words) == found


def test_a_flag_that_names_another_set_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="do not name the same"):
        _named(["jobs", "--endpoint", "Contacts"])
    with pytest.raises(UsageError, match=r"endpoint is Jobs, and this is marketsharp\.contacts"):
        bench.sync("contacts", endpoint="Jobs")
    assert bench.history() == []
    told = bench.sync("contacts", endpoint="Contacts")
    assert told.strategy.moves_watermark


def test_concurrent_is_taken_and_changes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert bench.sync("companies", concurrent=True).status == "success"
        assert bench.sync("companies", concurrent=True).status == "success"
    assert caplog.text.count("REQUESTS_AT_ONCE") == 1


def test_the_doctor_says_who_answers_and_in_which_zone(bench: Bench) -> None:
    said = bench.client.check()
    assert said.endswith("/marketsharp answers; times are read as UTC")


def test_no_secret_is_in_a_log_or_an_error(
    bench: Bench, caplog: pytest.LogCaptureFixture, environment: Any
) -> None:
    secret = bench.sandbox.env()["MARKETSHARP_SECRET_KEY"]
    key = bench.sandbox.env()["MARKETSHARP_API_KEY"]
    bench.sandbox.faults.add("", "all", status=401, body=f"no {key} {secret}")
    with caplog.at_level("DEBUG"), pytest.raises(Unauthorized) as raised:
        bench.sync("companies")
    for hidden in (secret, key, key[:8]):
        assert hidden not in f"{raised.value} {caplog.text} {bench.history()}"
