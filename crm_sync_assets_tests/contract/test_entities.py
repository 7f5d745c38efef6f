"""What every entity of every CRM keeps. Their records come from the sandbox."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from crm_sync_assets.declarations import parsing, registry
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.contract import Client, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.operations import opening
from crm_sync_assets.rows.processor import Processor
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.genius.crm import beside
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.deletions import FLAGS
from crm_sync_assets.warehouse.loading import Table, load
from crm_sync_assets.warehouse.tables import _SAME_TYPE, ensure_table, index_name, system_columns
from crm_sync_assets.warehouse.vault import TYPES, encrypted_columns, index_column
from crm_sync_assets_tests.mariadb import MARIADBD, MariaDB, mariadb
from crm_sync_assets_tests.surroundings import copy_of

__all__ = ["mariadb"]

ENTITIES = list(registry.all_entities().values())
PLAYED = sorted({*Sandbox(contacts=1).crms, "genius"} & set(registry.names()))
"""The CRMs whose records the sandbox has; Genius where it is given a database."""
SYNCED = [entity for entity in ENTITIES if entity.crm in PLAYED]
STORED = [entity for entity in SYNCED if not entity.tombstones_of]


@dataclass
class World:
    """Every entity synced twice against the sandbox, and what that left behind."""

    warehouse: Warehouse
    records: dict[str, list[Record]] = field(default_factory=dict)
    first: dict[str, Sync] = field(default_factory=dict)
    second: dict[str, Sync] = field(default_factory=dict)
    left: dict[str, Any] = field(default_factory=dict)
    """What is in each table after the last sync that may write it."""
    changed_by_others: dict[str, list[str]] = field(default_factory=dict)
    rewritten: set[str] = field(default_factory=set)
    """Entities whose second sync left their table not as it was."""

    def look(self, table: str, when: str) -> Any:
        """What a table holds, which has to be what its own entities left in it."""
        found = _content(self.warehouse, table)
        if found != self.left.get(table):
            self.changed_by_others.setdefault(table, []).append(when)
        return found


class Recording:
    """A client that keeps the records it hands out."""

    def __init__(self, client: Client, kept: list[Record]) -> None:
        self._client = client
        self._kept = kept

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        for page in self._client.pages(read, usage):
            self._kept += copy.deepcopy(list(page.records[: 20 - len(self._kept)]))
            yield page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture(scope="module")
def genius_url(request: pytest.FixtureRequest, server_url: str) -> str:
    """An empty database for Genius: a MariaDB's, or PostgreSQL's where there is none."""
    if MARIADBD is None and os.environ.get("CI") != "true":
        return beside(server_url, f"contract_genius_{os.getpid()}")
    server: MariaDB = request.getfixturevalue("mariadb")
    server.execute("CREATE DATABASE contract CHARACTER SET utf8mb4")
    return server.url("contract")


@pytest.fixture(scope="module")
def world(
    server_url: str, template: str, genius_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with (
        copy_of(server_url, template) as url,
        pytest.MonkeyPatch.context() as patch,
        Sandbox(seed=17, contacts=60, zipcodes=30, genius_url=genius_url) as sandbox,
    ):
        for variable in list(os.environ):
            if variable.startswith("CRM_SYNC_"):
                patch.delenv(variable)
        patch.chdir(tmp_path_factory.mktemp("contract"))
        for variable, value in sandbox.env().items():
            patch.setenv(variable, value)
        patch.setenv("CRM_SYNC_WAREHOUSE_URL", url)
        for crm in PLAYED:
            patch.setenv(f"CRM_SYNC_{crm.upper()}__RATE_WINDOWS", '[["burst", 100000, 10]]')
        world = World(opening.open_warehouse())
        try:
            _sync_everything_twice(world, sandbox)
            yield world
        finally:
            world.warehouse.close()
            opening._warehouses.pop(world.warehouse.url, None)


def _sync_everything_twice(world: World, sandbox: Sandbox) -> None:
    """Each table is looked at before and after its own syncs and when all is done: what another
    entity's sync did to it at any time is seen at the next look.
    """
    world.left = {table: _content(world.warehouse, table) for table in _tables(world.warehouse)}
    for crm_name in PLAYED:
        crm = registry.crm(crm_name)
        client = opening.open_client(crm_name)
        for round_ in (world.first, world.second):
            for entity in registry.entities(crm_name):
                marked = registry.entity(entity.tombstones_of) if entity.tombstones_of else None
                kept = world.records.setdefault(entity.name, [])
                before = world.look(entity.table, f"before {entity}'s sync")
                settings = settings_for(crm, entity)
                request = Request(crm, entity, Flags(), settings, marked_entity=marked)
                begun = begin(request, Recording(client, kept), world.warehouse)
                drain(begun)
                after = _content(world.warehouse, entity.table)
                world.left[entity.table] = after
                round_[entity.name] = begun
                if round_ is world.second and before != after:
                    world.rewritten.add(entity.name)
            sandbox.clock.advance(60)
        client.close()
    for table in _tables(world.warehouse):
        world.look(table, "in the end")


def _tables(warehouse: Warehouse) -> list[str]:
    """All tables but those of the core that every sync writes."""
    with warehouse.connection() as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace "
            "AND relname !~ '^ingestion_(sync_history|sync_keys|quarantine|rate_budget"
            "|oauth_token|schema_version)$'"
        ).fetchall()
    return [table for (table,) in tables]


def _content(warehouse: Warehouse, table: str) -> tuple[Any, ...] | None:
    """A table's rows, with their versions; None where there is no such table."""
    query = sql.SQL(
        "SELECT count(*), md5(string_agg(xmin::text || t::text, '' ORDER BY t::text)) FROM {} AS t"
    ).format(sql.Identifier(table))
    with warehouse.connection() as connection:
        there = connection.execute("SELECT to_regclass(quote_ident(%s))", (table,)).fetchone()
        return connection.execute(query).fetchone() if there and there[0] else None


