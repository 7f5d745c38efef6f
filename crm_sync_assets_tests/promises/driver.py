"""What a CRM must be able to do to be held to the promises: live, fail, and know the truth.

A subject is one entity of one CRM in an environment of its own. A CRM that moves in writes one
(`hubspot`, `genius`) and names it in `crms`; every test here then runs against it too. What a CRM
has no such thing as, it says in `lacks`, with the reason: the tests that need it are skipped with
these words.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import SyncError
from crm_sync_assets.operations.opening import open_client, open_warehouse
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets_tests import scripted
from crm_sync_assets_tests.truth import stored_rows

Key = tuple[str, ...]
"""A record's key as the warehouse spells it, in text."""
Reading = Literal["full", "delta"]
Ability = Literal[
    "delta", "versions", "delete", "restore", "vanish", "compare", "merge", "late", "pause",
    "lie", "credentials",
]  # fmt: skip
"""delta         the source can be asked for what changed, or for what may have
versions      a record says when it changed, and windows are about that
delete        a record is deleted in a way that a delta sees
restore       a deleted record comes back
vanish        a record is gone and only its absence tells
compare       a delta finds out what has vanished
merge         two records become one
late          a write shows later than its timestamp says
pause         the source asks to be left alone for a while
lie           a page can be made to leave records out
credentials   what the source lets in can be told from what it does not
"""

NOON = datetime(2026, 11, 20, 20, tzinfo=UTC)
"""Where the source's clock stands in the beginning; it moves only when told to."""
PAGE = 10
"""Records per page, and per batch."""
HOUR = 3_600
_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Fault:
    """How a page fails: what the source does, how a sync ends that meets it at every try, and
    whether another try is made.
    """

    action: Mapping[str, Any]
    error: type[SyncError]
    retried: bool = True


