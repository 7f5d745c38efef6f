"""rotate-keys: the first encryption, a new key, and whatever comes between."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from psycopg import sql

from crm_sync_assets.clients.oauth import Grant, OAuth, TableStore
from crm_sync_assets.declarations.columns import date as day
from crm_sync_assets.declarations.columns import rest, text, timestamp
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.keyring import key_id
from crm_sync_assets.operations import encrypted_places, rotation
from crm_sync_assets.operations.rotation import outstanding, rotate
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.encrypted import (
    CLIENTS,
    ENCRYPTED,
    NEW,
    OLD,
    by_key,
    client,
    opened,
    plaintext,
    vault,
)
from crm_sync_assets_tests.scripted import SETTINGS, FakeClient, Script, rows, start, sync

STRICT = SyncSettings(mode="strict", load_rows=100, prefetch_pages=1)


def with_keys(warehouse: Warehouse, *keys: str) -> Warehouse:
    """The same database, seen by a process with other keys."""
    return Warehouse(warehouse.url, keys)


def fill(warehouse: Warehouse, count: int = 12) -> None:
    """Rows, one of them empty, an entry in quarantine and a token."""
    records = [client(number) for number in range(count)]
    empty = dict.fromkeys(("email", "note", "born", "worth", "shoe", "nickname"))
    records += [client(900, **empty), client(901, shoe="no number")]
    sync(warehouse, FakeClient(records), CLIENTS, STRICT)
    token(warehouse)


def token(warehouse: Warehouse) -> str:
    store = TableStore(warehouse.url, "account", "canary-r", warehouse.encryption_keys)
    return OAuth(lambda _: Grant("canary-a", 1_800, "canary-r1"), store, "REFRESH").token()


def under(warehouse: Warehouse) -> set[str]:
    """Ids of the keys that anything is encrypted under; what is not encrypted is 'plain'."""
    values = rows(warehouse, "SELECT payload FROM ingestion_quarantine")
    values += rows(warehouse, "SELECT unnest(ARRAY[access_token, refresh_token]) "
                              "FROM ingestion_oauth_token")  # fmt: skip
    for name in ENCRYPTED:
        one = f"SELECT {name}::text FROM test_clients WHERE {name} IS NOT NULL"  # noqa: S608
        values += rows(warehouse, one)
    return {text[:12] if text[12:19] == ":gAAAAA" else "plain" for (text,) in values}


@pytest.fixture
def stamps(warehouse: Warehouse) -> Any:
    return lambda: rows(
        warehouse,
        "SELECT id, name, sync_created_at, sync_updated_at FROM test_clients ORDER BY id",
    )


def test_plain_tables_are_encrypted_once(warehouse: Warehouse, stamps: Any) -> None:
    fill(warehouse)
    before = stamps()
    keyed = with_keys(warehouse, OLD)
    assert {p.name: p.left for p in outstanding(keyed, [CLIENTS]).places} == {
        "test_clients": 12,
        "ingestion_quarantine": 1,
        "ingestion_webhook_event": 0,
        "ingestion_oauth_token": 1,
    }
    assert rows(warehouse, "SELECT count(*) FROM ingestion_encryption_key") == [(0,)]
    assert plaintext(warehouse) != []
    done = rotate(keyed, [CLIENTS])
    assert {p.name: (p.encrypted, p.left) for p in done.places} == {
        "test_clients": (12, 0),
        "ingestion_quarantine": (1, 0),
        "ingestion_webhook_event": (0, 0),
        "ingestion_oauth_token": (1, 0),
    }
    assert (done.retired, done.in_use) == ([], [])
    assert plaintext(warehouse) == []
    assert stamps() == before
    assert by_key(keyed)["3"]["born"] == date(1931, 7, 4)
    assert str(by_key(keyed)["3"]["worth"]) == "918273.0030"
    assert by_key(keyed)["900"]["email"] is None
    again = sync(keyed, FakeClient([client(n) for n in range(12)]), CLIENTS)
    assert again.counts == Counts(processed=12, unchanged=12), "indexes are those of a sync"
    with warehouse.connection() as connection:
        [entry] = quarantine.entries(connection, vault=vault(keyed))
    assert entry.record["email"] == "canary901@example.com"
    assert token(keyed) == "canary-a"
    assert rotate(keyed, [CLIENTS]).places[0].encrypted == 0
    keyed.close()


def test_a_rotated_table_is_the_one_a_keyed_sync_would_have_made(warehouse: Warehouse) -> None:
    query = (
        "SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull FROM pg_attribute AS a "
        "WHERE a.attrelid = 'test_clients'::regclass AND a.attnum > 0 ORDER BY 1"
    )
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'test_clients'"
    sync(warehouse, FakeClient([client(1)]), CLIENTS)
    keyed = with_keys(warehouse, OLD)
    rotate(keyed, [CLIENTS])
    rotated = (rows(warehouse, query), sorted(rows(warehouse, indexes)))
    with warehouse.connection() as connection:
        connection.execute("DROP TABLE test_clients CASCADE")
        connection.commit()
    sync(keyed, FakeClient([client(1)]), CLIENTS)
    assert (rows(warehouse, query), sorted(rows(warehouse, indexes))) == rotated
    keyed.close()


def test_a_new_key_takes_over_and_the_old_one_is_retired(warehouse: Warehouse, stamps: Any) -> None:
    old = with_keys(warehouse, OLD)
    fill(old)
    before, values = stamps(), by_key(old)
    indexes = rows(warehouse, "SELECT id, email_bidx, other_bidx FROM test_clients ORDER BY id")
    both = with_keys(warehouse, NEW, OLD)
    assert by_key(both) == values
    done = rotate(both, [CLIENTS])
    assert (done.newest, done.retired, done.in_use) == (key_id(NEW), [key_id(OLD)], [])
    assert under(warehouse) == {key_id(NEW)}
    assert stamps() == before
    assert indexes == rows(
        warehouse, "SELECT id, email_bidx, other_bidx FROM test_clients ORDER BY id"
    )
    new = with_keys(warehouse, NEW)
    assert by_key(new) == values
    assert token(new) == "canary-a"
    repeated = sync(new, FakeClient([client(n) for n in range(12)]), CLIENTS)
    assert repeated.counts.unchanged == 12
    with pytest.raises(UsageError, match=f"under key {key_id(NEW)}"):
        start(old, FakeClient(), CLIENTS)
    for one in (old, both, new):
        one.close()


def test_both_keys_are_read_and_the_newest_writes(warehouse: Warehouse) -> None:
    old, both = with_keys(warehouse, OLD), with_keys(warehouse, NEW, OLD)
    fill(old)
    sync(both, FakeClient([client(3, at=60, note="canary again"), client(4)]), CLIENTS)
    assert under(warehouse) == {key_id(OLD), key_id(NEW)}
    assert by_key(both)["3"]["note"] == "canary again"
    [(kept,)] = rows(warehouse, "SELECT note FROM test_clients WHERE id = '4'")
    assert kept.startswith(key_id(OLD)), "an unchanged row is not rewritten"
    old.close()
    both.close()


def run(warehouse: Warehouse, keys: str, batches: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "crm_sync_assets_tests.end_to_end.rotating",
            warehouse.url, keys, str(batches),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["the first encryption", "a rotation"])
def test_a_rotation_killed_half_way_is_finished_by_the_next(
    warehouse: Warehouse, first: bool
) -> None:
    writer = warehouse if first else with_keys(warehouse, OLD)
    fill(writer, 40)
    keys = OLD if first else f"{NEW},{OLD}"
    killed = run(warehouse, keys, 4)
    assert killed.returncode == -9, killed.stderr
    keyed = with_keys(warehouse, *keys.split(","))
    left = outstanding(keyed, [CLIENTS]).places[0].left
    assert left == 40 - 3 * 5, "three batches are committed, the fourth is not"
    # Half done, everything can be read, searched and synced.
    assert by_key(keyed)["39"]["email"] == "canary39@example.com"
    for number in (0, 39):
        found = opened(keyed, where={"email": f"canary{number}@example.com"}, columns=["id"])
        assert found == (["id"], [[str(number)]])
    assert sync(keyed, FakeClient([client(n) for n in range(40)]), CLIENTS).status == "success"
    rerun = run(warehouse, keys)
    assert rerun.returncode == 0, rerun.stdout + rerun.stderr
    assert rerun.stdout.split()[1] == "0"
    assert under(warehouse) == {key_id(keys.split(",")[0])}
    assert plaintext(warehouse) == []
    assert by_key(keyed)["39"]["email"] == "canary39@example.com"
    writer.close()
    keyed.close()


def test_text_that_looks_encrypted_is_encrypted(warehouse: Warehouse) -> None:
    """Whoever writes a note at the source cannot talk the first encryption out of it."""
    hostile = f"{key_id(OLD)}:gAAAAAcanary"
    alone = dict.fromkeys(("email", "born", "worth", "shoe", "nickname"))
    sync(warehouse, FakeClient([client(1, note=hostile, **alone)]), CLIENTS)
    keyed = with_keys(warehouse, OLD)
    assert rotate(keyed, [CLIENTS]).places[0].encrypted == 1
    assert plaintext(warehouse) == []
    assert by_key(keyed)["1"]["note"] == hostile
    keyed.close()


def test_the_shadow_of_an_interrupted_replacement_is_rotated_and_resumed(
    warehouse: Warehouse,
) -> None:
    flags = {"full": True, "force": True}
    settings = SETTINGS.model_copy(update={"load_rows": 2})
    sync(warehouse, FakeClient([client(n) for n in range(9)]), CLIENTS)

    def die(start: int) -> None:
        if start >= 6:
            raise FatalError("the line went dead")

    records = [client(n, at=60, note=f"canary second {n}") for n in range(9)]
    broken = FakeClient(records, page_size=2, before_page=die)
    with pytest.raises(FatalError, match="went dead"):
        sync(warehouse, broken, CLIENTS, settings, **flags)
    keyed = with_keys(warehouse, OLD)
    [shadow, *_] = rotate(keyed, [CLIENTS]).places
    assert shadow.name.startswith("ingestion_shadow_")
    assert shadow.encrypted > 0
    assert plaintext(warehouse) == []
    # And under a second key, the first one is needed no more.
    both, new = with_keys(warehouse, NEW, OLD), with_keys(warehouse, NEW)
    assert rotate(both, [CLIENTS]).retired == [key_id(OLD)]
    broken.before_page = lambda _: None
    resumed = sync(new, broken, CLIENTS, settings, **flags)
    assert resumed.resumed
    assert resumed.counts == Counts(processed=9, updated=9)
    assert {row["note"] for row in by_key(new).values()} == {f"canary second {n}" for n in range(9)}
    for one in (keyed, both, new):
        one.close()


def test_syncs_go_on_while_keys_are_rotated(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits come in at every batch of the rotation; none is lost, and nothing stays behind."""
    monkeypatch.setattr(encrypted_places, "BATCH", 7)
    old = with_keys(warehouse, OLD)
    both = with_keys(warehouse, NEW, OLD)
    sync(old, FakeClient([client(n) for n in range(150)]), CLIENTS)
    statuses = []
    stop = threading.Event()

    def edit() -> None:
        turn = 0
        while not stop.is_set() or turn < 3:
            turn += 1
            records = [
                client(n, at=60 * turn, note=f"canary turn {turn}") for n in range(turn % 5, 150, 5)
            ]
            statuses.append(sync(both, FakeClient(records), CLIENTS).status)
            latest.update({record["id"]: record["note"] for record in records})

    latest: dict[str, str] = {}
    thread = threading.Thread(target=edit)
    thread.start()
    try:
        done = rotate(both, [CLIENTS])
    finally:
        stop.set()
        thread.join()
    assert done.left == 0
    assert done.retired == [key_id(OLD)]
    assert set(statuses) == {"success"}
    assert len(statuses) >= 3
    assert under(warehouse) == {key_id(NEW)}
    new = with_keys(warehouse, NEW)
    found = by_key(new)
    assert len(found) == 150
    assert {i: found[i]["note"] for i in latest} == latest
    for one in (old, both, new):
        one.close()


