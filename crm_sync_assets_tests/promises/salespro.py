"""SalesPro's estimates, read by one query in the order of their changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from crm_sync_assets.errors import Forbidden
from crm_sync_assets_tests.crms.salespro.truth import differences
from crm_sync_assets_tests.promises.driver import Fault, Key, Subject
from crm_sync_assets_tests.promises.http import FAULTS, HttpSubject

TABLE = "estimate"
NO_SIGN = "nothing tells of a row that is gone but that a full read has it no more"


class Estimates(HttpSubject):
    crm = "salespro"
    entity = "estimates"
    token, base_url = "SALESPRO_SECRET_ACCESS_KEY", "SALESPRO_BASE_URL"
    column = "job_type"
    values: ClassVar = {
        "company_name": "Lakeside Roofing",
        "sale_amount": "12500.00",
        "document_count": "3",
        "created_at": "2024-04-15 18:00:00.000",
    }
    count = 60
    pages: ClassVar = dict.fromkeys(("full", "delta"), r"POST /salespro/.*\.GetQueryResults")
    faults: ClassVar = {
        **FAULTS,
        "throttled": Fault({"status": 400, "body": "limit"}, FAULTS["429"].error),
    }
    absences: ClassVar = {
        "403": Fault({"status": 403}, Forbidden, retried=False),
        "AccessDeniedException": Fault({"status": 400, "body": "closed"}, Forbidden, retried=False),
    }
    lacks: ClassVar = {
        "delete": NO_SIGN,
        "restore": NO_SIGN,
        "compare": NO_SIGN,
        "merge": "nobody tells which two rows have become one",
        "late": "what is written late is met by the overlap of a delta",
        "lie": "a page is cut out of a result that is there as a whole",
    }
    lie_at = Subject.lie_at

    overlap_seconds = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"salespro_rows": cls.count}

    def wrong(self) -> list[str]:
        return differences(self.world, self.warehouse, self.declared)

    def keys(self) -> list[Key]:
        return sorted((str(key[0]),) for key in self.world.keys(TABLE))

    def create(self, count: int = 1) -> list[Key]:
        return [(self.world.create(TABLE)[0],) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.edit(TABLE, key, dict(changes))

    def touch(self, keys: list[Key], value: str) -> None:
        self.world.touch(TABLE, keys, {self.column: value})

    def vanish(self, key: Key) -> None:
        self.world.delete(TABLE, key)
