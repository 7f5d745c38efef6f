"""One reading of an entity: every sheet of it, one after the other, each as a whole.

A sheet that cannot be read keeps the rows that it had, and the others go on; but the sync fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_sync_assets.crms.gsheet.layout import Layout, Unfit
from crm_sync_assets.crms.gsheet.loss import refuse_loss
from crm_sync_assets.crms.gsheet.order import doubted
from crm_sync_assets.crms.gsheet.rows import Rows
from crm_sync_assets.crms.gsheet.sources import Sheet, cells_of
from crm_sync_assets.crms.gsheet.stored import stored_keys
from crm_sync_assets.crms.gsheet.tabs import Reader, Tab, Taken
from crm_sync_assets.declarations.contract import Cursor, Page, Read
from crm_sync_assets.declarations.entity import Key, Record
from crm_sync_assets.errors import BadRequest, Closed, FatalError, Incomplete, Refused
from crm_sync_assets.log import logger

log = logger(__name__)

OF_A_SHEET = (Closed, BadRequest, Unfit)
"""What is wrong with one sheet, and says nothing of the others."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sheet is: its spreadsheet, and the variable that says so. `label` is its year."""

    label: str
    variable: str
    spreadsheet: str

    def __str__(self) -> str:
        return f"{self.label} ({self.variable})" if self.label else self.variable


