"""Accounts that come and go, lists that say too little, pages of another size."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from crm_sync_assets.clients.rest.source import Each
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import Incomplete, SyncError
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.callrail.conftest import CRM, Bench

ACCOUNTS = "CALLRAIL_ACCOUNT_IDS"


def interrupted(bench: Bench, name: str, path: str, page: int) -> None:
    """A sync that fails at this page of a list."""
    bench.sandbox.faults.add(f"{path}.json", on=page, status=422)
    with pytest.raises(SyncError):
        bench.sync(name)
    bench.sandbox.faults.clear()


def an_hour_later(bench: Bench, name: str) -> None:
    bench.pass_time(3_600)
    bench.connect()
    assert bench.sync(name).status == "success"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("calls", "calls"),
        ("form_submissions", "form_submissions"),
        ("text_messages", "text-messages"),
    ],
)
def test_an_account_appears_while_a_sync_is_interrupted(bench: Bench, name: str, path: str) -> None:
    first, second = sorted(bench.world.ids("accounts"))
    bench.sandbox.knobs.callrail_hidden_accounts = {first}
    bench.configure(max_attempts=1)
    bench.sync(name)
    bench.pass_time(3_600)
    bench.connect()
    interrupted(bench, name, f"{second}/{path}", page=2)
    bench.sandbox.knobs.callrail_hidden_accounts = set()
    bench.connect()
    told = bench.sync(name)
    assert (told.resumed, told.status) == (True, "success")
    an_hour_later(bench, name)
    assert bench.wrong(name) == []


def test_more_accounts_are_named_while_a_sync_is_interrupted(bench: Bench) -> None:
    _, second = sorted(bench.world.ids("accounts"))
    bench.environment.setenv(ACCOUNTS, second)
    bench.configure(max_attempts=1)
    interrupted(bench, "calls", f"{second}/calls", page=2)
    bench.environment.delenv(ACCOUNTS)
    bench.connect()
    assert bench.sync("calls").status == "success"
    an_hour_later(bench, "calls")
    assert bench.wrong("calls") == []


@pytest.mark.parametrize("name", ["tags", "users"])
def test_force_goes_on_without_an_account_and_keeps_its_rows(bench: Bench, name: str) -> None:
    first, _ = sorted(bench.world.ids("accounts"))
    bench.sync(name)
    bench.sandbox.knobs.callrail_hidden_accounts = {first}
    bench.connect()
    with pytest.raises(Incomplete, match=rf"{first} was read at the last sync.*{ACCOUNTS}"):
        bench.sync(name)
    assert bench.sync(name, force=True).counts.deleted == 0


@pytest.mark.parametrize("name", ["tags", "users"])
def test_a_repair_takes_no_row_of_an_account_that_is_not_shown_for_gone(
    bench: Bench, name: str
) -> None:
    first, _ = sorted(bench.world.ids("accounts"))
    bench.sync(name)
    bench.sandbox.knobs.callrail_hidden_accounts = {first}
    bench.connect()
    entity = replace(registry.entity(f"callrail.{name}"), vanish_limit=1.0)
    with pytest.raises(Incomplete, match=f"{first} was read at the last sync"):
        verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert all(row["deleted_at"] is None for row in bench.rows(name).values())


def test_accounts_may_be_what_a_variable_lists(bench: Bench) -> None:
    _, second = sorted(bench.world.ids("accounts"))
    bench.environment.setenv(ACCOUNTS, second)
    bench.connect()
    tags = registry.entity("callrail.tags")
    named = replace(tags.source, each=Each("account", only=ACCOUNTS))  # type: ignore[type-var]
    assert bench.pages(replace(tags, source=named))
    assert not any("/a.json" in entry.path for entry in bench.sandbox.ledger.entries)


def test_pages_without_totals_are_resumed_in_the_size_they_were_begun_in(bench: Bench) -> None:
    bench.sandbox.knobs.callrail_no_totals = True
    bench.configure(max_attempts=1, page_size=2)
    first, _ = sorted(bench.world.ids("accounts"))
    interrupted(bench, "users", f"{first}/users", page=4)
    told = bench.sync("users", batch_size=4)
    assert (told.resumed, told.status) == (True, "success")
    assert bench.wrong("users") == []


def test_a_conversation_that_comes_without_its_messages_is_no_success(bench: Bench) -> None:
    def none(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "messages": []}).encode()

    bench.sandbox.faults.add(r"text-messages/.*json", on=1, rewrite=none)
    assert bench.sync("text_messages").status == "partial"
