"""HubSpot's client: who reads which kind of source of one account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.auth import Bearer
from crm_sync_assets.clients.files import GitHubDialect, GitHubFile
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.clients.limits import account_key
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.keys import ByKey
from crm_sync_assets.clients.rest.lists import probed
from crm_sync_assets.clients.rest.reading import Reading, listed_again
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.answers import has_records
from crm_sync_assets.crms.hubspot.closed import open_pages
from crm_sync_assets.crms.hubspot.listing import LIST_PAGE
from crm_sync_assets.crms.hubspot.meaning import of_account
from crm_sync_assets.crms.hubspot.objects import ObjectReading
from crm_sync_assets.crms.hubspot.pairs import pairs, pairs_by_key
from crm_sync_assets.crms.hubspot.removal import removed
from crm_sync_assets.crms.hubspot.sources import (
    TYPE_IDS,
    Associations,
    Objects,
    Removal,
    Zipcodes,
)
from crm_sync_assets.crms.hubspot.zipcodes import zipcodes
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import (
    SyncError,
    UsageError,
)
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import asked_for

log = logger(__name__)

UNCHANGING = ("hs_object_id", "createdate", "hs_createdate")


class HubSpot(Account):
    """Pages from one HubSpot account, and from the file of zip codes beside it."""

    _github: tuple[Http, Http] | None = None

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of raw records, as the entity's kind of source is read.

        An object is {"id": str, "properties": {str: str | None}, "archived": bool, …}. The modules
        beside this one say for each kind of source in which order pages come and what ends them.
        """
        session = self._http.session(read.entity.name, usage)
        source = read.entity.source
        if isinstance(source, Objects):
            return self._open_pages(
                session, source, lambda: ObjectReading(self, read, session, source).pages()
            )
        if isinstance(source, Associations):
            return pairs(self, read, session, source)
        if isinstance(source, Removal):
            return removed(self, read, session, source)
        if isinstance(source, Rest):
            return Reading(read, session, source, self._addresses(source)).pages()
        if isinstance(source, Zipcodes):
            api, raw = self._github_clients()
            name = read.entity.name
            file = self._zip_file(source)
            return zipcodes(read, file, api.session(name, usage), raw.session(name, usage))
        raise UsageError(f"{read.entity}: HubSpot has no source of kind {type(source).__name__}")

    def _open_pages(
        self, session: Session, source: Objects, read: Callable[[], Iterator[Page]]
    ) -> Iterator[Page]:
        return open_pages(self, self.type_id(source.type), session, read)

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every live record; objects with no more than their id and modified date."""
        source = read.entity.source
        if isinstance(source, Objects):
            session = self._http.session(read.entity.name, usage)
            size = min(read.page_size, LIST_PAGE)
            reading = ObjectReading(self, replace(read, page_size=size), session, source)
            return reading.outline()
        return self.pages(read, usage)

    def calculated(self, entity: Entity, usage: Usage) -> list[str]:
        """Formulas, roll-ups, scores; what never changes or is the modified date is left out."""
        source = entity.source
        if not isinstance(source, Objects):
            return []
        session = self._http.session(entity.name, usage)
        found = self.properties(self.type_id(source.type), session)
        left_out = {*UNCHANGING, source.modified}
        calculated = {name for name, one in found.items() if one.calculated}
        return sorted(calculated - left_out)

    def values_of(self, read: Read, names: Sequence[str], usage: Usage) -> Iterator[Page]:
        """Every live record of an object, from the list, with these properties."""
        source = read.entity.source
        if not isinstance(source, Objects):
            raise UsageError(f"{read.entity}: HubSpot calculates nothing of it")
        session = self._http.session(read.entity.name, usage)
        return ObjectReading(self, read, session, source).values_of(names)

    def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Nothing where a count proves a list complete, else its records' ids from elsewhere.

        Associations are not listed: every record is asked for its own, by name. The file of zip
        codes comes whole, or not at all.
        """
        session = self._http.session(read.entity.name, usage)
        source = read.entity.source
        if isinstance(source, Objects):
            yield from ObjectReading(self, read, session, source).overlooked()
        elif isinstance(source, Rest) and source.again:
            again = listed_again(read, source)
            yield from Reading(again, session, source, self._addresses(source)).pages()

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These records as they are now; the file of zip codes is read whole for it."""
        session = self._http.session(read.entity.name, usage)
        source = read.entity.source
        if isinstance(source, Objects):
            ids = [key[0] for key in keys]
            return self._open_pages(
                session, source, lambda: ObjectReading(self, read, session, source).by_key(ids)
            )
        if isinstance(source, Associations):
            return pairs_by_key(self, keys, session, source)
        if isinstance(source, Rest) and source.one is not None:
            return ByKey(read, session, source, source.one, self._addresses(source)).pages(keys)
        return asked_for(self.pages(read, usage), read.entity, keys)

    def meaning(self, entity: Entity) -> list[Meant]:
        """The account and the object types of this entity; of the zip codes, the repository."""
        source = entity.source
        if isinstance(source, Zipcodes):
            file = self._zip_file(source)
            where = f"{file.owner}/{file.repo}".lower()
            return [Meant("repository", where, "ZIPCODES_OWNER and ZIPCODES_REPO")]
        return of_account(self, source)

    def record_url(self, entity: Entity, key: Key) -> str | None:
        """The record's page in HubSpot; None where it has none or the account does not answer.

        https://{uiDomain}/contacts/{portalId}/record/{objectTypeId}/{recordId}
        """
        return self._page_for_people(entity, "record/{kind}/" + key[0])

    def list_url(self, entity: Entity) -> str | None:
        """The list of all such records, None as above.

        https://{uiDomain}/contacts/{portalId}/objects/{objectTypeId}/views/all/list
        """
        return self._page_for_people(entity, "objects/{kind}/views/all/list")

    def _page_for_people(self, entity: Entity, path: str) -> str | None:
        source = entity.source
        if isinstance(source, Zipcodes):
            return self._zip_file(source).url() if self._environment.get("ZIPCODES_OWNER") else None
        if isinstance(source, Objects):
            name = source.type
        elif isinstance(source, Removal):
            name = source.of
        else:
            return None
        account = self.remember("account for links", self._account_for_links)
        if account is None:
            return None
        kind = TYPE_IDS.get(name) or self.type_id(name)
        host = account.get("uiDomain") or "app.hubspot.com"
        return f"https://{host}/contacts/{account.get('portalId')}/{path.replace('{kind}', kind)}"

    def check(self) -> str:
        """Which account answers. Raises FatalError when the credentials are refused."""
        account = self.account()
        return f"HubSpot account {account.get('portalId')} ({account.get('accountType')})"

    def probe(self, entity: Entity, usage: Usage) -> None:
        """One request: for a record, the pairs of a record that there is not, or the file."""
        source, session = entity.source, self._http.session(entity.name, usage)
        if isinstance(source, Objects):
            kind = self.paths.objects(self.type_id(source.type))
            session.get(kind, {"limit": "1"}, check=has_records)
        elif isinstance(source, Rest):
            now = self.source_time() or datetime.now(UTC)
            probed(session, source, self._addresses(source), now)
        elif isinstance(source, Associations):
            path = self.paths.associations(self.type_id(source.of), self.type_id(source.to))
            session.post(path, {"inputs": [{"id": "1"}]}, accept=(200, 207))
        elif isinstance(source, Zipcodes):
            api, raw = self._github_clients()
            file = self._zip_file(source)
            file.fetch(api.session(entity.name, usage), raw.session(entity.name, usage), None)

    def _addresses(self, source: Rest) -> Addresses:
        """What the names in a declared source's paths stand for, in this version and account."""
        given = {"OWNERS": self.paths.owners(), "PIPELINES": self.paths.pipelines()}
        if source.each is None:
            return Addresses(given)
        kinds = {name: self.type_id(name) for name in self.pipeline_types}
        are_named = bool(self._environment.get("HUBSPOT_PIPELINE_OBJECTS"))
        return Addresses(given, source.each.name, kinds, are_named)

    def _account_for_links(self) -> dict[str, Any] | None:
        try:
            return self.account()
        except SyncError as error:
            log.info("no links to records: %s", error)
            return None

    def _zip_file(self, source: Zipcodes) -> GitHubFile:
        environment = self._environment
        return GitHubFile(
            owner=environment.require("ZIPCODES_OWNER", "the GitHub owner of the zip code file"),
            repo=environment.get("ZIPCODES_REPO") or "Zipcodes",
            branch=environment.get("ZIPCODES_BRANCH") or "main",
            path=source.path,
        )

    def _github_clients(self) -> tuple[Http, Http]:
        """GitHub's API, and the address of its raw files for when the API fails."""
        with self._remembering:
            if self._github is None:
                get = self._environment.get
                api_url = addresses.base_url(
                    self._environment, "GITHUB_BASE_URL", "https://api.github.com"
                )
                raw_url = addresses.base_url(
                    self._environment, "GITHUB_RAW_BASE_URL", "https://raw.githubusercontent.com"
                )
                name, token = "ZIPCODES_GITHUB_TOKEN", get("ZIPCODES_GITHUB_TOKEN")
                if not token:
                    name, token = "GITHUB_TOKEN", get("GITHUB_TOKEN")
                auth = Bearer(token, name) if token else None
                budget = self.budget(account_key("github", api_url, token or ""), ())
                options = {"budget": budget, "dialect": GitHubDialect(), "is_live": False}
                self._github = (
                    self.open(api_url, auth, **options),
                    self.open(raw_url, auth, **options),
                )
            return self._github
