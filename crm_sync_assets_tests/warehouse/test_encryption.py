"""Syncs with encryption keys: nothing readable is stored, and everything else stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from crm_sync_assets.clients.oauth import Grant, OAuth, TableStore
from crm_sync_assets.declarations.columns import email, phone, text
from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.keyring import key_id
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.tables import ensure_table
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
from crm_sync_assets_tests.scripted import (
    SETTINGS,
    FakeClient,
    Script,
    history,
    rows,
    start,
    sync,
)
from crm_sync_assets_tests.surroundings import copy_of


@pytest.fixture
def safe(database_url: str) -> Iterator[Warehouse]:
    """A warehouse with a key."""
    warehouse = Warehouse(database_url, [OLD])
    yield warehouse
    warehouse.close()


@pytest.fixture
def bare(server_url: str, template: str) -> Iterator[Warehouse]:
    """Another warehouse, without one."""
    with copy_of(server_url, template) as url:
        warehouse = Warehouse(url)
        yield warehouse
        warehouse.close()


def everyone(count: int = 12) -> list[dict[str, Any]]:
    return [client(number) for number in range(count)]


def test_no_table_shows_a_sensitive_value(safe: Warehouse, bare: Warehouse) -> None:
    for warehouse in (safe, bare):
        sync(warehouse, FakeClient(everyone()), CLIENTS)
    assert plaintext(safe) == []
    assert len(plaintext(bare)) == 4 * 12, "the search itself"
    assert len(plaintext(safe, "Person 3")) == 1, "what is not sensitive stays readable"


def test_values_come_back_as_what_they_were(safe: Warehouse) -> None:
    full = client(1)
    empty = client(2, email=None, note="", born=None, worth=None, shoe=None, nickname=None)
    sync(safe, FakeClient([full, empty]), CLIENTS)
    found = by_key(safe)
    assert [found["1"][name] for name in ENCRYPTED] == [
        "canary1@example.com",
        "canary note 1",
        date(1931, 7, 2),
        Decimal("918273.0010"),
        8_675_309_001,
        {"nickname": "canary nick 1"},
    ]
    assert str(found["1"]["worth"]) == "918273.0010"
    assert [found["2"][name] for name in ENCRYPTED] == [None] * 5 + [found["2"]["other"]]
    stored = rows(
        safe, "SELECT email, email_bidx, worth, worth_bidx FROM test_clients WHERE id = '2'"
    )
    assert stored == [(None, None, None, None)]


class Story:
    """Syncs of one warehouse, one after the other; `counts` has how each ended."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.counts: dict[str, Counts] = {}

    def sync(self, name: str, records: Any, tombstones: Any = (), **flags: Any) -> None:
        done = sync(self.warehouse, FakeClient(records, tombstones=tombstones), CLIENTS, **flags)
        self.counts[name] = done.counts

    def tell(self) -> dict[str, Counts]:
        records = everyone()
        self.sync("first", records)
        self.sync("the same again", records)
        self.sync("worth written otherwise", [client(3, worth="918273.00300000")])
        edited = [
            client(1, at=60, email="canary-new@example.com"),
            client(2, at=60, email=None, worth=None, nickname="canary other"),
            *records[3:],
        ]
        self.sync("a dry run of edits", edited, dry_run=True)
        self.sync("edits", edited)
        self.sync("an older version", [client(1, at=30, email="canary-old@example.com")])
        self.sync("a forced older version", [client(4, at=-30, shoe=41)], force=True)
        self.sync("a few", [client(20), client(21)], max_records=1)
        self.sync("removed", [], [Tombstone(("5",)), Tombstone(("6",), merged_into="7")])
        self.sync("come back", [client(5, at=90)])
        self.sync("merged", [client(8, at=90, merged="9;10")])
        self.sync("vanished", [client(n, at=90) for n in range(11) if n != 3], full=True)
        self.sync("a dry replacement", records, full=True, force=True, dry_run=True)
        self.sync("a replacement", records, full=True, force=True)
        self.sync("after it", records)

        def die(start: int) -> None:
            if start >= 8:
                raise FatalError("the line went dead")

        flags = {"full": True, "force": True}
        settings = SyncSettings(load_rows=2, prefetch_pages=1)
        broken = FakeClient([client(n, at=120) for n in range(12)], page_size=2, before_page=die)
        with pytest.raises(FatalError, match="went dead"):
            sync(self.warehouse, broken, CLIENTS, settings, **flags)
        broken.before_page = lambda _: None
        resumed = sync(self.warehouse, broken, CLIENTS, settings, **flags)
        assert resumed.resumed
        self.counts["a resumed replacement"] = resumed.counts
        return self.counts