def test_retiring_a_key_waits_for_a_batch_and_stops_the_process_that_has_only_it(
    warehouse: Warehouse,
) -> None:
    """A long sync began under the old key; its next batch after the rotation is refused."""
    old, both = with_keys(warehouse, OLD), with_keys(warehouse, NEW, OLD)
    settings = SETTINGS.model_copy(update={"load_rows": 2})
    retired = []

    def meanwhile(start: int) -> None:
        if start == 10:
            retired.extend(rotate(both, [CLIENTS]).retired)

    source = FakeClient([client(n) for n in range(20)], page_size=2, before_page=meanwhile)
    with pytest.raises(FatalError, match=r"writes with the retired key .* restart it"):
        sync(old, source, CLIENTS, settings)
    assert retired == [key_id(OLD)]
    assert under(warehouse) == {key_id(NEW)}
    resumed = sync(both, FakeClient(source.records, page_size=2), CLIENTS, settings)
    assert len(by_key(both)) == 20
    assert resumed.status == "success"
    old.close()
    both.close()


def test_a_key_that_a_table_of_no_entity_needs_is_not_retired(warehouse: Warehouse) -> None:
    old, both = with_keys(warehouse, OLD), with_keys(warehouse, NEW, OLD)
    sync(old, FakeClient([client(1)]), CLIENTS)
    done = rotate(both, [])
    assert (done.retired, done.in_use) == ([], [key_id(OLD)])
    assert rotate(both, [CLIENTS]).retired == [key_id(OLD)]
    old.close()
    both.close()