class Subject(ABC):
    """One entity of one CRM, its source, and syncs of it. `opened` makes one; `close` ends it."""

    crm: ClassVar[str]
    entity: ClassVar[str]
    column: ClassVar[str]
    """A text column that `edit` may set, and the warehouse keeps under the same name."""
    values: ClassVar[Mapping[str, Any]]
    """More such columns of as many kinds as there are, and a value for each; all may be cleared."""
    count: ClassVar[int]
    """Live records in the beginning: several pages."""
    lacks: ClassVar[Mapping[Ability, str]] = {}
    """What this CRM has no such thing as, and why."""
    faults: ClassVar[Mapping[str, Fault]]
    """The ways in which a page may fail."""
    absences: ClassVar[Mapping[str, Fault]]
    """The ways in which it says that the account has no such entity, or may not read it."""
    merges: ClassVar[tuple[str, ...]] = ()
    """The ways in which records are merged."""
    restores: ClassVar[tuple[str, ...]] = ()
    """The ways in which a deleted record comes back."""
    appends: ClassVar[bool] = False
    """Whether a change is a record of its own, and the last of all."""

    def __init__(self, environment: pytest.MonkeyPatch) -> None:
        self.environment = environment
        self.waits: list[float] = []
        """What would have been waited, in seconds."""
        self.running: Sync | None = None
        self.configure(page_size=PAGE, load_rows=PAGE, prefetch_pages=1, wait_seconds=0)

    @classmethod
    @abstractmethod
    def opened(
        cls, environment: pytest.MonkeyPatch, fixture: Callable[[str], Any]
    ) -> AbstractContextManager[Self]:
        """A subject as it is in the beginning; `fixture` gives those of pytest by name."""

    # Syncs

    def configure(self, **settings: object) -> None:
        """Settings of this CRM, as the environment gives them."""
        for name, value in settings.items():
            self.environment.setenv(f"CRM_SYNC_{self.crm}__{name}".upper(), str(value))

    def connect(self) -> None:
        """A client of the environment as it is now, in place of the one before, if any."""
        self.close()
        self.warehouse = open_warehouse()
        self.client: Any = open_client(self.crm)
        self.hurry()

    def close(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
            del self.client

    @property
    def declared(self) -> Entity:
        return registry.entity(f"{self.crm}.{self.entity}")

    @property
    def version(self) -> str:
        """The column that orders the versions of `column`."""
        assert self.declared.modified is not None
        return self.declared.modified.name

    @property
    def settings(self) -> SyncSettings:
        """Of this entity, in the environment as it is now."""
        return settings_for(registry.crm(self.crm), self.declared)

    def begin(self, **flags: Any) -> Sync:
        """A sync that has its lock and its row, and has read nothing."""
        crm = registry.crm(self.crm)
        request = Request(crm, self.declared, Flags(**flags), self.settings)
        self.running = begin(request, self.client, self.warehouse)
        return self.running

    def sync(self, **flags: Any) -> Sync:
        """A whole sync. Raises the SyncError it ends with."""
        begun = self.begin(**flags)
        drain(begun)
        return begun

    def read(self, reading: Reading) -> Sync:
        return self.sync(full=True) if reading == "full" else self.sync()

    def history(self) -> list[dict[str, Any]]:
        """All rows, the oldest first."""
        return scripted.history(self.warehouse)

    def rows(self) -> dict[Key, dict[str, Any]]:
        """What the warehouse holds, deleted rows too, without what a sync notes on them."""
        return {
            key: {name: value for name, value in row.items() if not name.startswith("sync_")}
            for key, row in stored_rows(self.warehouse, self.declared).items()
        }

    def row(self, key: Key) -> dict[str, Any]:
        return self.rows()[key]

    def live(self) -> set[Key]:
        return {key for key, row in self.rows().items() if row["deleted_at"] is None}

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; what the statement changes is kept."""
        with self.warehouse.connection() as connection:
            done = connection.execute(statement, values)
            found: list[tuple[Any, ...]] = done.fetchall() if done.description else []
            connection.commit()
            return found

    def forget(self) -> None:
        """An empty warehouse, as if nothing had ever been synced."""
        kept = "ingestion_sync_history, ingestion_sync_keys, ingestion_quarantine"
        self.query(f"DROP TABLE IF EXISTS {self.declared.table} CASCADE")
        self.query(f"TRUNCATE {kept}")

    def began(self) -> None:
        """Wait until the running sync has noted when it began, by the source's clock."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.running is None or self.running.started_at_source is None:
            assert time.monotonic() < deadline, "the sync did not begin"
            time.sleep(0.005)

    # The source

    @abstractmethod
    def hurry(self) -> None:
        """Make the client write its waits down in `waits` instead of waiting."""

    @abstractmethod
    def wrong(self) -> list[str]:
        """Every way in which the table differs from what the source finally holds."""

    @abstractmethod
    def keys(self) -> list[Key]:
        """Live records, in the order of their keys."""

    @abstractmethod
    def create(self, count: int = 1) -> list[Key]: ...

    @abstractmethod
    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        """Set columns, or clear them with None, and the record's modified date with them."""

    @abstractmethod
    def touch(self, keys: list[Key], value: str) -> None:
        """Set `column` of all of them, at one and the same moment."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Move the source's clock."""

    @abstractmethod
    def now(self) -> datetime:
        """The source's clock, aware UTC."""

    # Pages, counted from the next one; `mend` takes all of it back

    @abstractmethod
    def before_page(self, number: int, act: Callable[[], None], reading: Reading) -> None:
        """Do something just before the source is asked for a page."""

    @abstractmethod
    def break_page(self, number: int, fault: Fault, reading: Reading, *, lasting: bool) -> None:
        """A page fails, once or from there on at every try."""

    def refuse(self, absence: Fault) -> None:
        """The source says at every try that there is no such entity for us."""
        self.break_page(1, absence, "full", lasting=True)

    @abstractmethod
    def count_pages(self, reading: Reading) -> Callable[[], int]:
        """Tells how often the source has been asked for a page since."""

    @abstractmethod
    def mend(self) -> None: ...

    def read_by(self, pages: int, reading: Reading) -> int:
        """How many records so many pages hold together, the first of several."""
        return PAGE * pages

    # What not every CRM has

    def delete(self, key: Key) -> None:
        raise NotImplementedError

    def restore(self, key: Key, how: str) -> None:
        raise NotImplementedError

    def vanish(self, key: Key) -> None:
        raise NotImplementedError

    def merge(self, kept: Key, lost: Key, how: str) -> Key:
        """The key of what came of both."""
        raise NotImplementedError

    def edit_late(self, key: Key, changes: Mapping[str, Any], seconds: float) -> None:
        """A write that bears the time of now, and that a delta sees so many seconds later."""
        raise NotImplementedError

    def pause_page(self, number: int, seconds: float, *, lasting: bool) -> None:
        """A page of a full read is refused for now: come again after so many seconds."""
        raise NotImplementedError

    def lie_at(self, number: int, lie: Literal["empty", "short"]) -> None:
        """A page of a full read comes without its records, or without one of them."""
        raise NotImplementedError

    def give_wrong_credentials(self, secret: str) -> str:
        """Point the environment to this source with a secret that it refuses; which variable
        has it."""
        raise NotImplementedError

    def point_nowhere(self) -> Callable[[], None]:
        """Point the environment to where nobody answers; what points it back."""
        raise NotImplementedError


METHODS: Mapping[Ability, str] = {
    "delete": "delete",
    "restore": "restore",
    "vanish": "vanish",
    "merge": "merge",
    "late": "edit_late",
    "pause": "pause_page",
    "lie": "lie_at",
    "credentials": "give_wrong_credentials",
}
"""How a subject shows that it is able; `delta`, `versions` and `compare` its declaration says."""


def failed(subject: Subject, error: type[SyncError], **flags: Any) -> dict[str, Any]:
    """The history row of a sync that ends with this error, and is a failed one."""
    with pytest.raises(error):
        subject.sync(**flags)
    row = subject.history()[-1]
    assert (row["status"], row["watermark"]) == ("failed", None)
    assert row["error_message"]
    return row


def lived(subject: Subject) -> None:
    """A synced source of which everything has changed since, at one moment."""
    subject.sync()
    subject.pass_time(HOUR)
    subject.touch(subject.keys(), "touched")


def each_page(count: int) -> Iterator[int]:
    """The numbers of all pages but the first: a page that was read comes before each."""
    yield from range(2, count + 1)