@dataclass
class Reading:
    """Reads the sheets at these places for one `Read`.

    `optional` are headers that a sheet may be without, folded. `fits` says whether a tab is in the
    zone and the locale that the sync was begun with; `share` who a sheet is to be shared with.
    """

    read: Read
    source: Sheet
    places: Mapping[str, Place]
    reader: Reader
    optional: frozenset[str]
    fits: Callable[[Place, Tab], bool]
    share: str
    _faults: dict[str, FatalError] = field(default_factory=dict)
    _state: dict[str, Any] = field(default_factory=dict)

    def pages(self) -> Iterator[Page]:
        read = self.read
        self._note_what_is_lost()
        versions = {label: self._version(place) for label, place in self.places.items()}
        same = {label: keys for label in versions if (keys := self._unchanged(label, versions))}
        done = dict((read.cursor or {}).get("done", {}))
        if len(same) == len(self.places) and not self._faults and not done:
            log.info("%s: nothing has changed since the last sync", read.entity)
            yield Page(
                [], self._cursor(done), state=read.state, memory=self._memory(), unchanged=True
            )
            return
        for label, place in self.places.items():
            if label in self._faults:
                continue
            if label in same:
                self._state[label] = read.state[label]
                yield Page([], self._cursor(done), kept=same[label])
                continue
            try:
                yield from self._sheet(place, versions[label], done)
            except OF_A_SHEET as error:
                self._fault(place, error)
        yield self._last(done)

    def _last(self, done: Mapping[str, str]) -> Page:
        """The last page. Raises what kept the sheets from being read, where it must not stay."""
        read, cursor = self.read, self._cursor(done)
        if not self._faults:
            return Page([], cursor, state=self._state, memory=self._memory())
        error = self._failure()
        if not self._state or read.strategy.replaces or read.limit:
            raise error
        kept = [key for label in self._faults for key in stored_keys(read, label)]
        return Page([], cursor, kept=kept, incomplete=error)

    # -- one sheet -------------------------------------------------------------------------------

    def _sheet(self, place: Place, modified: str | None, done: dict[str, str]) -> Iterator[Page]:
        read = self.read
        cursor = read.cursor or {}
        before = done.get(place.label)
        if before is not None and before == modified:
            self._state[place.label] = cursor["state"][place.label]
            return
        taken = self.reader.take(place.spreadsheet, self.source, modified)
        if not self.fits(place, taken.tab):
            raise Unfit("its time zone or its locale was changed while it was read")
        half = cursor.get("half") or {}
        is_half = half.get("label") == place.label
        if is_half:
            # By its cells: a formula that moves a key moves no date.
            is_other = half.get("digest") != taken.digest
        else:
            is_other = before not in (None, taken.version)
        if is_other:
            # What was gathered of it is not what it is now.
            raise Refused(
                f"{read.entity}: {place} has changed since the sync was interrupted that this "
                "one goes on with; nothing was changed here, and the next sync begins anew"
            )
        rows = self._rows(place, taken)
        if not read.strategy.overwrite and not read.limit:
            refuse_loss(read, place.label, rows, taken)
        self._state[place.label] = {
            "spreadsheet": place.spreadsheet,
            "version": taken.modified,
            "rows": taken.filled,
        }
        if before is None:
            skipped = int(half["rows"]) if is_half else 0
            yield from self._paged(place, taken, rows, skipped, done)
        done[place.label] = taken.version

    def _paged(
        self, place: Place, taken: Taken, rows: Rows, skipped: int, done: dict[str, str]
    ) -> Iterator[Page]:
        """The records in pages; after the last of them the sheet is done."""
        chunk: list[Record] = []
        for number, record in enumerate(rows.records(taken.rows()), start=1):
            if number <= skipped:
                continue
            chunk.append(record)
            is_last = number == taken.filled
            if len(chunk) < self.read.page_size and not is_last:
                continue
            after = {**done, place.label: taken.version} if is_last else done
            half = {"label": place.label, "digest": taken.digest, "rows": number}
            yield Page(chunk, self._cursor(after, None if is_last else half))
            chunk = []

    def _cursor(self, done: Mapping[str, str], half: Mapping[str, Any] | None = None) -> Cursor:
        """The sheets that are done, by version, and how far the one is that is not."""
        cursor = {"done": dict(done), "state": dict(self._state)}
        return {**cursor, "half": half} if half else cursor

    def _rows(self, place: Place, taken: Taken) -> Rows:
        """How its records are made."""
        columns = cells_of(self.read.entity)
        layout = Layout.of(taken.header, self.source, columns, self.optional)
        self._note(place, taken, layout)
        manner = taken.tab.manner
        return Rows(
            place.label,
            self.source,
            columns,
            layout,
            manner,
            taken.modified,
            taken.tab.merges,
            doubted(manner, columns, layout, taken.rows()),
        )

    def _note(self, place: Place, taken: Taken, layout: Layout) -> None:
        entity = self.read.entity
        if layout.missing:
            log.warning(
                "%s: %s has no header for %s, so they are empty: GSHEET_OPTIONAL_HEADERS lets it",
                entity,
                place,
                ", ".join(layout.missing),
            )
        if self.read.options.get("show_summary"):
            log.warning(
                "%s: %s: %d rows in a grid of %d × %d; %d columns of ours, beside them %s",
                entity,
                place,
                taken.filled,
                taken.tab.rows,
                taken.tab.columns,
                len(layout.places),
                ", ".join(layout.undeclared) or "none",
            )

    # -- all of them -----------------------------------------------------------------------------

    def _version(self, place: Place) -> str | None:
        """When the file changed, before anything of it is read; None where nobody tells."""
        try:
            return self.reader.modified(place.spreadsheet)
        except OF_A_SHEET as error:
            self._fault(place, error)
            return None

    def _unchanged(self, label: str, versions: Mapping[str, str | None]) -> list[Key]:
        """The stored keys of a sheet that is what it was, if all of it is still stored."""
        known = self.read.state.get(label)
        if not known or versions[label] is None or self.read.limit:
            return []
        here = self.places[label].spreadsheet
        if (known["version"], known["spreadsheet"]) != (versions[label], here):
            return []
        keys = stored_keys(self.read, label)
        return keys if len(keys) == known["rows"] else []

    def _memory(self) -> dict[str, Any]:
        return {"places": {label: place.variable for label, place in self.places.items()}}

    def _note_what_is_lost(self) -> None:
        """A sheet that was read before, and that nothing names any more, is not taken for gone."""
        for label, variable in self.read.memory.get("places", {}).items():
            if label not in self.places and not self.read.strategy.replaces:
                self._faults[label] = Unfit(
                    f"{label} ({variable}): the variable is set no more, and its rows are stored: "
                    "set it again, or replace the whole table by --full --force"
                )

    def _fault(self, place: Place, error: FatalError) -> None:
        said = str(error).removeprefix(f"{self.read.entity.name}: ")
        is_off = "Enable it" in said  # the API of the whole project, and Google says where
        advice = f" Share it with {self.share}." if isinstance(error, Closed) and not is_off else ""
        error.args = (f"{place}: {said}{advice}",)
        self._faults[place.label] = error
        log.error("%s: %s", self.read.entity, error)

    def _failure(self) -> FatalError:
        """What the sync fails with; of a single kind where nothing could be read at all."""
        entity, faults = self.read.entity, [*self._faults.values()]
        if not self._state:
            faults[0].args = (f"{entity}: {'; '.join(map(str, faults))}",)
            return faults[0]
        kind = Incomplete if all(isinstance(fault, Closed) for fault in faults) else Refused
        return kind(
            f"{entity}: {len(faults)} of {len({*self.places, *self._faults})} sheets could not be "
            f"read; their rows stay as they were, the others are stored: "
            f"{'; '.join(map(str, faults))}"
        )
