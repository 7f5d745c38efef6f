"""The client of a service that speaks OData: sets as they are declared, spelled as its schema is.

Declared are the names of properties as they are known; the service is asked for its `$metadata`
first, and what is asked of it is spelled as it spells it. A service that does not show its schema
is asked with the declared names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.odata.columns import names_of
from crm_sync_assets.clients.odata.feed import ENTRIES, NEXT
from crm_sync_assets.clients.odata.metadata import EDMX, Property, Schema
from crm_sync_assets.clients.odata.paging import InOrder
from crm_sync_assets.clients.odata.querying import FILTER, UTC, Changed, literal
from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.clients.rest.reading import made_of
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations.contract import Page, Read, Tombstone, Usage
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.errors import Closed, TransientError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import Told, asked_for, outline_of
from crm_sync_assets.rows.processor import Processor

log = logger(__name__)

HIDDEN: Final = "hidden"
"""In a cursor and a sync's memory: the columns whose properties the service did not have."""
AT_ONCE: Final = 20
"""Records asked for by their keys in one condition."""


class ODataClient(RestClient):
    """Pages from one service. The options are those of `RestAccount`.

    A set is the last part of its source's path. `zone` is that of moments without one.
    """

    zone: Zone = UTC

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """As any list's; columns whose properties the schema has not are hidden.

        Where one is there again, a delta reads everything: no entry was touched. A sync that is
        resumed begins anew where others are hidden than before.
        """
        hidden = self._without_property(read.entity)
        strategy, before = read.strategy, read.memory.get(HIDDEN)
        is_delta = strategy.since is not None and strategy.until is None
        back = sorted(set(before or ()) - set(hidden)) if is_delta else []
        others = read.cursor is not None and read.cursor.get(HIDDEN, []) != hidden
        if back or others:
            log.warning(
                "%s: reading everything, for the service has other properties than before%s",
                read.entity,
                f": {', '.join(back)} are there again" if back else "",
            )
            cursor = None if others else read.cursor
            since = None if is_delta else strategy.since
            read = replace(read, cursor=cursor, strategy=replace(strategy, since=since))
        for page in super().pages(read, usage):
            cursor, memory = (
                {**page.cursor, HIDDEN: hidden},
                {**(page.memory or {}), HIDDEN: hidden},
            )
            yield replace(page, cursor=cursor, memory=memory, hidden_columns=hidden)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These records as they are now, some at a time; what a whole feed has not is gone.

        What a feed that was cut short has not is asked for again, without what it had. Where a
        record does not say which it is, what did not come stays: it may be any of them.
        Where a key is told as text and kept as something else, they are found in the list.
        """
        entity, source = read.entity, self._source(read.entity)
        [column] = entity.key
        known = self._properties(source).get(source.id)
        if known is None or (known.kind == "Edm.String" and column.sql != "text"):
            yield from asked_for(self.outline(read, usage), entity, keys)
            return
        session = self._session(read, usage)
        processor = Processor(outline_of(entity), validate=False)
        for start in range(0, len(keys), AT_ONCE):
            left = [*keys[start : start + AT_ONCE]]
            has_nameless = False
            while left:
                equal = (f"{known.name} eq {literal(key[0], known.kind)}" for key in left)
                answer = session.get(source.path, {FILTER: " or ".join(equal)}, cost=source.cost)
                body = answer.json
                records = [one for each in body[ENTRIES] for one in made_of(source, each, None)]
                told = Told.by(processor, records)
                has_nameless |= told.has_nameless
                lacking = [key for key in left if not told.has(key)]
                if not body[NEXT]:
                    gone = [] if has_nameless else [Tombstone(key) for key in lacking]
                    yield Page(records, {}, gone, kept=lacking if has_nameless else ())
                    break
                if len(lacking) == len(left):
                    raise TransientError(
                        f"{entity}: {answer.request} was answered with none of {len(left)} "
                        "records, and more to come: none is taken for deleted; try again later"
                    )
                yield Page(records, {})
                left = lacking

    def _source(self, entity: Entity) -> Rest:
        source = super()._source(entity)
        paging, delta = source.paging, source.delta
        if not isinstance(paging, InOrder):
            raise UsageError(f"{entity}: a set is read in order, not by {type(paging).__name__}")
        known = self._properties(source)

        def spelled(name: str) -> str:
            return known[name.lower()].name if name.lower() in known else name

        modified = paging.modified and spelled(paging.modified)
        paging = replace(paging, key=spelled(paging.key), modified=modified)
        if isinstance(delta, Changed):
            zone = UTC if _is_utc(delta.property) else self.zone
            delta = replace(delta, property=spelled(delta.property), zone=zone)
        return replace(
            source, paging=paging, delta=delta, explode=lambda entry: [self.shaped(entity, entry)]
        )

    def shaped(self, entity: Entity, entry: Record) -> Record:
        """An entry as the columns take it: its moments in UTC."""
        if self.zone == UTC:
            return entry
        moments = {
            name: self._in_utc(entry[name])
            for column in entity.columns
            if column.sql == "timestamptz"
            for name in names_of(column, entity.source.root)
            if name in entry and not _is_utc(name)
        }
        return {**entry, **moments}

    def _in_utc(self, wall: Any) -> Any:
        """What a clock of the zone shows, in UTC; what is no such time, or has a zone, as it is."""
        try:
            moment = datetime.fromisoformat(wall)
        except (TypeError, ValueError):
            return wall
        return wall if moment.tzinfo else self.zone.to_utc(moment).isoformat()

    def _properties(self, source: Rest) -> Mapping[str, Property]:
        """Those of its set, by their names in lower case; none where they are not shown."""
        return self._schema(source.api).get(source.path.rpartition("/")[2], {})

    def _schema(self, api: str) -> Schema:
        def ask() -> Any:
            session: Session = self._https[api].session(f"{self.name}: asking for the schema")
            try:
                return session.get("/$metadata", expect=EDMX).json
            except Closed as error:
                log.warning("%s: asking with the names that are declared", error)
                return {}

        found: Schema = self.remember(("schema", api), ask)
        return found

    def _without_property(self, entity: Entity) -> list[str]:
        """Columns that no record can fill, told once; and what no column takes."""
        source = self._source(entity)
        known = self._properties(source)
        if not known:
            return []
        named = {column.name: names_of(column, source.root) for column in entity.columns}
        lacking = [name for name, names in named.items() if names and not known.keys() & names]
        taken = {source.id, *(name for names in named.values() for name in names)}
        others = [found.name for name, found in known.items() if name not in taken]
        if self.first_time(("properties", entity.name, *lacking)):
            if lacking:
                log.warning(
                    "%s: the service has no property for %s: what is stored there stays",
                    entity,
                    ", ".join(lacking),
                )
            if others:
                log.info("%s: no column takes %s", entity, ", ".join(others))
        return lacking


def _is_utc(name: str) -> bool:
    return name.lower().endswith("utc")
