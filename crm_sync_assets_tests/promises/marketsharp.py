"""MarketSharp's contacts, read in the order of their changes, and custom fields, read whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from crm_sync_assets.declarations.columns import camel
from crm_sync_assets.errors import BadRequest, FatalError, Forbidden, Unknown
from crm_sync_assets_tests.crms.marketsharp.truth import differences
from crm_sync_assets_tests.promises.driver import Ability, Fault, Key, Reading, Subject
from crm_sync_assets_tests.promises.http import FAULTS, HttpSubject

NO_TRACE = "what is deleted is in its set no more, and nothing else tells of it"
LACKS: Mapping[Ability, str] = {
    "delete": NO_TRACE,
    "restore": "what is gone for good does not come back",
    "compare": NO_TRACE,
    "merge": "MarketSharp merges nothing that its service tells of",
    "late": "what shows late is found by looking back a day, and no lag moves the watermark",
    "lie": "a feed says nothing of how many records there are",
}
MORE: Mapping[str, Fault] = {
    # Both were seen to pass, so they are believed only after several tries.
    "400": Fault({"status": 400}, BadRequest),
    "404": Fault({"status": 404}, Unknown),
    "503": Fault({"status": 503}, FAULTS["500"].error),
    "403": Fault({"status": 403}, Forbidden, retried=False),
    "a feed that is cut and says nothing of its length": Fault(
        {"rewrite": lambda body: body[: len(body) * 2 // 3]}, FatalError
    ),
    "an error in the middle of a feed": Fault(
        {
            "rewrite": lambda body: body.replace(
                b"</feed>", b"<m:error><m:message>Timeout</m:message></m:error></feed>"
            )
        },
        FatalError,
    ),
}


class MarketSharpSubject(HttpSubject):
    crm = "marketsharp"
    token, base_url = "MARKETSHARP_API_KEY", "MARKETSHARP_BASE_URL"
    set: ClassVar[str]
    count = 60
    # A 401 is tried once more at once, with a signature of that second.
    faults: ClassVar = {how: one for how, one in FAULTS.items() if how != "401"} | MORE
    absences: ClassVar = {
        "403": Fault({"status": 403}, Forbidden, retried=False),
        "404": Fault({"status": 404}, Unknown),
    }
    lacks: ClassVar = LACKS
    lie_at = Subject.lie_at

    overlap_seconds = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"marketsharp_contacts": cls.contacts()}

    @classmethod
    def contacts(cls) -> int:
        """How many there are, for so many of the set."""
        return cls.count

    def wrong(self) -> list[str]:
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        return differences(self.world, self.warehouse, self.declared, deletions=everything)

    def keys(self) -> list[Key]:
        return [(one,) for one in sorted(self.world.ids(self.set))]

    def create(self, count: int = 1) -> list[Key]:
        return [(self.world.create(self.set, self.new()),) for _ in range(count)]

    def new(self) -> dict[str, Any]:
        return {}

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        given = {camel(name): value for name, value in changes.items()}
        self.world.edit(self.set, key[0], given)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = [key[0] for key in keys]
        self.world.bulk_touch(self.set, ids, properties={camel(self.column): value})

    def vanish(self, key: Key) -> None:
        self.world.purge(self.set, key[0])


class MarketSharpContacts(MarketSharpSubject):
    entity = "contacts"
    set = "Contacts"
    column = "reference"
    values: ClassVar = {
        "title": "Dr",
        "email1": "ann@example.com",
        "is_tagged": "true",
        "qb_sync_date": "2026-11-02T10:00:00.5",
    }
    pages: ClassVar = dict.fromkeys(
        ("full", "delta"), r"GET /marketsharp/Contacts\?%24orderby=lastUpdate"
    )
    # What changes meanwhile moves to the end of the set.
    appends = True

    def new(self) -> dict[str, Any]:
        return {"firstName": "New"}

    def read_by(self, pages: int, reading: Reading) -> int:
        """Each page begins with the last two of the page before, of one second."""
        return 10 + (9 if reading == "full" else 8) * (pages - 1)


class MarketSharpFields(MarketSharpSubject):
    entity = "custom_fields"
    set = "CustomFields"
    column = "value"
    values: ClassVar = {"contact_id": "11112222-3333-4444-5555-666677778888"}
    pages: ClassVar = dict.fromkeys(("full", "delta"), r"GET /marketsharp/CustomFields\?%24orderby")
    lacks: ClassVar = {
        **LACKS,
        "delta": "a custom field does not say when it changed",
        "versions": "a custom field does not say when it changed",
    }

    @classmethod
    def contacts(cls) -> int:
        return cls.count // 3

    def read_by(self, pages: int, reading: Reading) -> int:
        return 10 + 8 * (pages - 1)