def test_an_encrypted_warehouse_counts_and_holds_what_a_plain_one_does(
    safe: Warehouse, bare: Warehouse
) -> None:
    encrypted, plain = Story(safe).tell(), Story(bare).tell()
    assert encrypted == plain
    assert encrypted["first"] == Counts(processed=12, created=12)
    assert encrypted["the same again"] == Counts(processed=12, unchanged=12)
    assert encrypted["worth written otherwise"].unchanged == 1
    assert encrypted["a dry run of edits"] == encrypted["edits"] == Counts(11, 0, 2, 9)
    assert encrypted["a dry replacement"].updated == encrypted["a replacement"].updated > 0
    assert plaintext(safe) == []
    with bare.connection() as connection:
        cursor = connection.execute("SELECT * FROM test_clients")
        names = [column.name for column in cursor.description or ()]
        expected = {row[0]: dict(zip(names, row, strict=True)) for row in cursor}
    for row in expected.values():
        del row["sync_created_at"], row["sync_updated_at"]
        row["deleted_at"] = row["deleted_at"] is not None
    assert by_key(safe) == expected


def test_an_unchanged_row_is_not_rewritten(safe: Warehouse) -> None:
    query = "SELECT id, xmin::text, email, sync_updated_at FROM test_clients ORDER BY id"
    sync(safe, FakeClient(everyone()), CLIENTS)
    before = rows(safe, query)
    sync(safe, FakeClient(everyone()), CLIENTS, full=True)
    assert rows(safe, query) == before


def test_a_row_the_database_refuses_is_set_aside_alone_and_encrypted(safe: Warehouse) -> None:
    sync(safe, FakeClient([client(0)]), CLIENTS)
    with safe.connection() as connection:
        connection.execute("ALTER TABLE test_clients ADD CHECK (name <> 'Person 5')")
        connection.commit()
    done = sync(safe, FakeClient(everyone()), CLIENTS)
    assert (done.status, done.counts.created, done.counts.failed) == ("partial", 10, 1)
    assert plaintext(safe) == []
    with safe.connection() as connection:
        [entry] = quarantine.entries(connection, vault=vault(safe))
        assert entry.record == client(5)
        with pytest.raises(FatalError, match="the quarantine is encrypted"):
            quarantine.entries(connection)
        connection.rollback()
        connection.execute("ALTER TABLE test_clients DROP CONSTRAINT test_clients_name_check")
        connection.commit()
    again = replay(safe, CLIENTS, [entry])
    assert again.counts.created == 1
    assert by_key(safe)["5"]["email"] == "canary5@example.com"
    assert plaintext(safe) == []


