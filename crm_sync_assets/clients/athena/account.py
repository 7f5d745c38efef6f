"""What a CRM's client uses to read tables of Athena."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crm_sync_assets.clients.athena.queries import Place, Results
from crm_sync_assets.clients.athena.reading import Reading, select_of
from crm_sync_assets.clients.athena.service import Service, Settings
from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.clients.athena.sql import MOST_BYTES, Select, literal
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.rows.outline import asked_for, outline_of
from crm_sync_assets.settings import SyncSettings

ROOM_BYTES = MOST_BYTES // 2
"""For the values that a statement asks for by name; the rest is for what stands around them."""
EVERYTHING = Strategy("full")


@dataclass(frozen=True, slots=True)
class Athena:
    """The tables of one database. `spelled` says per table what a column is called there."""

    http: Http
    settings: Settings
    sync_settings: SyncSettings
    spelled: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def pages(self, read: Read, source: Table, usage: Usage) -> Iterator[Page]:
        """See `Reading`."""
        return self._reading(read, source, usage).pages()

    def outline(self, read: Read, source: Table, usage: Usage) -> Iterator[Page]:
        """Every row, with its key and when it changed; whole where records are made of it."""
        if not source.select:
            read = replace(read, entity=outline_of(read.entity))
        return self.pages(_of_everything(read), source, usage)

    def by_key(
        self, read: Read, source: Table, keys: Sequence[Key], usage: Usage
    ) -> Iterator[Page]:
        """These records as they are now; all rows are read where none can be asked for by key."""
        reading = self._reading(_of_everything(read), source, usage)
        if source.by is None:
            return asked_for(reading.pages(), read.entity, keys)
        portions = _portions(sorted({key[0] for key in keys}))
        pages = (page for values in portions for page in reading.by(values))
        return asked_for(pages, read.entity, keys)

    def probe(self, entity: Entity, source: Table, usage: Usage) -> None:
        """Ask for its columns, and for no row: nothing is scanned for it."""
        select = replace(self._select(entity, source), most=0)
        self._run(self._results(select, self.http.session(entity.name, usage), 1))

    def check(self, subject: str) -> str:
        """Where queries are answered. Raises what keeps them from it."""
        service = Service(self.http.session(subject), self.settings)
        self._run(Results(service, "SELECT 1 AS one", ("one",), self.sync_settings, 1))
        return f"Athena in {self.settings.region}, database {self.settings.database}"

    @staticmethod
    def _run(results: Results) -> None:
        for _ in results.pages(Place()):
            pass

    def _reading(self, read: Read, source: Table, usage: Usage) -> Reading:
        session = self.http.session(read.entity.name, usage)
        return Reading(
            read,
            source,
            self._select(read.entity, source),
            lambda select, size: self._results(select, session, size),
        )

    def _results(self, select: Select, session: Session, size: int) -> Results:
        service = Service(session, self.settings)
        return Results(service, str(select), select.columns, self.sync_settings, size)

    def _select(self, entity: Entity, source: Table) -> Select:
        return select_of(entity, source, self.settings.database, self.spelled.get(source.name, {}))


def _of_everything(read: Read) -> Read:
    return replace(read, strategy=EVERYTHING, cursor=None, state={}, memory={}, limit=0)


def _portions(values: Sequence[str]) -> Iterator[list[str]]:
    """The values, as many at a time as a statement has room for."""
    portion: list[str] = []
    size = 0
    for value in values:
        length = len(literal(value).encode()) + 2
        if portion and size + length > ROOM_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(value)
        size += length
    if portion:
        yield portion
