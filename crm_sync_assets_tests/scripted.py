"""A source that does what a test tells it: pages as given, errors where wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_sync_assets.declarations.columns import decimal, id_list, rest, text, timestamp
from crm_sync_assets.declarations.contract import Client, Page, Read, Tombstone, Usage
from crm_sync_assets.declarations.crm import Crm, flags_of
from crm_sync_assets.declarations.entity import (
    Entity,
    Key,
    Record,
    SourceKind,
    WindowedByModified,
)
from crm_sync_assets.declarations.flags import Flag
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Progress, Sync
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Script(WindowedByModified):
    modified: str | None = "modified"
    root: str = ""
    kind: SourceKind = "api"
    max_page_size: int = 1_000

    def __str__(self) -> str:
        return "a script"


@dataclass(frozen=True)
class Log:
    """Can be asked for a time span, and has no versions."""

    windowed_by: str | None = "started"
    modified: str | None = None
    root: str = ""
    kind: SourceKind = "api"
    max_page_size: int = 1_000


PEOPLE = Entity(
    "test.people",
    about="People of a made-up CRM.",
    source=Script(),
    columns=(
        text("id", key=True),
        text("name"),
        decimal("balance"),
        timestamp("modified"),
        id_list("merged"),
        rest("other"),
    ),
    table="test_people",
    merged_ids="merged",
    indexes=("name",),
)
THINGS = Entity(
    "test.things",
    about="Things that cannot say when they changed.",
    source=Script(modified=None),
    columns=(text("id", key=True), text("name")),
    table="test_things",
)
CALLS = Entity(
    "test.calls",
    about="Calls, which change later without saying so.",
    source=Log(),
    columns=(text("id", key=True), text("note"), timestamp("started")),
    table="test_calls",
)
PEOPLE_REMOVAL = Entity(
    "test.people_removal",
    about="Finds people that are gone.",
    source=Script(modified=None),
    columns=(text("id", key=True),),
    table="test_people",
    tombstones="found",
    tombstones_of="test.people",
)


def person(number: int | str, *, at: int = 0, **values: Any) -> Record:
    """A person changed `at` seconds after START."""
    return {
        "id": str(number),
        "name": f"Person {number}",
        "modified": (START + timedelta(seconds=at)).isoformat(),
        **values,
    }


@dataclass
class FakeClient:
    """Serves `records` in pages; `before_page` may raise or mutate before a page is made.

    A page's cursor is the number of records before the next page. `asked` keeps the start of
    every page, `reads` every `Read`.
    """

    records: list[Record] = field(default_factory=list)
    page_size: int = 100
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    before_page: Callable[[int], None] = lambda _: None
    tombstones: Sequence[Tombstone] = ()
    confirmed: int = 0
    state: dict[str, Any] | None = None
    labels: dict[str, str] | None = None
    asked: list[int] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        self.reads.append(read)
        start = int(read.cursor["next"]) if read.cursor else 0
        while start < len(self.records) or start == 0:
            self.before_page(start)
            usage.api_calls += 1
            self.asked.append(start)
            chunk = self.records[start : start + self.page_size]
            start += max(len(chunk), 1)
            last = start >= len(self.records)
            yield Page(
                chunk,
                {"next": start},
                self.tombstones if last else (),
                self.confirmed if last else 0,
                total=len(self.records),
                state=self.state if last else None,
                labels=self.labels,
            )

    def source_time(self) -> datetime | None:
        return self.now

    def record_url(self, entity: Entity, key: Key) -> str | None:
        return f"https://crm.example/{entity.sync_type}/{'/'.join(key)}"

    def list_url(self, entity: Entity) -> str | None:
        return f"https://crm.example/{entity.sync_type}"

    def check(self) -> str:
        return "reachable"

    def close(self) -> None:
        self.records = []


CRM = Crm("test", "Test", client=lambda *_: FakeClient())
FILTERING = replace(
    CRM, flags=(Flag("company_id", "Only what belongs to this company.", filters=True),)
)
SETTINGS = SyncSettings(load_rows=100, prefetch_pages=1)


def start(
    warehouse: Warehouse,
    client: Client,
    entity: Entity = PEOPLE,
    settings: SyncSettings = SETTINGS,
    run_id: str | None = None,
    crm: Crm = CRM,
    **flags: Any,
) -> Sync:
    """Begin a sync of a test entity: the lock is taken, the row open, nothing read."""
    marked = PEOPLE if entity.tombstones_of else None
    given = flags_of(crm)(**flags)
    request = Request(crm, entity, given, settings, run_id=run_id, marked_entity=marked)
    return begin(request, client, warehouse)


def sync(
    warehouse: Warehouse,
    client: Client,
    entity: Entity = PEOPLE,
    settings: SyncSettings = SETTINGS,
    progress: Progress = lambda _: None,
    **flags: Any,
) -> Sync:
    """A whole sync of a test entity."""
    begun = start(warehouse, client, entity, settings, **flags)
    drain(begun, progress)
    return begun


def rows(warehouse: Warehouse, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with warehouse.connection() as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def people(warehouse: Warehouse) -> dict[str, str | None]:
    """Live people: id → name."""
    return dict(rows(warehouse, "SELECT id, name FROM test_people WHERE deleted_at IS NULL"))  # type: ignore[arg-type]


def history(warehouse: Warehouse) -> list[dict[str, Any]]:
    """All history rows, oldest first."""
    with warehouse.connection() as connection:
        cursor = connection.execute("SELECT * FROM ingestion_sync_history ORDER BY id")
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]