def test_a_payload_moved_to_another_record_does_not_open(safe: Warehouse) -> None:
    strict = SyncSettings(mode="strict")
    bad = [client(n, shoe="no number") for n in range(2)]
    sync(safe, FakeClient(bad + everyone(30)[2:]), CLIENTS, strict)
    with safe.connection() as connection:
        assert len(quarantine.entries(connection, vault=vault(safe))) == 2
        connection.execute(
            "UPDATE ingestion_quarantine SET payload = "
            "(SELECT payload FROM ingestion_quarantine WHERE record_id = '0')"
        )
        with pytest.raises(FatalError, match="moved there from another row"):
            quarantine.entries(connection, vault=vault(safe))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("email = (SELECT email FROM test_clients WHERE id = '1')", "moved"),
        ("note = email", "moved"),
        ("email = left(email, 60) || 'x' || right(email, 60)", "tampered"),
        ("email = 'canary@example.com'", "is not encrypted"),
    ],
    ids=["another row", "another column", "changed", "written by hand"],
)
def test_what_was_moved_or_changed_does_not_open(safe: Warehouse, change: str, said: str) -> None:
    sync(safe, FakeClient(everyone(3)), CLIENTS)
    with safe.connection() as connection:
        connection.execute(sql.SQL("UPDATE test_clients SET ") + sql.SQL(change))
        connection.commit()
    with pytest.raises(FatalError, match=rf"test_clients/(email|note)/\d .*{said}"):
        opened(safe)


# Keys that are missing, wrong or retired


@pytest.mark.parametrize("keys", [(), (NEW,)], ids=["no key", "the wrong key"])
@pytest.mark.parametrize("dry", [False, True], ids=["a sync", "a dry run"])
def test_a_missing_key_is_refused_before_anything_is_read_or_written(
    safe: Warehouse, keys: tuple[str, ...], dry: bool
) -> None:
    sync(safe, FakeClient([client(1)]), CLIENTS)
    before = (history(safe), rows(safe, "SELECT * FROM ingestion_encryption_key"))
    source = FakeClient([client(2)])
    other = Warehouse(safe.url, keys)
    oauth = OAuth(lambda _: pytest.fail("asked"), TableStore(safe.url, "a", "t", keys), "T")
    for action in (
        lambda: start(other, source, CLIENTS, dry_run=dry),
        lambda: replay(other, CLIENTS, []),
        oauth.token,
    ):
        with pytest.raises(UsageError, match=f"under key {key_id(OLD)}.*CRM_SYNC_ENCRYPTION_KEYS"):
            action()
    other.close()
    assert source.reads == []
    assert (history(safe), rows(safe, "SELECT * FROM ingestion_encryption_key")) == before
    assert rows(safe, "SELECT count(*) FROM ingestion_oauth_token") == [(0,)]
    assert sync(safe, FakeClient([client(2)]), CLIENTS).status == "success", "the lock was free"


def test_a_dry_run_registers_no_key(safe: Warehouse) -> None:
    done = sync(safe, FakeClient(everyone()), CLIENTS, dry_run=True)
    assert done.counts.created == 12
    assert rows(safe, "SELECT count(*) FROM ingestion_encryption_key") == [(0,)]


def test_a_plain_table_is_not_added_to_and_no_key_is_registered(warehouse: Warehouse) -> None:
    """Whoever tries a key out and takes it back finds everything as it was."""
    sync(warehouse, FakeClient([client(1)]), CLIENTS)
    keyed = Warehouse(warehouse.url, [OLD])
    source = FakeClient([client(2)])
    with pytest.raises(FatalError, match="run `crm-sync rotate-keys` once"):
        sync(keyed, source, CLIENTS)
    keyed.close()
    assert source.reads == []
    assert len(history(warehouse)) == 1
    assert sync(warehouse, source, CLIENTS).counts.created == 1


def test_a_column_that_became_sensitive_is_not_left_plain(safe: Warehouse) -> None:
    before = replace(CLIENTS, columns=tuple(
        replace(column, sensitive=column.sensitive and column.name != "note")
        for column in CLIENTS.columns
    ))  # fmt: skip
    sync(safe, FakeClient([client(1)]), before)
    with pytest.raises(FatalError, match=r"test_clients\.note is sensitive but not encrypted yet"):
        sync(safe, FakeClient([client(2)]), CLIENTS)
    assert len(history(safe)) == 1


def test_a_column_that_is_no_longer_sensitive_is_not_mixed(safe: Warehouse) -> None:
    sync(safe, FakeClient([client(1)]), CLIENTS)
    after = replace(
        CLIENTS, columns=tuple(replace(column, sensitive=False) for column in CLIENTS.columns)
    )
    with pytest.raises(FatalError, match="encrypted in the warehouse but no longer declared"):
        sync(safe, FakeClient([client(2)]), after)


