"""Salesforce's contacts, read in the order of their changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from crm_sync_assets.errors import Forbidden, Unknown
from crm_sync_assets_tests.crms.salesforce.truth import differences, field_of
from crm_sync_assets_tests.promises.driver import Fault, Key
from crm_sync_assets_tests.promises.http import FAULTS, HttpSubject

NO_LATE = "what a transaction writes late is met by the lag and the overlap of a delta"

NO_TYPE = '[{"message": "sObject type is not supported.", "errorCode": "INVALID_TYPE"}]'


class SalesforceContacts(HttpSubject):
    crm = "salesforce"
    entity = "contacts"
    token, base_url = "SALESFORCE_CLIENT_SECRET", "SALESFORCE_LOGIN_URL"
    column = "description"
    values: ClassVar = {
        "title": "Foreman",
        "email": "ann@example.com",
        "birthdate": "1980-02-29",
        "email_bounced_date": "2026-11-02T10:00:00.000+0000",
    }
    count = 60
    pages: ClassVar = dict.fromkeys(
        ("full", "delta"), r"GET /salesforce/.*/queryAll\?.*ORDER\+BY\+SystemModstamp"
    )
    # The app's own credentials are good for another session at once.
    faults: ClassVar = {how: fault for how, fault in FAULTS.items() if how != "401"}
    absences: ClassVar = {
        "403": Fault({"status": 403, "body": "access"}, Forbidden, retried=False),
        "INVALID_TYPE": Fault({"status": 400, "body": NO_TYPE}, Unknown, retried=False),
    }
    lacks: ClassVar = {
        "compare": "the list of what is deleted for good is short-lived; a full read is whole",
        "late": NO_LATE,
    }
    merges = ("merged",)
    restores = ("undeleted",)
    # What changes meanwhile moves to the end of the list.
    appends = True

    overlap_seconds = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"salesforce_contacts": cls.count}

    def fill(self) -> None:
        """Sessions last, so that none ends between two pages."""
        self.sandbox.knobs.turn({"token_lifetime": 1_000_000})

    def wrong(self) -> list[str]:
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        found = differences(self.sandbox, self.warehouse, self.declared, purges_seen=everything)
        return list(found)

    def keys(self) -> list[Key]:
        return [(one,) for one in sorted(self.world.ids("Contact"))]

    def create(self, count: int = 1) -> list[Key]:
        return [(self.world.create("Contact", {"LastName": "New"}),) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        given = {field_of(name): value for name, value in changes.items()}
        self.world.edit("Contact", key[0], given)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = [key[0] for key in keys]
        self.world.bulk_touch("Contact", ids, properties={field_of(self.column): value})

    def delete(self, key: Key) -> None:
        self.world.archive("Contact", key[0])

    def restore(self, key: Key, how: str) -> None:
        self.world.restore("Contact", key[0])

    def vanish(self, key: Key) -> None:
        self.world.purge("Contact", key[0])

    def merge(self, kept: Key, lost: Key, how: str) -> Key:
        return (self.world.merge("Contact", kept[0], lost[0]),)
