"""One Five9 domain: its service, its user, what that has left, and what is remembered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.clients.rest.auth import Basic
from crm_sync_assets.clients.soap.courier import XML
from crm_sync_assets.clients.soap.service import Calls, Soap
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.crms.five9.counters import Counters
from crm_sync_assets.crms.five9.dialect import WINDOW, Five9Dialect
from crm_sync_assets.crms.five9.fields import Fields, Row, zipped
from crm_sync_assets.crms.five9.sources import ID
from crm_sync_assets.crms.five9.sources import MOST_RECORDS as MOST
from crm_sync_assets.crms.five9.variables import (
    BASE_URL,
    MOST_RECORDS,
    PASSWORD,
    REPORT_FOLDER,
    REPORT_NAME,
    TIME_ZONE,
    USERNAME,
    VERSION,
)
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import SyncError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)

AUTH: Final = Basic(USERNAME, PASSWORD)


class Domain(RestAccount):
    """What every reading of one domain shares. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("five9", environment, settings, **options)
        base_url = addresses.base_url(environment, BASE_URL.name, str(BASE_URL.default))
        version = environment.get(VERSION.name) or str(VERSION.default)
        if not re.fullmatch(r"v\d+(_\d+)?", version):
            raise UsageError(f"{VERSION.name} is {version!r}: write it like {VERSION.default}")
        most = environment.get(MOST_RECORDS.name) or str(MOST_RECORDS.default)
        if not most.isdecimal() or int(most) < 2:
            raise UsageError(f"{MOST_RECORDS.name} is {most!r}: give a number from 2 on")
        if int(most) > MOST:
            raise UsageError(
                f"{MOST_RECORDS.name} is {most!r}: no answer of Five9's has more than {MOST}, so "
                "that one which is cut would be taken for whole"
            )
        self.most = int(most)
        self.settings = settings
        self.zone = Zone(environment.require(TIME_ZONE.name, TIME_ZONE.about), TIME_ZONE.name)
        self.report = self._named_report()
        self._counters = Counters(settings.rate_reserve)
        self._http = self.open_api(
            base_url,
            AUTH,
            dialect=Five9Dialect(self._counters.seconds_of),
            windows=(WINDOW,),
            format=XML,
        )
        self.user = environment.get(USERNAME.name) or ""
        path = f"/wsadmin/{version}/AdminWebService"
        self._service = Soap(self._http, path, {"wsdl": "", "user": self.user})

    def _named_report(self) -> tuple[str, str] | None:
        given = [self._environment.get(one.name) for one in (REPORT_FOLDER, REPORT_NAME)]
        if any(given) and not all(given):
            raise UsageError(
                f"{REPORT_FOLDER.name} and {REPORT_NAME.name} name a report together: give both"
            )
        folder, name = given
        return (folder, name) if folder and name else None

    def asking(self, subject: str, usage: Usage | None = None) -> Asking:
        """Requests on behalf of `subject`, counted in `usage`."""
        session = self._http.session(subject, usage)
        return Asking(self, self._service.calls(session), self._counters)

    def forget_fields(self) -> None:
        """Ask anew which fields there are."""
        with self._remembering:
            self._remembered.pop("fields", None)

    def close(self) -> None:
        """Say good-bye, once and without patience: a session left open counts as the user's."""
        if self._service.is_read:
            hasty = {"max_attempts": 1, "budget_seconds": 0.0, "timeout_seconds": 5.0}
            with_haste = self._http.like(self.settings.model_copy(update=hasty))
            self._opened.append(with_haste)
            try:
                self._service.calls(with_haste.session("five9: good-bye"))("closeSession")
            except SyncError as error:
                log.info("five9: the session ends by itself: %s", error)
        super().close()


class Asking:
    """Requests of one reading, each only where the counters have something left for it."""

    def __init__(self, domain: Domain, calls: Calls, counters: Counters) -> None:
        self.domain = domain
        self.calls = calls
        self._counters = counters

    @property
    def subject(self) -> str:
        return self.calls.session.subject

    def ask(self, operation: str, **given: Any) -> Any:
        """What an operation returns."""
        self._counters.wait_for(
            operation, self.calls.session, lambda: self.calls("getCallCountersState")
        )
        return self.calls(operation, **given)

    def rows(self, criteria: Sequence[dict[str, str]], *, named: bool = True) -> list[Row]:
        """The contacts that meet all of these; as many as one answer has are not all of them.

        Raises Refused for one that does not say who it is, unless they need not be `named`.
        """
        lookup = {"contactIdField": ID, "criteria": list(criteria)}
        answer = self.ask("getContactRecords", lookupCriteria=lookup)
        if answer is None:
            return []
        fields = answer["fields"] or []
        found = (one["values"]["data"] if one["values"] else [] for one in answer["records"] or ())
        return [zipped(fields, values, self.subject, named=named) for values in found]

    def fields(self) -> Fields:
        """What the domain says of its contact fields, for ten minutes."""
        found: Fields = self.domain.remember(
            "fields", lambda: Fields.of(self.ask("getContactFields"))
        )
        return found

    def sizes(self) -> dict[str, int]:
        """How many contacts each dialing list has now."""
        return {str(one["name"]): int(one["size"]) for one in self.ask("getListsInfo") or ()}