def test_a_new_sensitive_column_is_added_encrypted(safe: Warehouse) -> None:
    sync(safe, FakeClient([client(1)]), CLIENTS)
    wider = replace(CLIENTS, columns=(*CLIENTS.columns, text("nickname", sensitive=True)))
    sync(safe, FakeClient([client(1)]), wider, full=True)
    assert by_key(safe, wider)["1"]["nickname"] == "canary nick 1"
    assert plaintext(safe) == []


def test_an_index_of_a_sensitive_column_is_on_its_blind_index(safe: Warehouse) -> None:
    with safe.connection() as connection:
        ensure_table(connection, CLIENTS, None)
        connection.rollback()
    sync(safe, FakeClient([client(1, note=os.urandom(40_000).hex())]), CLIENTS)
    found = rows(
        safe, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'test_clients'"
    )
    assert [d for n, d in found if n == "ix_test_clients_email_bidx" and "(email_bidx)" in d]
    assert not [d for _, d in found if "(email)" in d]


def test_a_sync_that_began_without_a_key_stops_when_there_is_one(warehouse: Warehouse) -> None:
    """It would go on writing plain values into a table that is being encrypted."""
    settings = SETTINGS.model_copy(update={"load_rows": 2})
    keyed = Warehouse(warehouse.url, [OLD])

    def meanwhile(start: int) -> None:
        if start == 6:
            from crm_sync_assets.warehouse.encryption import vault_for_writing

            assert vault_for_writing(keyed) is not None

    source = FakeClient(everyone(12), page_size=2, before_page=meanwhile)
    with pytest.raises(FatalError, match="encrypted now, and this process has no key"):
        sync(warehouse, source, CLIENTS, settings)
    keyed.close()
    assert history(warehouse)[-1]["status"] == "failed"


def test_a_sync_under_a_retired_key_stops(safe: Warehouse) -> None:
    settings = SETTINGS.model_copy(update={"load_rows": 2})

    def meanwhile(start: int) -> None:
        if start == 6:
            with safe.connection() as connection:
                connection.execute("DELETE FROM ingestion_encryption_key")
                connection.commit()

    source = FakeClient(everyone(12), page_size=2, before_page=meanwhile)
    with pytest.raises(FatalError, match=f"writes with the retired key {key_id(OLD)}"):
        sync(safe, source, CLIENTS, settings)
    assert history(safe)[-1]["status"] == "failed"


# Blind indexes


PEERS = Entity(
    "test.peers",
    about="The same people in another table.",
    source=Script(),
    columns=(text("id", key=True), email("mail", at="email"), phone("note"), *CLIENTS.columns[7:8]),
    table="test_peers",
)


def test_blind_indexes_join_two_tables(safe: Warehouse) -> None:
    sync(safe, FakeClient(everyone(6)), CLIENTS)
    sync(safe, FakeClient([client(n, id=str(n + 100)) for n in range(4, 8)]), PEERS)
    joined = rows(
        safe,
        "SELECT c.id, p.id FROM test_clients AS c JOIN test_peers AS p "
        "ON c.email_bidx = p.mail_bidx ORDER BY 1",
    )
    assert joined == [("4", "104"), ("5", "105")]
    assert (
        rows(
            safe,
            "SELECT 1 FROM test_clients AS c JOIN test_peers AS p ON c.note_bidx = p.note_bidx",
        )
        == []
    ), "a phone is not a text"


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"email": "canary3@example.com"}, ["3"]),
        ({"email": ["canary3@example.com", "canary1@example.com", "nobody"]}, ["1", "3"]),
        ({"email": None}, ["9"]),
        ({"email": ["canary3@example.com", None]}, ["3", "9"]),
        ({"email": []}, []),
        ({"born": date(1931, 7, 3)}, ["2"]),
        ({"born": "1931-07-03"}, ["2"]),
        ({"worth": Decimal("918273.002")}, ["2"]),
        ({"shoe": 8_675_309_002, "name": "Person 2"}, ["2"]),
        ({"shoe": 8_675_309_002, "name": "Person 3"}, []),
        ({"other": {"nickname": "canary nick 2"}}, ["2"]),
    ],
    ids=str,
)  # fmt: skip
def test_an_encrypted_column_can_be_searched(
    safe: Warehouse, where: dict[str, Any], ids: list[str]
) -> None:
    sync(safe, FakeClient([*everyone(5), client(9, email=None)]), CLIENTS)
    names, found = opened(safe, where=where, columns=["id"])
    assert names == ["id"]
    assert sorted(row[0] for row in found) == ids