# The whole


@pytest.mark.parametrize("entity", SYNCED, ids=str)
def test_a_first_sync_stores_what_the_sandbox_holds(world: World, entity: Entity) -> None:
    begun = world.first[entity.name]
    assert begun.status == "success"
    assert begun.counts.failed == 0
    assert begun.counts.processed > 0
    if not entity.tombstones_of:
        assert begun.counts.created == begun.counts.processed


@pytest.mark.parametrize("entity", SYNCED, ids=str)
def test_a_second_sync_changes_and_rewrites_nothing(world: World, entity: Entity) -> None:
    counts = world.second[entity.name].counts
    assert world.second[entity.name].status == "success"
    assert (counts.created, counts.updated, counts.deleted, counts.failed) == (0, 0, 0, 0)
    assert entity.name not in world.rewritten


@pytest.mark.parametrize("entity", SYNCED, ids=str)
def test_no_other_entity_writes_an_entitys_table(world: World, entity: Entity) -> None:
    assert world.changed_by_others.get(entity.table, []) == []


def test_no_entity_writes_a_table_that_is_nobodys(world: World) -> None:
    assert world.changed_by_others.keys() <= {entity.table for entity in SYNCED}


@pytest.mark.parametrize("entity", STORED, ids=str)
def test_a_recorded_page_becomes_rows_without_failures(world: World, entity: Entity) -> None:
    records = world.records[entity.name]
    assert records
    lenient = Processor(entity, validate=False).process(records)
    assert lenient.failures == []
    assert len(lenient.rows) == len(records)
    strict = Processor(entity, validate=False, strict=True).process(records)
    assert len(strict.rows) + len(strict.failures) == len(records)
    # Genius's rows are odd on purpose (zero dates, 25 o'clock); each is noted, and no other fails.
    odd = sum(row[-1] is not None for row in lenient.rows) if entity.crm == "genius" else 0
    assert len(strict.failures) <= odd