def test_two_rotations_do_not_run_at_once(warehouse: Warehouse) -> None:
    keyed = with_keys(warehouse, OLD)
    with (
        rotation._alone(keyed),
        pytest.raises(FatalError, match=r"another `crm-sync rotate-keys`"),
    ):
        rotate(keyed, [CLIENTS])
    assert rotate(keyed, [CLIENTS]).left == 0
    keyed.close()


def test_an_index_of_somebody_else_is_not_dropped(warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([client(1)]), CLIENTS)
    with warehouse.connection() as connection:
        connection.execute("CREATE INDEX mine ON test_clients (lower(note))")
        connection.commit()
    keyed = with_keys(warehouse, OLD)
    with pytest.raises(FatalError, match="the index mine is on the sensitive column note"):
        rotate(keyed, [CLIENTS])
    assert len(plaintext(warehouse)) == 4, "nothing was changed"
    with warehouse.connection() as connection:
        connection.execute("DROP INDEX mine")
        connection.commit()
    assert rotate(keyed, [CLIENTS]).left == 0
    keyed.close()


def test_a_column_that_became_sensitive_is_encrypted(warehouse: Warehouse) -> None:
    keyed = with_keys(warehouse, OLD)
    before = replace(CLIENTS, columns=tuple(
        replace(column, sensitive=column.sensitive and column.name not in ("note", "born"))
        for column in CLIENTS.columns
    ))  # fmt: skip
    sync(keyed, FakeClient([client(1)]), before)
    rotate(keyed, [CLIENTS])
    assert plaintext(warehouse) == []
    again = sync(keyed, FakeClient([client(1)]), CLIENTS, full=True)
    assert again.counts == Counts(processed=1, unchanged=1)
    keyed.close()


