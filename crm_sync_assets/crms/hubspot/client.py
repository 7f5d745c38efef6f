"""HubSpot's client: one account, its addresses, its budget, and who reads which kind of source."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.auth import Auth, Bearer
from crm_sync_assets.clients.files import GitHubDialect, GitHubFile
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.clients.limits import Budget, account_key, shared_budget
from crm_sync_assets.clients.oauth import Grant, MemoryStore, OAuth, TableStore
from crm_sync_assets.clients.proxied import Transport
from crm_sync_assets.crms.hubspot import directory
from crm_sync_assets.crms.hubspot.answers import has_records
from crm_sync_assets.crms.hubspot.closed import open_pages
from crm_sync_assets.crms.hubspot.dialect import HubSpotDialect
from crm_sync_assets.crms.hubspot.meaning import of_account
from crm_sync_assets.crms.hubspot.objects import LIST_PAGE, ObjectReading
from crm_sync_assets.crms.hubspot.pairs import pairs, pairs_by_key
from crm_sync_assets.crms.hubspot.paths import Paths
from crm_sync_assets.crms.hubspot.removal import removed
from crm_sync_assets.crms.hubspot.sources import (
    TYPE_IDS,
    Associations,
    Objects,
    Owners,
    Pipelines,
    PipelineStages,
    Removal,
    Zipcodes,
)
from crm_sync_assets.crms.hubspot.tokens import grant
from crm_sync_assets.crms.hubspot.zipcodes import zipcodes
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import (
    Deferred,
    FatalError,
    Forbidden,
    NotSet,
    SyncError,
    UsageError,
)
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets.settings import Environment, SyncSettings

log = logging.getLogger(__name__)

WINDOWS = ("burst", "daily")
REMEMBER_SECONDS = 600.0
UNCHANGING = ("hs_object_id", "createdate", "hs_createdate")


class HubSpot:
    """Pages from one HubSpot account, and from the file of zip codes beside it.

    Built from the environment; UsageError names the variable that is missing. With a
    `database_url` the rate budget and OAuth tokens are shared by all processes that use it.
    `transport` replaces the network in tests, `sleep` the waiting.
    """

    def __init__(
        self,
        environment: Environment,
        settings: SyncSettings,
        *,
        database_url: str | None = None,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._environment = environment
        self._settings = settings
        self._database_url = database_url
        self._transport = transport
        self._sleep = sleep
        base_url = addresses.base_url(environment, "HUBSPOT_BASE_URL", "https://api.hubapi.com")
        self.paths = Paths(environment.get("HUBSPOT_API_VERSION") or "v3")
        self.longest_url: float = float("inf")
        """Characters of path and properties; what HubSpot answered with 414 had more."""
        self.most_properties: float = float("inf")
        """Names in one batch read, as far as HubSpot has refused more."""
        self._closed: dict[str, frozenset[str]] = {}
        self.own_types = {
            "appointments": environment.get("HUBSPOT_APPOINTMENTS_OBJECT_ID") or "0-421",
            "divisions": environment.get("HUBSPOT_DIVISIONS_OBJECT_ID") or "2-37778609",
            "genius_users": environment.get("HUBSPOT_GENIUS_USERS_OBJECT_ID") or "2-42119425",
        }
        types = environment.get("HUBSPOT_PIPELINE_OBJECTS") or "deals,tickets,appointments"
        self.pipeline_types = [name.strip() for name in types.split(",") if name.strip()]
        if not self.pipeline_types:
            raise UsageError(
                "HUBSPOT_PIPELINE_OBJECTS names no object type: write it like deals,tickets"
            )
        self._dialect = HubSpotDialect()
        self._budgets: list[Budget] = []
        self._opened: list[Http] = []
        auth, account = self._credentials(base_url)
        self._http = self._open(
            base_url,
            auth,
            budget=self._budget(account, settings.rate_windows),
            dialect=self._dialect,
            windows=WINDOWS,
        )
        self._remembered: dict[Hashable, tuple[float, Any]] = {}
        self._remembering = threading.RLock()
        self._said: set[Hashable] = set()
        self._github: tuple[Http, Http] | None = None

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
        if isinstance(source, Owners):
            return directory.owners(self, read, session)
        if isinstance(source, Pipelines):
            return directory.pipelines(self, read, session)
        if isinstance(source, PipelineStages):
            return directory.stages(self, read, session)
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
        return sorted(n for n, (_, calculated) in found.items() if calculated and n not in left_out)

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
        elif isinstance(source, Owners):
            yield from directory.owners_again(self, read, session)
        elif isinstance(source, Pipelines):
            yield from directory.pipelines(self, replace(read, cursor=None), session)
        elif isinstance(source, PipelineStages):
            yield from directory.stages(self, replace(read, cursor=None), session)

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
        if isinstance(source, Owners):
            return directory.owners_by_key(self, keys, session)
        if isinstance(source, Pipelines):
            return directory.pipelines_by_key(self, keys, session)
        if isinstance(source, PipelineStages):
            return directory.stages_by_key(self, keys, session)
        return asked_for(self.pages(read, usage), read.entity, keys)

    def meaning(self, entity: Entity) -> list[Meant]:
        """The account and the object types of this entity; of the zip codes, the repository."""
        source = entity.source
        if isinstance(source, Zipcodes):
            file = self._zip_file(source)
            where = f"{file.owner}/{file.repo}".lower()
            return [Meant("repository", where, "ZIPCODES_OWNER and ZIPCODES_REPO")]
        return of_account(self, source)

    @property
    def account_setting(self) -> str:
        """The variables that choose the account."""
        auth = self._http.auth
        return f"{auth.variable if auth else 'HUBSPOT_TOKEN'} (and HUBSPOT_BASE_URL)"

    def portal(self) -> str | None:
        """The account's id; None, told once, where its credentials may not ask for it."""

        def fetch() -> str | None:
            try:
                return str(self.account()["portalId"])
            except Deferred:
                raise
            except FatalError as error:
                log.warning(
                    "hubspot: the account does not tell its id, so that it cannot be compared with "
                    "the one of the last sync (%s)",
                    error,
                )
                # Nor is it asked again for the links of odd records.
                self._remembered["account for links"] = (time.monotonic(), None)
                return None

        found: str | None = self._remember("portal", fetch)
        return found

    def source_time(self) -> datetime | None:
        return self._http.source_time()

    def record_url(self, entity: Entity, key: Key) -> str | None:
        """The record's page in HubSpot; None where it has none or the account does not answer.

        https://{uiDomain}/contacts/{portalId}/record/{objectTypeId}/{recordId}
        """
        source = entity.source
        if isinstance(source, Zipcodes):
            return self._zip_file(source).url() if self._environment.get("ZIPCODES_OWNER") else None
        if isinstance(source, Objects):
            name = source.type
        elif isinstance(source, Removal):
            name = source.of
        else:
            return None
        account = self._remember("account for links", self._account_for_links)
        if account is None:
            return None
        kind = TYPE_IDS.get(name) or self.type_id(name)
        host = account.get("uiDomain") or "app.hubspot.com"
        return f"https://{host}/contacts/{account.get('portalId')}/record/{kind}/{key[0]}"

    def check(self) -> str:
        """Which account answers, and which objects it lets us read.

        Raises FatalError when the credentials are refused or nothing can be read.
        """
        account = self.account()
        names = [*TYPE_IDS, *self.own_types]
        closed: list[str] = []
        for name in names:
            session = self._http.session(name)
            try:
                session.get(
                    self.paths.objects(self.type_id(name)), {"limit": "1"}, check=has_records
                )
            except Deferred:
                raise
            except FatalError as error:
                closed.append(str(error))
        who = f"HubSpot account {account.get('portalId')} ({account.get('accountType')})"
        if len(closed) == len(names):
            raise Forbidden(f"{who} lets us read nothing. {closed[0]}")
        if closed:
            readable = len(names) - len(closed)
            return f"{who}: {readable} of {len(names)} objects readable. {' '.join(closed)}"
        return f"{who}: all {len(names)} objects readable"

    def close(self) -> None:
        for http in self._opened:
            http.close()
        for budget in self._budgets:
            budget.close()

    def type_id(self, name: str) -> str:
        """What stands in a path for an object: its name, or the type id the environment gives."""
        return self.own_types.get(name, name)

    def properties(self, kind: str, session: Session) -> dict[str, tuple[str, bool]]:
        """An object's properties: name → (type, whether HubSpot calculates it); for ten minutes."""

        def fetch() -> dict[str, tuple[str, bool]]:
            answer = session.get(self.paths.properties(kind), check=_has_properties)
            self._closed.pop(kind, None)
            return {
                one["name"]: (str(one.get("type")), one.get("calculated") is True)
                for one in answer.json["results"]
            }

        found: dict[str, tuple[str, bool]] = self._remember(("properties", kind), fetch)
        closed = self._closed.get(kind, frozenset())
        return {name: one for name, one in found.items() if name not in closed}

    def leave_out(self, kind: str, names: Iterable[str]) -> None:
        """Ask no more for these properties of an object, until its list is asked for anew."""
        with self._remembering:
            self._closed[kind] = self._closed.get(kind, frozenset()) | set(names)

    def property_names(self, kind: str, session: Session) -> list[str]:
        """All of an object's properties, in alphabetical order."""
        return sorted(self.properties(kind, session))

    def account(self) -> dict[str, Any]:
        """portalId, uiDomain, accountType and more. Raises what a refused credential raises."""

        def fetch() -> dict[str, Any]:
            answer = self._http.session("hubspot").get(
                self.paths.account(),
                check=lambda body: (
                    None
                    if isinstance(body, dict) and "portalId" in body
                    else "the answer names no portal"
                ),
            )
            details: dict[str, Any] = answer.json
            offset = details.get("utcOffsetMilliseconds")
            if isinstance(offset, int):
                self._dialect.utc_offset = timedelta(milliseconds=offset)
            return details

        found: dict[str, Any] = self._remember("account", fetch)
        return found

    def _account_for_links(self) -> dict[str, Any] | None:
        try:
            return self.account()
        except SyncError as error:
            log.info("no links to records: %s", error)
            return None

    def first_time(self, what: Hashable) -> bool:
        """Whether nobody asked this before; for what should be said once."""
        with self._remembering:
            if what in self._said:
                return False
            self._said.add(what)
            return True

    def _remember(self, what: Hashable, fetch: Callable[[], Any]) -> Any:
        with self._remembering:
            at, value = self._remembered.get(what, (float("-inf"), None))
            if time.monotonic() - at > REMEMBER_SECONDS:
                value = fetch()
                self._remembered[what] = (time.monotonic(), value)
            return value

    def _credentials(self, base_url: str) -> tuple[Auth, str]:
        """How to authorise, and a name for the account that tells nothing about it."""
        get = self._environment.get
        token = get("HUBSPOT_TOKEN")
        if token:
            return Bearer(token, "HUBSPOT_TOKEN"), account_key("hubspot", base_url, token)
        parts = [get(f"HUBSPOT_{part}") for part in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")]
        client_id, client_secret, refresh_token = parts
        if not (client_id and client_secret and refresh_token):
            raise NotSet(
                "HUBSPOT_TOKEN is not set: give the token of a private app or a service key, or "
                "HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET and HUBSPOT_REFRESH_TOKEN of an OAuth "
                "app, in the environment or in .env"
            )
        account = account_key("hubspot", base_url, client_id, refresh_token)
        tokens = self._open(base_url, None, budget=Budget({}), dialect=self._dialect)

        def endpoint(refresh: str) -> Grant:
            return grant(tokens, self.paths.token(), client_id, client_secret, refresh)

        store = (
            TableStore(
                self._database_url, account, refresh_token, self._environment.encryption_keys
            )
            if self._database_url
            else MemoryStore(refresh_token)
        )
        return OAuth(endpoint, store, "HUBSPOT_REFRESH_TOKEN"), account

    def _budget(self, account: str, windows: tuple[tuple[str, int, float], ...]) -> Budget:
        budget = shared_budget(
            account,
            windows,
            reserve=self._settings.rate_reserve,
            database_url=self._database_url,
        )
        self._budgets.append(budget)
        return budget

    def _open(self, base_url: str, auth: Auth | None, **options: Any) -> Http:
        http = Http(
            base_url,
            auth=auth,
            settings=self._settings,
            transport=self._transport,
            sleep=self._sleep,
            **options,
        )
        self._opened.append(http)
        return http

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
                api_url, raw_url = (
                    addresses.base_url(self._environment, name, default)
                    for name, default in (
                        ("GITHUB_BASE_URL", "https://api.github.com"),
                        ("GITHUB_RAW_BASE_URL", "https://raw.githubusercontent.com"),
                    )
                )
                name = "ZIPCODES_GITHUB_TOKEN" if get("ZIPCODES_GITHUB_TOKEN") else "GITHUB_TOKEN"
                token = get(name)
                auth = Bearer(token, name) if token else None
                budget = self._budget(account_key("github", api_url, token or ""), ())
                options = {"budget": budget, "dialect": GitHubDialect(), "is_live": False}
                self._github = (
                    self._open(api_url, auth, **options),
                    self._open(raw_url, auth, **options),
                )
            return self._github


def _has_properties(body: Any) -> str | None:
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or not results:
        return "the answer has no properties"
    if not all(isinstance(one, dict) and one.get("name") for one in results):
        return "a property has no name"
    return None
