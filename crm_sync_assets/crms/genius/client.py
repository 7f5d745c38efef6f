"""Genius's client: one database, its zone, its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from crm_sync_assets.clients.sql.database import Database, parsed_url
from crm_sync_assets.clients.sql.reading import TableReading
from crm_sync_assets.clients.sql.selection import Selection
from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import UsageError
from crm_sync_assets.rows.outline import outline_of
from crm_sync_assets.settings import Environment, SyncSettings

URL = "GENIUS_DATABASE_URL"
ZONE = "GENIUS_TIME_ZONE"
ZONE_WANTED = (
    "the zone that the database's clock shows (its times do not say; a wrong one shifts them "
    "all), like America/New_York"
)


class Genius:
    """Pages from Genius's database.

    Built from the environment; UsageError names the variable that is missing or wrong. Nothing is
    asked before the first page. `sleep` replaces the waiting between tries.
    """

    def __init__(
        self,
        environment: Environment,
        settings: SyncSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        url = database_url(environment)
        self.zone = Zone(environment.require(ZONE, ZONE_WANTED), ZONE)
        self.database = Database(url, settings, variable=URL, sleep=sleep)

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of rows by column name, moments aware in UTC; see `TableReading`.

        Raises FatalError for whatever keeps the reading from being complete.
        """
        self.database.note_clock(str(read.entity), usage)
        selection = self._selection(read.entity, usage)
        yield from TableReading(read, selection, usage).pages()

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every row's key and modified moment, without its joins."""
        bare = outline_of(read.entity)
        source = bare.source
        assert isinstance(source, Table)
        yield from self.pages(
            replace(read, entity=replace(bare, source=replace(source, joins=()))), usage
        )

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These rows as they are now; tombstones for those that are not there."""
        yield self._selection(read.entity, usage).page_of(keys)

    def meaning(self, entity: Entity) -> list[Meant]:  # noqa: ARG002  the same for every table
        """The zone, the database, and how its text is read; not where the database stands."""
        return [
            Meant("time zone", self.zone.name, ZONE, equals=self.zone.shows_the_same),
            Meant("database", self.database.url.database or "", f"{URL} (or GENIUS_DB_NAME)"),
            Meant("character set", self.database.character_set, URL),
        ]

    def _selection(self, entity: Entity, usage: Usage) -> Selection:
        if not isinstance(entity.source, Table):
            kind = type(entity.source).__name__
            raise UsageError(f"{entity}: Genius has no source of kind {kind}")
        return Selection(entity, self.database, self.zone, usage)

    def source_time(self) -> datetime | None:
        """The database's clock, as the newest reading found it."""
        return self.database.now()

    def record_url(self, entity: Entity, key: Key) -> str | None:  # noqa: ARG002  no web page
        return None

    def list_url(self, entity: Entity) -> str | None:  # noqa: ARG002  no web page
        return None

    def check(self) -> str:
        """Which server answers. Raises FatalError when it does not."""
        usage = Usage()
        version = self.database.version("genius", usage)
        self.database.note_clock("genius", usage)
        return f"{self.database.where} ({version}); times are read as {self.zone.name}"

    def probe(self, entity: Entity, usage: Usage) -> None:
        """Look up the columns of its table, and of those it is joined with."""
        source = entity.source
        if isinstance(source, Table):
            for name in (source.name, *(join.table for join in source.joins)):
                self.database.columns(name, entity.name, usage)

    def close(self) -> None:
        self.database.close()


def database_url(environment: Environment) -> str:
    """GENIUS_DATABASE_URL, or what GENIUS_DB_HOST, _PORT, _NAME, _USER and _PASSWORD make up.

    Raises UsageError when neither is given.
    """
    get = environment.get
    host = get("GENIUS_DB_HOST")
    if get(URL) or not host:
        return environment.require(
            URL, "Genius's database as mysql://user:password@host:3306/database"
        )
    port = get("GENIUS_DB_PORT") or "3306"
    if not port.isdecimal():
        raise UsageError(f"GENIUS_DB_PORT is '{port}', which is no port: give a number, like 3306")
    url = sa.URL.create(
        "mysql",
        get("GENIUS_DB_USER"),
        get("GENIUS_DB_PASSWORD"),
        host,
        int(port),
        get("GENIUS_DB_NAME"),
    )
    return parsed_url(url.render_as_string(hide_password=False), URL).render_as_string(
        hide_password=False
    )
