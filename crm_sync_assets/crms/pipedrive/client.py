"""The client of Pipedrive: what any declared source is, and the labels of custom fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.clients.rest.lists import listed
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.pipedrive.api import API, api
from crm_sync_assets.crms.pipedrive.fields import DEFINED, LABELED, Definitions
from crm_sync_assets.crms.pipedrive.sources import BY_CURSOR, tokens
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Key
from crm_sync_assets.errors import Closed
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)


NAMED = "fields"
"""In a cursor: under which names and labels the rows before it were stored."""


class Pipedrive(RestClient):
    """Pages from one company. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("pipedrive", [api(environment)], environment, settings, **options)

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """As any list's; where a field came or went since, or a name or a label has changed, a
        delta reads everything.

        What is stored would keep the old one, for no record was touched.
        """
        if read.entity.sync_type not in DEFINED:
            yield from super().pages(read, usage)
            return
        definitions = self._definitions(read, usage)
        strategy = read.strategy
        memory: dict[str, Any] | None = None
        is_delta = strategy.name == "incremental"
        # A window that somebody asked for leaves what was renamed to the next delta.
        if definitions is not None and (is_delta or strategy.reads_everything):
            before = read.memory.get("fields")
            renamed = before is not None and definitions.differ_from(before)
            if is_delta and (renamed or read.memory.get("closed")):
                log.warning(
                    "%s: a custom field came or went since the last sync, or it or an option is "
                    "called otherwise, or was closed to us then: reading everything, so that no "
                    "row lacks a value or keeps an old name",
                    read.entity,
                )
                read = replace(read, strategy=replace(strategy, since=None))
            memory = {"fields": definitions.remembered()}
        elif is_delta or strategy.reads_everything:
            # Rows keep the labels they have, or get none, until the definitions are open again.
            memory = {"closed": True}
        named = definitions.digest() if definitions is not None else "closed"
        if memory is not None and read.cursor is not None and read.cursor.get(NAMED) != named:
            log.warning(
                "%s: custom fields are called otherwise than when the interrupted sync began: "
                "reading everything, so that no row keeps an old name",
                read.entity,
            )
            read = replace(read, cursor=None, strategy=replace(strategy, since=None))
        for page in super().pages(read, usage):
            labeled = self._labeled(page, read, definitions)
            yield replace(labeled, memory=memory, cursor={**page.cursor, NAMED: named})

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        if read.entity.sync_type not in DEFINED:
            yield from super().by_key(read, keys, usage)
            return
        definitions = self._definitions(read, usage)
        for page in super().by_key(read, keys, usage):
            yield self._labeled(page, read, definitions)

    def _labeled(self, page: Page, read: Read, definitions: Definitions | None) -> Page:
        if definitions is None:
            return replace(page, hidden_columns=(LABELED,))

        def unknown(code: str, option: Any) -> None:
            if self.first_time((read.entity.name, code, str(option))):
                log.warning(
                    "%s: no definition of the field %s has the option %s: it stays a number",
                    read.entity,
                    code,
                    option,
                )

        records = [
            {**one, LABELED: definitions.labeled(one, unknown)} if isinstance(one, dict) else one
            for one in page.records
        ]
        return replace(page, records=records)

    def _definitions(self, read: Read, usage: Usage) -> Definitions | None:
        """Those of the entity's custom fields; None where they are closed to the credentials."""
        kind = DEFINED[read.entity.sync_type]
        source = Rest(
            f"/api/v2/{kind}Fields",
            records="data",
            paging=BY_CURSOR,
            id="field_code",
            cost=tokens(10),
            api=API.name,
        )

        def fetch() -> Definitions | None:
            try:
                return Definitions(list(listed(self._session(read, usage), source, Addresses())))
            except Closed as error:
                log.warning("%s: custom fields keep their codes: %s", read.entity, error)
                return None

        found: Definitions | None = self.remember(("fields", kind), fetch)
        return found
