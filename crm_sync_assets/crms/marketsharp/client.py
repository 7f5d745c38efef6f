"""The client of MarketSharp: any OData service's, in its zone, with companies as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_sync_assets.clients.odata.client import ODataClient
from crm_sync_assets.clients.odata.feed import ENTRIES
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.crms.marketsharp.api import API
from crm_sync_assets.crms.marketsharp.signing import decoded
from crm_sync_assets.crms.marketsharp.variables import COMPANY_ID, SECRET_KEY, TIME_ZONE
from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.declarations.parsing.texts import GUID
from crm_sync_assets.errors import TransientError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)


class MarketSharp(ODataClient):
    """Pages from one company. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("marketsharp", [API], environment, settings, **options)
        zone = environment.get("MARKETSHARP_TIME_ZONE") or str(TIME_ZONE.default)
        self.zone = Zone(zone, TIME_ZONE.name)
        self._company = environment.require(COMPANY_ID.name, COMPANY_ID.about)
        if not self._company.isdecimal():
            raise UsageError(f"{COMPANY_ID.name} is {self._company[:40]!r}: give a number")
        decoded(environment.require(SECRET_KEY.name, SECRET_KEY.about))

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """As any set's, with a word on a flag of old."""
        if read.options.get("concurrent") and self.first_time("concurrent"):
            log.info(
                "marketsharp: concurrent changes nothing: entities go side by side as it is, and "
                "how many requests may run at once is CRM_SYNC_MARKETSHARP__REQUESTS_AT_ONCE"
            )
        yield from super().pages(read, usage)

    def meaning(self, entity: Entity) -> list[Meant]:  # noqa: ARG002  the same for all
        """The company, and the zone in which moments are understood."""
        return [
            Meant("account", self._company, COMPANY_ID.name),
            Meant("time zone", self.zone.name, TIME_ZONE.name, equals=self.zone.shows_the_same),
        ]

    def check(self) -> str:
        return f"{super().check()}; times are read as {self.zone.name}"

    def shaped(self, entity: Entity, entry: Record) -> Record:
        """With the company's number where its id is none: some companies have GUIDs."""
        entry = super().shaped(entity, entry)
        if entity.sync_type == "companies":
            name = str(entry.get("id") or "")
            return entry if name.isdecimal() else {**entry, "id": entry.get("number")}
        told = entry.get("companyid")
        if not told or told.isdecimal():
            return entry
        company = parsing.guid(told)
        if company is not None and GUID.fullmatch(company):
            company = self._number(entity, company)
        # What is neither a number nor a GUID is the column's to refuse; zeros are no company.
        return {**entry, "companyid": company}

    def _number(self, entity: Entity, company: str) -> str | None:
        """The number of the company with this GUID; None where the company has none.

        An answer without the company is no proof of that, and it is asked for again. Raises
        TransientError when no answer has it.
        """

        def ask() -> Any:
            session, tries = self._https[""].session(entity.name), 0
            while True:
                found = session.get("/Companies").json[ENTRIES]
                numbers = {parsing.guid(one.get("id")): one.get("number") for one in found}
                if company in numbers:
                    return numbers[company]
                tries += 1
                why = f"the list of companies ({len(found)}) is without {company}"
                if tries >= self._settings.max_attempts:
                    raise TransientError(
                        f"{entity}: records are of a company whose number is not told: {why}, "
                        f"{tries} times in a row. Their company_id stays as it is stored; the "
                        "next sync resumes from there."
                    )
                session.wait_to_ask_again(tries, why)

        number: str | None = self.remember(("company", company), ask)
        return number
