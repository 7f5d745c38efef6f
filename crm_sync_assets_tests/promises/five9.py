"""Five9's contacts, of which no answer has more than so many, and none says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from crm_sync_assets.errors import Forbidden, TransientError, Unauthorized
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.five9.truth import differences
from crm_sync_assets_tests.promises.driver import PAGE, Fault, Key, Reading
from crm_sync_assets_tests.promises.http import FAULTS, HttpSubject

SILENT = "a deleted contact just disappears, and only a read of everything shows it"
FIELDS = {"Total_Job_Amount": "Total Job Amount", "Appointment_Date": "Appointment Date"}


class CalledContacts(HttpSubject):
    crm = "five9"
    entity = "contacts"
    token, base_url = "FIVE9_PASSWORD", "FIVE9_BASE_URL"
    column = "city"
    values: ClassVar = {
        "first_name": "Ann",
        "DialAttempts": "1,204",
        "DoNotDial": "1",
        "Total_Job_Amount": "12500.00",
        "Appointment_Date": "2026-02-28",
    }
    count = 60
    pages: ClassVar = {
        # Not the question by which wildcards are tried.
        "full": r"getContactRecords contactID=(?!1%( |$))",
        "delta": "getContactRecords New",
    }
    faults: ClassVar = {
        **FAULTS,
        "a closed session": Fault({"status": 500, "body": "session"}, TransientError),
        "an account that ended": Fault(
            {"status": 500, "body": "account"}, Unauthorized, retried=False
        ),
    }
    absences: ClassVar = {
        **HttpSubject.absences,
        "a fault": Fault({"status": 500, "body": "closed"}, Forbidden, retried=False),
    }
    lacks: ClassVar = {
        "delete": SILENT,
        "restore": SILENT,
        "compare": SILENT,
        "merge": "Five9 merges nothing that its service tells of",
        "late": "answers show what was written at once, as far as anybody knows",
    }

    overlap_seconds = 0

    def __init__(self, environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
        super().__init__(environment, sandbox)
        self.configure(page_size=PAGE)

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"five9_contacts": cls.count, "five9_lists_have_all": True}

    def configure(self, **settings: object) -> None:
        """A page is as much as an answer has, which nobody can ask for."""
        super().configure(**settings)
        if "page_size" in settings and hasattr(self, "sandbox"):
            self.sandbox.knobs.five9_most = settings["page_size"]
            self.environment.setenv("FIVE9_MOST_RECORDS", str(settings["page_size"]))

    def wrong(self) -> list[str]:
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        return differences(self.world, self.warehouse, self.declared, deletions=everything)

    def read_by(self, pages: int, reading: Reading) -> int:
        """An answer that is cut has nobody; then come those by the beginnings of their ids."""
        return (0, 0, 0, 1, 1, 3, 4)[pages]

    def keys(self) -> list[Key]:
        return [(one,) for one in self.world.ids("contacts")]

    def create(self, count: int = 1) -> list[Key]:
        create = self.world.create
        return [(create("contacts", {"first_name": "New"}),) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        given = {FIELDS.get(name, name): value for name, value in changes.items()}
        self.world.edit("contacts", key[0], given)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = [key[0] for key in keys]
        self.world.bulk_touch("contacts", ids, properties={self.column: value})

    def vanish(self, key: Key) -> None:
        self.world.purge("contacts", key[0])
