"""The client of LeadConduit: any declared source's, and what is said of events that expire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.leadconduit.api import API
from crm_sync_assets.crms.leadconduit.events import recorded
from crm_sync_assets.crms.leadconduit.variables import TYPES_BY
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.errors import UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)


def _rules(name: str) -> dict[str, str]:
    return {"rules": json.dumps([{"lhv": "type", "op": "is equal to", "rhv": name}])}


ASKS: Final[Mapping[str, Callable[[str], dict[str, str]]]] = {
    "parameter": lambda name: {"type": name},
    "rules": _rules,
    "none": lambda _: {},
}
"""How a list is asked for events of one type. What comes is looked at in any case."""


class LeadConduit(RestClient):
    """Pages from one account. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        self._types_by = environment.get("LEADCONDUIT_TYPES_BY") or str(TYPES_BY.default)
        if self._types_by not in ASKS:
            raise UsageError(
                f"{TYPES_BY.name} is {self._types_by!r}: give one of {', '.join(ASKS)}"
            )
        super().__init__("leadconduit", [API], environment, settings, **options)

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """As any list's, with a word on a flag of old, and on events that expire too soon."""
        if read.options.get("config") and self.first_time(("config", read.entity.name)):
            log.warning(
                "%s: config chooses nothing any more, the environment does: leave it out",
                read.entity,
            )
        for page in super().pages(read, usage):
            self._note_expiry(read.entity, page.records)
            yield page

    def _source(self, entity: Entity) -> Rest:
        source = super()._source(entity)
        ask = ASKS[self._types_by]
        sweeps = tuple(replace(sweep, ask=ask(sweep.name)) for sweep in source.sweeps)
        return replace(source, sweeps=sweeps if self._types_by != "none" else sweeps[:1])

    def _note_expiry(self, entity: Entity, records: Sequence[Record]) -> None:
        """Say once that events are kept for a shorter time than the setting has it."""
        kept = min((days for one in records if (days := _days_kept(one)) is not None), default=None)
        if kept is None or kept + 1 >= self._settings.keeps_days or not self.first_time("expiry"):
            return
        log.warning(
            "%s: this account keeps its events for %d days, and CRM_SYNC_LEADCONDUIT__KEEPS_DAYS "
            "is %g: set it to %d, so that a gap in which events were lost is noticed",
            entity,
            kept,
            self._settings.keeps_days,
            kept,
        )


def _days_kept(event: Record) -> int | None:
    """For how many days an event is kept; None where it does not say so."""
    try:
        expires = timestamp(event["expires_at"])
        return None if expires is None else (expires - recorded(event)) // timedelta(days=1)
    except (KeyError, TypeError, ValueError):
        return None
