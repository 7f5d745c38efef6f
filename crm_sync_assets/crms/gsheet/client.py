"""The client of Google Sheets: which spreadsheets there are, and what of them is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.crms.gsheet import variables
from crm_sync_assets.crms.gsheet.api import ACCOUNT, DRIVE, GRANT, SHEETS
from crm_sync_assets.crms.gsheet.layout import Layout, Unfit, folded
from crm_sync_assets.crms.gsheet.reading import OF_A_SHEET, Place, Reading
from crm_sync_assets.crms.gsheet.sources import Sheet, cells_of
from crm_sync_assets.crms.gsheet.tabs import Reader, Tab
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import FatalError, NotSet, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)

PAGE: Final = "https://docs.google.com/spreadsheets/d/{}/edit"
SKIPS: Final = {"marketing_leads": "skip_leads", "marketing_spends": "skip_spends"}


class GSheet(RestAccount):
    """Pages of the spreadsheets that the environment names. The options are those of
    `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("gsheet", environment, settings, **options)
        self._sheets, self._drive = (
            self.open_api(
                addresses.base_url(environment, api.base_variable, api.base),
                api.auth,
                windows=api.windows,
                dialect=api.dialect,
            )
            for api in (SHEETS, DRIVE)
        )
        given = environment.get("GSHEET_OPTIONAL_HEADERS") or ""
        self._optional = frozenset(folded(name) for name in given.split(",") if name.strip())

    # -- reading ---------------------------------------------------------------------------------

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of rows; one without any where no file has changed since `read.state`.

        Raises Refused or Incomplete for sheets that could not be read, or says so on the last page.
        """
        if self._reads_nothing(read):
            yield Page([], {})
            return
        yield from self._reading(read, usage).pages()

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every row, as a read of everything has it."""
        return _whole(self._reading(_of_everything(read), usage).pages())

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These rows as they are now, of the sheets that they are of.

        Raises Unfit where no variable names one of those, and it is not to be replaced.
        """
        labels = {self._label(read.entity, key) for key in keys}
        # Of the sheets that are not asked for nothing is lost.
        reading = self._reading(replace(_of_everything(read), memory={}), usage)
        lost = sorted(labels - reading.places.keys())
        if lost and not read.strategy.replaces:
            raise Unfit(
                f"{read.entity}: no variable names the spreadsheet of {', '.join(lost)}, and its "
                "rows are stored: set it again, or replace the whole table by --full --force"
            )
        reading.places = {name: place for name, place in reading.places.items() if name in labels}
        return asked_for(_whole(reading.pages()), read.entity, keys)

    def _reading(self, read: Read, usage: Usage) -> Reading:
        return Reading(
            read,
            self._source(read.entity),
            self._places(read.entity),
            self._reader(read.entity.name, usage),
            self._optional,
            self._fits,
            self._account() or "everybody who has the link",
        )

    def _reads_nothing(self, read: Read) -> bool:
        if read.options.get("test_connection"):
            said = self._seen(self._every_place(read.entity))
            log.warning("%s: %s; nothing was read", read.entity, said)
            return True
        skip = SKIPS.get(read.entity.sync_type, "")
        if read.options.get(skip):
            log.warning(
                "%s: left out by %s; CRM_SYNC_GSHEET__EXCLUDE=%s does it for good",
                read.entity,
                skip,
                read.entity.sync_type,
            )
            return True
        return False

    def probe(self, entity: Entity, usage: Usage) -> None:
        """Whether each of its sheets is there, and has the headers that are declared."""
        source, reader = self._source(entity), self._reader(entity.name, usage)
        for place in self._places(entity).values():
            try:
                header = reader.header(place.spreadsheet, source)
                Layout.of(header, source, cells_of(entity), self._optional)
            except OF_A_SHEET as error:
                error.args = (f"{place}: {error}",)
                raise

    def meaning(self, entity: Entity) -> list[Meant]:
        """Of each sheet its spreadsheet, and the zone and the locale that its cells are read in.

        What cannot be read keeps the rows it has, and means nothing new.
        """
        source, found = self._source(entity), list[Meant]()
        for place in self._places(entity).values():
            try:
                tab = self._known_tab(place, source)
            except OF_A_SHEET:
                continue
            of, settings = f" of {place.label}" if place.label else "", f"the settings of {place}"
            found += [
                Meant(f"spreadsheet{of}", place.spreadsheet, place.variable),
                Meant(f"time zone{of}", tab.zone, settings),
                Meant(f"locale{of}", tab.manner.locale, settings),
            ]
        return found

    def _fits(self, place: Place, tab: Tab) -> bool:
        """Whether its zone and locale are those that the sync was begun with."""
        known = self._remembered.get(("tab", place.spreadsheet, tab.title))
        return known is None or (known[1].zone, known[1].manner) == (tab.zone, tab.manner)

    def _known_tab(self, place: Place, source: Sheet) -> Tab:
        reader = self._reader("gsheet: asking for the settings of a spreadsheet", Usage())

        def ask() -> Tab:
            return reader.tab(place.spreadsheet, source)

        found: Tab = self.remember(("tab", place.spreadsheet, source.tab), ask)
        return found

    # -- what there is ---------------------------------------------------------------------------

    def _places(self, entity: Entity) -> dict[str, Place]:
        """The entity's sheets by their years, the first year first.

        Raises NotSet where there is none, UsageError for what names no spreadsheet, or one twice.
        """
        source = self._source(entity)
        found = self._named(source.spreadsheet)
        if not found:
            raise NotSet(
                f"{entity}: {source.spreadsheet} is not set: give the id of the spreadsheet with "
                f"the tab '{source.tab}', in the environment or in .env"
            )
        by_id: dict[str, Place] = {}
        for place in found.values():
            other = by_id.setdefault(place.spreadsheet, place)
            if other is not place:
                raise UsageError(
                    f"{other.variable} and {place.variable} name the same spreadsheet: its rows "
                    "would be there twice"
                )
        return found

    def _named(self, name: str) -> dict[str, Place]:
        given = Variable(name, "a spreadsheet").given()
        return {
            label: Place(label, variable, variables.spreadsheet_id(variable, value))
            for label, variable in sorted(given.items())
            if (value := self._environment.get(variable))
        }

    def _label(self, entity: Entity, key: Key) -> str:
        """Of which sheet a row is."""
        return key[0].partition("-")[0] if self._source(entity).is_yearly else ""

    def _source(self, entity: Entity) -> Sheet:
        if not isinstance(entity.source, Sheet):
            raise UsageError(f"{entity}: nothing here reads a {type(entity.source).__name__}")
        return entity.source

    def _reader(self, subject: str, usage: Usage) -> Reader:
        return Reader(
            self._sheets.session(subject, usage),
            self._drive.session(subject, usage),
            drive_may_refuse=not self._account(),
        )

    def _account(self) -> str:
        """The e-mail address of the service account; "" where an API key is used."""
        if not ACCOUNT.is_set(self._environment):
            return ""
        return GRANT.account_parts(self._environment)[0]

    def check(self) -> str:
        """Whether the newest spreadsheet answers. Raises what it is refused with."""
        places = self._every_place()
        more = f", and {len(places) - 1} more are named" if len(places) > 1 else ""
        return f"{self._seen(places[-1:])}{more}"

    def _every_place(self, entity: Entity | None = None) -> list[Place]:
        """The spreadsheets that the variables name, and those of an entity."""
        names = {one.name: None for one in reversed(variables.SPREADSHEETS)}
        if entity is not None:
            names[self._source(entity).spreadsheet] = None
        return [place for name in names for place in self._named(name).values()]

    def _seen(self, places: Sequence[Place]) -> str:
        """Whom the credentials are of, and the titles of these."""
        reader = self._reader("gsheet: asking who answers", Usage())
        who = self._account() or "the API key"
        said = [
            f"{place} is '{reader.about(place.spreadsheet)['properties'].get('title')}'"
            for place in places
        ]
        return f"{who} sees {', '.join(said) or 'nothing: no variable names a spreadsheet'}"

    def record_url(self, entity: Entity, key: Key) -> str | None:
        """The spreadsheet: which row it is now, its key does not say."""
        return self._page(entity, self._label(entity, key))

    def list_url(self, entity: Entity) -> str | None:
        return self._page(entity, None)

    def _page(self, entity: Entity, label: str | None) -> str | None:
        try:
            places = self._places(entity)
        except FatalError:
            return None
        place = places.get(label) if label is not None else next(reversed(places.values()))
        if place is None:
            return None
        known = self._remembered.get(("tab", place.spreadsheet, self._source(entity).tab))
        return PAGE.format(place.spreadsheet) + (f"#gid={known[1].number}" if known else "")


def _of_everything(read: Read) -> Read:
    strategy = Strategy("full", overwrite=read.strategy.overwrite)
    return replace(read, strategy=strategy, cursor=None, state={}, limit=0)


def _whole(pages: Iterator[Page]) -> Iterator[Page]:
    """The pages of a read that has to be one of everything. Raises what kept it from that."""
    for page in pages:
        if page.incomplete is not None:
            raise page.incomplete
        yield page