@pytest.mark.parametrize("entity", STORED, ids=str)
def test_no_declared_column_is_without_a_value_in_any_record(world: World, entity: Entity) -> None:
    """A wrong path is a column that stays empty for ever, and green."""
    with world.warehouse.connection() as connection:
        counts = sql.SQL(", ").join(
            sql.SQL("count({})").format(sql.Identifier(column.name)) for column in entity.columns
        )
        row = connection.execute(
            sql.SQL("SELECT {} FROM {}").format(counts, sql.Identifier(entity.table))
        ).fetchone()
    assert row is not None
    empty = [c.name for c, n in zip(entity.columns, row, strict=True) if not n]
    assert len(empty) <= len(entity.columns) // 2, empty
    keys = [
        column.name for column in (*entity.key, *([entity.modified] if entity.modified else []))
    ]
    assert not set(keys) & set(empty)


# The table


@pytest.mark.parametrize("entity", STORED, ids=str)
def test_the_table_is_what_the_declaration_says(world: World, entity: Entity) -> None:
    with world.warehouse.connection() as connection:
        stored = {
            name: (_SAME_TYPE.get(kind, kind), required)
            for name, kind, required in connection.execute(
                "SELECT attname, format_type(atttypid, NULL), attnotnull FROM pg_attribute "
                "WHERE attrelid = to_regclass(quote_ident(%s)) AND attnum > 0 AND NOT attisdropped",
                (entity.table,),
            )
        }
        primary = [
            row[0]
            for row in connection.execute(
                "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid "
                "AND attnum = ANY(indkey) WHERE indisprimary "
                "AND indrelid = to_regclass(quote_ident(%s))",
                (entity.table,),
            )
        ]
    wanted: dict[str, tuple[str, bool]]
    wanted = {column.name: (column.sql, not column.nullable) for column in entity.columns}
    wanted |= {name: (kind, False) for name, (kind, _) in system_columns(entity).items()}
    assert stored == wanted
    assert sorted(primary) == sorted(column.name for column in entity.key)


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_a_key_is_never_empty(entity: Entity) -> None:
    assert entity.key
    for column in entity.key:
        assert not column.nullable


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_names_fit_postgresql_and_its_driver(entity: Entity) -> None:
    names = [entity.table, *(column.name for column in entity.columns)]
    assert all(len(name.encode()) <= 63 and "%" not in name for name in names)
    assert len({name.lower() for name in names[1:]}) == len(entity.columns)
    assert len(entity.sync_type) <= 50
    assert len(entity.crm) <= 50


def test_no_two_entities_share_a_table_or_the_name_of_an_index() -> None:
    stored = [entity for entity in ENTITIES if not entity.tombstones_of]
    tables = Counter(entity.table for entity in stored)
    indexes = Counter(index_name(e.table, name) for e in stored for name in e.indexes)
    assert [name for name, n in (tables + indexes).items() if n > 1] == []


def test_fingerprints_are_the_same_in_another_process() -> None:
    """Else every sync would believe that its declaration had changed."""
    program = (
        "import json; from crm_sync_assets.declarations import registry; "
        "print(json.dumps({n: e.fingerprint for n, e in registry.all_entities().items()}))"
    )
    root = str(Path(__file__).parents[2])
    mine = {entity.name: entity.fingerprint for entity in ENTITIES}
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root}
        told = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, check=True, text=True
        )
        assert json.loads(told.stdout) == mine


# Hostile text

HOSTILE = {
    "NUL": "a\x00b",
    "half a character": "a\ud83db",
    "formula": "=cmd|' /C calc'!A0",
    "statement": "'); DROP TABLE ingestion_sync_history; --",
    "escape": "\x1b[31mred\x1b[0m %s {} \\",
    "copy": '\\N\t\\.\n,"',
    "direction": "a\u202etxt.exe\u2066b",
    "emoji": "🧑‍🌾é\u0301",
    "long": "long " * 30_000 + "end",
}


