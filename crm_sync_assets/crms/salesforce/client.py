"""Salesforce's client: what is asked of an org for an entity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from crm_sync_assets.crms.salesforce.described import spelled
from crm_sync_assets.crms.salesforce.dialect import NoSuchField
from crm_sync_assets.crms.salesforce.keys import by_key, in_order
from crm_sync_assets.crms.salesforce.org import Asking, Org
from crm_sync_assets.crms.salesforce.reading import Reading
from crm_sync_assets.crms.salesforce.seeing import CAUTION, sees_all
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.crms.salesforce.sources import SObject
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import UsageError


class Salesforce(Org):
    """Pages from one org. The options are those of `RestAccount`."""

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of flat records; a field that is hidden meanwhile is noticed once."""
        asking = self.asking(read.entity.name, usage)
        try:
            yield from self._reading(read, asking).pages()
        except NoSuchField:
            self.forget(_object(read.entity))
            yield from self._reading(replace(read, cursor=None), asking, anew=True).pages()

    def _reading(self, read: Read, asking: Asking, *, anew: bool = False) -> Reading:
        return Reading(self, read, asking, self.shown(read.entity, asking), anew=anew)

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every live record with its Id and moment of change."""
        return self._listed(read, [], usage)

    def calculated(self, entity: Entity, usage: Usage) -> list[str]:
        """Formulas and roll-ups, which change without their record's stamp."""
        return self.shown(entity, self.asking(entity.name, usage)).calculated

    def values_of(self, read: Read, names: Sequence[str], usage: Usage) -> Iterator[Page]:
        """Every live record with these fields."""
        return self._listed(read, names, usage)

    def _listed(self, read: Read, names: Sequence[str], usage: Usage) -> Iterator[Page]:
        asking = self.asking(read.entity.name, usage)
        shown, modified = self.shown(read.entity, asking), read.entity.source.modified
        wanted = {"id", *(name.lower() for name in names), (modified or "id").lower()}
        asked = [name for name in shown.names if name.lower() in wanted]
        size, alive = read.entity.source.max_page_size, 0
        pages = in_order(asking, _object(read.entity), asked, modified, size, where=shown.alive)
        for records, _ in pages:
            alive += len(records)
            yield Page(records, {"alive": alive})

    def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Nothing where a count proves that all was read, else the Ids of what is alive.

        Of what a bulk job brought its own count is the proof.
        """
        cursor = read.cursor or {}
        counted = cursor.get("alive", cursor.get("old"))
        if "phase" in cursor and counted is None:
            return
        asking, modified = self.asking(read.entity.name, usage), read.entity.source.modified
        where = self.shown(read.entity, asking).alive
        if "began" in cursor and modified:
            where += (f"{modified} < {cursor['began']}",)
        query = Query(("Id",), _object(read.entity), where)
        if counted is None or asking.count(query, "queryAll") != counted:
            yield from self.outline(read, usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """The records of these Ids as they are now; tombstones for what is deleted or gone."""
        asking = self.asking(read.entity.name, usage)
        shown, modified = self.shown(read.entity, asking), read.entity.source.modified
        hidden, asked = shown.hidden_columns, [spelled(name) for name in shown.names]
        of, is_whole = _object(read.entity), partial(sees_all, self, anew=True)
        for page in by_key(asking, of, shown.names, modified, keys, sees_all=is_whole):
            yield replace(page, hidden_columns=hidden, asked=asked)

    def meaning(self, entity: Entity) -> list[Meant]:
        """The org that the credentials belong to.

        Raises UsageError for an object that was not described before, and is now.
        """
        self._refuse_unknown(entity)
        org = self.org_id()
        return [] if org is None else [Meant("Salesforce org", org, self.account_setting)]

    def record_url(self, entity: Entity, key: Key) -> str | None:  # noqa: ARG002  one for all
        """The record's page, which redirects to where its object's pages are."""
        base = self.instance_url()
        return f"{base}/{key[0]}" if base else None

    def list_url(self, entity: Entity) -> str | None:
        """The list of all such records."""
        base = self.instance_url()
        return f"{base}/lightning/o/{_object(entity)}/list" if base else None

    def check(self) -> str:
        """Which org answers, and what its day has left."""
        found = self.organization()
        kind = " (a sandbox)" if found.get("IsSandbox") else ""
        used = self.quota.seen
        left = f", {used[0]:,} of {used[1]:,} requests of 24 hours used" if used else ""
        return f"Salesforce org {found['Id']} {found.get('Name') or ''}{kind}{left}"

    def cautions(self) -> list[str]:
        """What the user of the API is not allowed, and what that means for the tables."""
        return [] if sees_all(self) else [CAUTION]

    def probe(self, entity: Entity, usage: Usage) -> None:
        """One request for one record."""
        asking = self.asking(entity.name, usage)
        if _source(entity).any:
            # Which tells what it has, too.
            self.described(_object(entity), asking)
            return
        asking.rows(Query(("Id",), _object(entity), limit=1), "query")

    def _refuse_unknown(self, entity: Entity) -> None:
        if _source(entity).known:
            return
        self.described(_object(entity), self.asking(entity.name))
        raise UsageError(
            f"{entity}: what it has was not known when this began. The org has said it just now, "
            "and it is kept: run it again (in Dagster, reload the code location first)"
        )


def _source(entity: Entity) -> SObject:
    source: Any = entity.source
    if not isinstance(source, SObject):
        raise UsageError(f"{entity}: Salesforce has no source of kind {type(source).__name__}")
    return source


def _object(entity: Entity) -> str:
    return _source(entity).name