PAIRED = Entity(
    "test.paired",
    about="A key of two parts, a default, and a reserved word.",
    source=Script(),
    columns=(
        text("left", key=True),
        text("id", key=True),
        day("order", sensitive=True, default=date(1931, 7, 1), at="born"),
        timestamp("modified"),
        rest("other", sensitive=True),
    ),
    table="test_paired",
    indexes=("order",),
)


def test_a_key_of_two_parts_is_gone_through_to_its_end(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encrypted_places, "BATCH", 2)
    records = [client(n, left=f"{n % 3}'; --", born=None) for n in range(9)]
    sync(warehouse, FakeClient(records), PAIRED)
    keyed = with_keys(warehouse, OLD)
    done = rotate(keyed, [PAIRED])
    assert (done.places[0].encrypted, done.left) == (9, 0)
    assert plaintext(warehouse) == []
    assert sync(keyed, FakeClient(records), PAIRED, full=True).counts.unchanged == 9
    _, found = opened(keyed, PAIRED, columns=["id", "order"])
    assert sorted(found) == [[str(n), date(1931, 7, 1)] for n in range(9)]
    keyed.close()


def test_no_key_is_a_clear_error(warehouse: Warehouse) -> None:
    for action in (rotate, outstanding):
        with pytest.raises(UsageError, match="CRM_SYNC_ENCRYPTION_KEYS is not set"):
            action(warehouse, [CLIENTS])


def test_a_value_that_was_tampered_with_is_named_and_stays(warehouse: Warehouse) -> None:
    old, both = with_keys(warehouse, OLD), with_keys(warehouse, NEW, OLD)
    sync(old, FakeClient([client(n) for n in range(3)]), CLIENTS)
    with warehouse.connection() as connection:
        connection.execute(
            sql.SQL("UPDATE test_clients SET note = left(note, 50) || 'x' WHERE id = '1'")
        )
        connection.commit()
    with pytest.raises(FatalError, match="test_clients/note/1 cannot be opened: it was tampered"):
        rotate(both, [CLIENTS])
    assert rows(warehouse, "SELECT count(*) FROM ingestion_encryption_key") == [(2,)]
    old.close()
    both.close()