@pytest.mark.parametrize("entity", STORED, ids=str)
def test_hostile_text_survives_in_every_text_column(world: World, entity: Entity) -> None:
    columns = [
        column
        for column in entity.columns
        if column.sql == "text"
        and not column.key
        and not callable(column.at)
        and column.name not in entity.indexes
    ]
    (record, *_) = world.records[entity.name]
    records = [_with(entity, record, columns, text, n) for n, text in enumerate(HOSTILE.values())]
    batch = Processor(entity).process(records)
    assert batch.failures == []
    table = Table(entity, overwrite=True, keep_issues=False)
    positions = [table.names.index(column.name) for column in columns]
    with world.warehouse.connection() as connection:
        connection.execute(table.create_stage())
        counts, rejected = load(
            connection, table, batch.rows, target=table.target, fresh_stage=True
        )
        assert (counts.created, rejected) == (len(HOSTILE), [])
        key = entity.key[0].name
        names = sql.SQL(", ").join(map(sql.Identifier, [*table.names]))
        for number, (kind, text) in enumerate(HOSTILE.items()):
            row = connection.execute(
                sql.SQL("SELECT {} FROM {} WHERE {} = %s").format(
                    names, sql.Identifier(entity.table), sql.Identifier(key)
                ),
                (_hostile_key(entity.key[0], number),),
            ).fetchone()
            assert row is not None
            changes: set[str] = set()
            kept = parsing.sanitise(text, changes)
            for column, position in zip(columns, positions, strict=True):
                expected = kept.strip() if column.kind == "email" else kept
                assert row[position] == expected, (kind, column.name)
            if changes and columns:
                problems = {(i["field"], i["problem"]) for i in row[-1]}
                wanted = {(c.name, f"changed: {change}") for c in columns for change in changes}
                assert wanted <= problems, kind
        connection.rollback()


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_sensitive_columns_can_be_encrypted(entity: Entity) -> None:
    """What the engine compares, sorts or joins by stays readable; a contract of declarations."""
    engines = {*system_columns(entity), *FLAGS, "deleted_at", entity.merged_ids}
    for column in entity.columns:
        if column.sensitive:
            assert not column.key, column.name
            assert column != entity.modified
            assert column.name not in engines
            assert column.sql in TYPES, f"a {column.sql} cannot be encrypted"


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_blind_indexes_have_names_of_their_own(entity: Entity) -> None:
    names = [column.name for column in entity.columns] + list(system_columns(entity))
    names += [column.index for column in encrypted_columns(entity.columns)]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    # A column that is not encrypted must not look as if it were.
    assert not {index_column(name) for name in names} & {column.name for column in entity.columns}


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_keys_are_written_one_way_only(entity: Entity) -> None:
    """An encrypted value is bound to its row's key as text, in the load and when it is read."""
    assert {column.sql for column in entity.key} <= {"text", "bigint"}


def _hostile_key(column: Column, number: int) -> str | int:
    """A part of a key that no record has."""
    return f"hostile-{number}" if column.sql == "text" else 900_000_000 + number


def _with(
    entity: Entity, record: Mapping[str, Any], columns: list[Column], text: str, number: int
) -> Record:
    """A copy of a record with this text in all these columns and a key of its own."""
    made: Record = copy.deepcopy(dict(record))
    values = {column.path(entity.source.root): text for column in columns}
    values |= {c.path(entity.source.root): _hostile_key(c, number) for c in entity.key}
    for path, value in values.items():
        place = made
        *steps, last = path.split(".")
        for step in steps:
            if not isinstance(place.get(step), dict):
                place[step] = {}
            place = place[step]
        place[last] = value
    return made


@pytest.mark.parametrize("keep_issues", [False, True])
def test_every_load_statement_is_one_the_server_takes(
    warehouse: Warehouse, keep_issues: bool
) -> None:
    """That of an association without issues compared nothing with nothing, which is no SQL."""
    for entity in (one for one in ENTITIES if not one.tombstones_of):
        everything_but_the_key = {column.name for column in entity.columns if not column.key}
        for hidden_columns in (set[str](), everything_but_the_key):
            table = Table(entity, overwrite=False, keep_issues=keep_issues)
            table.hidden_columns = frozenset(hidden_columns)
            with warehouse.connection() as connection:
                ensure_table(connection, entity)
                connection.execute(table.create_stage())
                found = connection.execute(table.upsert(table.stage, table.target)).fetchone()
                assert found == (0, 0), entity
