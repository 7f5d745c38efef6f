"""Where records stand in the order of their changes, and the pages that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crm_sync_assets.crms.salesforce import soql
from crm_sync_assets.crms.salesforce.keys import is_named, tombstone
from crm_sync_assets.crms.salesforce.places import Place
from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.errors import FatalError


@dataclass(frozen=True, slots=True)
class Order:
    """Of records that say in `modified` when they changed, and of those that do not."""

    subject: str
    modified: str | None

    @property
    def fields(self) -> list[str]:
        """What tells a record and its version."""
        return ["Id", self.modified] if self.modified else ["Id"]

    @property
    def sorted_by(self) -> tuple[str, ...]:
        return (self.modified, "Id") if self.modified else ("Id",)

    def after(
        self, place: Place, since: datetime | None, until: datetime | None
    ) -> tuple[str, ...]:
        """The conditions of what comes after a place in a window."""
        if not self.modified:
            return (f"Id > {soql.text(place.key)}",) if place.key else ()
        if place.at is None:
            return soql.within(self.modified, since, until)
        bound = soql.within(self.modified, None, until)
        return (*soql.after(self.modified, place.at, place.key), *bound)

    def moved(self, place: Place, records: Sequence[Record]) -> Place:
        """The place after these records."""
        last = next((one for one in reversed(records) if self._stands(one)), None)
        if last is None:
            if records:
                raise FatalError(f"{self.subject}: no record of a page says which it is")
            return place
        old = place.old
        if old is not None:
            old += sum(self._is_old(one, place.began) for one in records)
        at = soql.moment(self._stamp(last)) if self.modified else None
        return replace(place, at=at, key=str(last["Id"]), old=old)

    def page(self, records: Sequence[Record], following: Place, *, bare: bool) -> Page:
        """What is alive as records, what is deleted as tombstones, and the place that follows.

        A table that was `bare` when the reading began has nothing that was deleted before that.
        """
        alive, gone = [], []
        for record in records:
            if not isinstance(record, dict):
                alive.append(record)
                continue
            master = record.pop("MasterRecordId", None)
            if record.get("IsDeleted") is not True:
                alive.append(record)
            elif not bare or not self._is_before(record, following.began):
                gone.append(tombstone(record, self.modified, master))
        return Page(alive, following.cursor(), tombstones=gone)

    def _stands(self, record: Any) -> bool:
        """Whether a record says where in the order it is."""
        if not is_named(record):
            return False
        try:
            return not self.modified or self._stamp(record) is not None
        except ValueError:
            return False

    def _is_old(self, record: Any, began: str) -> bool:
        if not self._stands(record) or record.get("IsDeleted") is True:
            return False
        return not self.modified or self._is_before(record, began)

    def _is_before(self, record: Record, began: str) -> bool:
        return bool(self.modified) and soql.moment(self._stamp(record)) < began

    def _stamp(self, record: Record) -> datetime:
        """Raises ValueError for a record that does not say when it changed."""
        at = timestamp(record.get(self.modified or ""))
        if at is None:
            raise ValueError(f"no {self.modified}")
        return at