def test_a_search_for_what_the_column_cannot_hold_is_a_clear_error(safe: Warehouse) -> None:
    sync(safe, FakeClient([client(1)]), CLIENTS)
    with pytest.raises(UsageError, match="born is compared with what is no date"):
        opened(safe, where={"born": "last summer"})


def test_blind_indexes_are_read_only_when_asked_for(safe: Warehouse) -> None:
    sync(safe, FakeClient([client(1)]), CLIENTS)
    names, _ = opened(safe)
    assert not [name for name in names if name.endswith("_bidx")]
    names, found = opened(safe, columns=["email_bidx", "email"])
    assert names == ["email_bidx", "email"]
    assert list(found[0]) == [
        vault(safe).index("email", "canary1@example.com"),
        "canary1@example.com",
    ]


# OAuth


def grants(said: list[str]) -> Any:
    def endpoint(refresh: str) -> Grant:
        said.append(refresh)
        return Grant(f"canary-access-{len(said)}", 1_800, f"canary-refresh-{len(said)}")

    return endpoint


def test_tokens_are_encrypted_and_found_again(safe: Warehouse) -> None:
    said: list[str] = []
    store = TableStore(safe.url, "account", "canary-refresh-0", [OLD])
    assert OAuth(grants(said), store, "REFRESH").token() == "canary-access-1"
    assert OAuth(grants(said), store, "REFRESH").token() == "canary-access-1"
    assert OAuth(grants(said), store, "REFRESH").refresh("canary-access-1")
    assert said == ["canary-refresh-0", "canary-refresh-1"]
    assert plaintext(safe) == []
    [(access, under)] = rows(safe, "SELECT access_token, sealed_under FROM ingestion_oauth_token")
    assert under == key_id(OLD)
    with safe.connection() as connection:
        connection.execute("UPDATE ingestion_oauth_token SET refresh_token = %s", (access,))
        connection.commit()
    with pytest.raises(FatalError, match="account/refresh cannot be opened: it was moved"):
        OAuth(grants(said), store, "REFRESH").token()


def test_plain_tokens_of_before_are_read_and_encrypted_when_refreshed(safe: Warehouse) -> None:
    said: list[str] = []
    plain = OAuth(grants(said), TableStore(safe.url, "account", "canary-refresh-0"), "REFRESH")
    token = plain.token()
    keyed = OAuth(
        grants(said), TableStore(safe.url, "account", "canary-refresh-0", [OLD]), "REFRESH"
    )
    assert keyed.token() == token
    assert len(plaintext(safe)) == 1
    assert keyed.refresh(token)
    assert plaintext(safe) == []


def test_a_single_use_refresh_token_is_not_lost_to_a_key_that_is_being_retired(
    safe: Warehouse,
) -> None:
    """The key is held while the endpoint is asked, so that its answer can be kept."""

    def endpoint(refresh: str) -> Grant:
        with psycopg.connect(safe.url) as connection:
            connection.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute("SELECT FROM ingestion_encryption_key FOR UPDATE")
            connection.rollback()
        return Grant("access", 1_800, "refresh-1")

    store = TableStore(safe.url, "account", "refresh-0", [OLD])
    assert OAuth(endpoint, store, "REFRESH").token() == "access"
    with store.locked() as slot:
        assert slot.tokens.refresh == "refresh-1"
