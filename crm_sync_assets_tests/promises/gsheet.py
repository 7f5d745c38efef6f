"""The leads of six years, each in a spreadsheet of its own, which is a page: it is read whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from crm_sync_assets.crms.gsheet.truth import keyed
from crm_sync_assets.errors import Incomplete, Refused
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.gsheet.truth import differences, header_of
from crm_sync_assets_tests.promises.driver import Fault, Key, Reading, Subject
from crm_sync_assets_tests.promises.http import FAULTS, HttpSubject

YEARS = 6
ALL_OR_NOTHING = "a sheet cannot be asked for a part: all of it is read, if its file has changed"
NO_VERSIONS = "no row of a sheet says when it was changed"


class YearsOfLeads(HttpSubject):
    crm = "gsheet"
    entity = "marketing_leads"
    token, base_url = "GSHEET_API_KEY", "GSHEET_BASE_URL"
    column = "call_notes"
    values: ClassVar = {
        "first_name": "Ann",
        "call_attempts": "3",
        "lead_set": "true",
        "total_job_value": "12500.00",
        "preferred_appt_date": "2024-04-15",
        "appt_date_time": "2024-04-15 18:00:00",
    }
    count = 10 * YEARS
    pages: ClassVar = dict.fromkeys(("full", "delta"), r"/gsheet/v4/spreadsheets/[^/]+/values/")
    faults: ClassVar = {
        **FAULTS,
        # Such an answer says something of one sheet: the others are stored all the same.
        "400": Fault({"status": 400}, Refused, retried=False),
        "404": Fault({"status": 404}, Incomplete, retried=False),
    }
    lacks: ClassVar = {
        "delta": ALL_OR_NOTHING,
        "versions": NO_VERSIONS,
        "delete": ALL_OR_NOTHING,
        "restore": ALL_OR_NOTHING,
        "compare": ALL_OR_NOTHING,
        "merge": "nobody tells which two rows have become one",
        "late": "a sheet shows at once what is written to it, and no time with it",
        "lie": "the cells of a range say of no row that it ought to be there",
    }
    lie_at = Subject.lie_at

    def __init__(self, environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
        super().__init__(environment, sandbox)
        # A key is refused for good; a service account would get itself another token first.
        environment.setenv("GSHEET_API_KEY", sandbox.crms["gsheet"].key)  # type: ignore[attr-defined]
        environment.delenv("GSHEET_SERVICE_ACCOUNT")

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"gsheet_leads": 10, "gsheet_years": YEARS}

    def wrong(self) -> list[str]:
        return differences(self.world, self.warehouse, self.declared)

    def _ids(self) -> dict[Key, str]:
        """Which row of the sandbox has which key, spread over the years."""
        found = keyed(self.declared, self.world.truth(self.entity))
        by_key = {key: row["id"] for key, row in found}
        return dict(sorted(by_key.items(), key=lambda pair: pair[0][0].partition("-")[2]))

    def keys(self) -> list[Key]:
        return list(self._ids())

    def create(self, count: int = 1) -> list[Key]:
        years = [name for name in self.world.books if name.isdigit()]
        new = [self.world.create(years[n % len(years)]) for n in range(count)]
        keys = {id: key for key, id in self._ids().items()}
        return [keys[id] for id in new]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        given = {header_of(self.declared, name): value for name, value in changes.items()}
        self.world.edit(self._ids()[key], given)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = self._ids()
        for key in keys:
            self.world.edit(ids[key], {self.column: value})

    def vanish(self, key: Key) -> None:
        self.world.clear(self._ids()[key])

    def read_by(self, pages: int, reading: Reading) -> int:
        return 10 * pages
