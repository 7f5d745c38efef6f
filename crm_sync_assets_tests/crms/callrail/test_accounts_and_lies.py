"""Accounts that come and go, lists that say too little, pages of another size."""

from __future__ import annotations

import pytest

from crm_sync_assets.errors import SyncError
from crm_sync_assets_tests.crms.callrail.conftest import Bench


@pytest.mark.parametrize("name", ["calls", "form_submissions", "text_messages"])
def test_account_appears_while_a_sync_is_interrupted(bench: Bench, name: str) -> None:
    first, second = sorted(bench.world.ids("accounts"))
    bench.sandbox.knobs.callrail_hidden_accounts = {first}
    bench.configure(max_attempts=1)
    bench.sync(name)
    bench.pass_time(3_600)
    bench.connect()
    path = {"text_messages": "text-messages"}.get(name, name)
    bench.sandbox.faults.add(f"{second}/{path}.json", on=2, status=422)
    with pytest.raises(SyncError):
        bench.sync(name)
    bench.sandbox.faults.clear()
    bench.sandbox.knobs.callrail_hidden_accounts = set()
    bench.connect()
    told = bench.sync(name)
    assert told.resumed
    assert told.status == "success"
    for _ in range(2):
        bench.pass_time(3_600)
        bench.connect()
        assert bench.sync(name).status == "success"
    assert bench.wrong(name) == []


@pytest.mark.parametrize("name", ["tags", "users"])
def test_force_without_an_account_keeps_its_rows(bench: Bench, name: str) -> None:
    first, _ = sorted(bench.world.ids("accounts"))
    bench.sync(name)
    bench.sandbox.knobs.callrail_hidden_accounts = {first}
    bench.connect()
    with pytest.raises(SyncError):
        bench.sync(name)
    told = bench.sync(name, force=True)
    assert told.counts.deleted == 0, "it was promised to go on without the account"


def test_page_size_between_attempts(bench: Bench) -> None:
    bench.sandbox.knobs.callrail_no_totals = True
    bench.configure(max_attempts=1, page_size=2)
    first, _ = sorted(bench.world.ids("accounts"))
    bench.sandbox.faults.add(f"{first}/users.json", on=4, status=422)
    with pytest.raises(SyncError):
        bench.sync("users")
    bench.sandbox.faults.clear()
    told = bench.sync("users", batch_size=4)
    assert told.resumed
    assert told.status == "success"
    assert bench.wrong("users") == []


def test_a_conversation_with_an_empty_list_of_messages(bench: Bench) -> None:
    import json

    def none(body: bytes) -> bytes:
        page = json.loads(body)
        page["messages"] = []
        return json.dumps(page).encode()

    bench.sandbox.faults.add(r"text-messages/.*json", on=1, rewrite=none)
    told = bench.sync("text_messages")
    assert told.status != "success" or bench.wrong("text_messages") == []


def test_the_variable_is_widened_while_a_sync_is_interrupted(bench: Bench) -> None:
    _, second = sorted(bench.world.ids("accounts"))
    bench.environment.setenv("CALLRAIL_ACCOUNT_IDS", second)
    bench.configure(max_attempts=1)
    bench.sandbox.faults.add(f"{second}/calls.json", on=2, status=422)
    with pytest.raises(SyncError):
        bench.sync("calls")
    bench.sandbox.faults.clear()
    bench.environment.delenv("CALLRAIL_ACCOUNT_IDS")
    bench.connect()
    told = bench.sync("calls")
    assert told.status == "success"
    bench.pass_time(3_600)
    bench.connect()
    bench.sync("calls")
    assert bench.wrong("calls") == []


def test_each_without_a_path(bench: Bench) -> None:
    from crm_sync_assets.clients.rest.source import Each

    each = Each("account", only="CALLRAIL_ACCOUNT_IDS")
    _, second = sorted(bench.world.ids("accounts"))
    bench.environment.setenv("CALLRAIL_ACCOUNT_IDS", f"{second}")
    bench.connect()
    from dataclasses import replace

    from crm_sync_assets.declarations import registry

    entity = registry.entity("callrail.tags")
    entity = replace(entity, source=replace(entity.source, each=each))
    assert bench.pages(entity)
