"""One HubSpot account: its credentials, addresses and budget, and what is remembered of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.auth import Auth, Bearer
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.limits import Budget, account_key
from crm_sync_assets.clients.oauth import Grant, OAuth
from crm_sync_assets.clients.proxied import Transport
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.crms.hubspot.dialect import HubSpotDialect
from crm_sync_assets.crms.hubspot.paths import Paths
from crm_sync_assets.crms.hubspot.tokens import grant
from crm_sync_assets.errors import (
    Deferred,
    FatalError,
    NotSet,
    UsageError,
)
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)

WINDOWS = ("burst", "daily")


@dataclass(frozen=True, slots=True)
class Property:
    """What an account says of a property; `type` is HubSpot's, such as `datetime`.

    `label` is what its users see, with their description of it. `calculated` ones change without
    the record's modified date.
    https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
    """

    type: str
    calculated: bool
    label: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Property:
        label, description = (str(said.get(name) or "").strip() for name in _FOR_PEOPLE)
        told = f"“{label}”" if label else ""
        if description and description != label:
            told = f"{told}: {description}" if told else description
        return cls(str(said.get("type")), said.get("calculated") is True, told)


_FOR_PEOPLE = ("label", "description")


class Account(RestAccount):
    """What every reading of one HubSpot account shares.

    Built from the environment; UsageError names the variable that is missing.
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
        super().__init__(
            "hubspot",
            environment,
            settings,
            database_url=database_url,
            transport=transport,
            sleep=sleep,
        )
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
        auth, account = self._credentials(base_url)
        self._http = self.open(
            base_url,
            auth,
            budget=self.budget(account, settings.rate_windows),
            dialect=self._dialect,
            windows=WINDOWS,
        )

    def source_time(self) -> datetime | None:
        return self._http.source_time()

    def type_id(self, name: str) -> str:
        """What stands in a path for an object: its name, or the type id the environment gives."""
        return self.own_types.get(name, name)

    def properties(self, kind: str, session: Session) -> dict[str, Property]:
        """An object's properties by name; for ten minutes."""

        def fetch() -> dict[str, Property]:
            answer = session.get(self.paths.properties(kind), check=_has_properties)
            self._closed.pop(kind, None)
            return {one["name"]: Property.of(one) for one in answer.json["results"]}

        found: dict[str, Property] = self.remember(("properties", kind), fetch)
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

        found: dict[str, Any] = self.remember("account", fetch)
        return found

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
                self.note("account for links", None)
                return None

        found: str | None = self.remember("portal", fetch)
        return found

    @property
    def account_setting(self) -> str:
        """The variables that choose the account."""
        auth = self._http.auth
        return f"{auth.variable if auth else 'HUBSPOT_TOKEN'} (and HUBSPOT_BASE_URL)"

    def _credentials(self, base_url: str) -> tuple[Auth, str]:
        """How to authorise, and a name for the account that tells nothing about it."""
        get = self._environment.get
        token = get("HUBSPOT_TOKEN")
        if token:
            return Bearer(token, "HUBSPOT_TOKEN"), account_key("hubspot", base_url, token)
        client_id, client_secret = get("HUBSPOT_CLIENT_ID"), get("HUBSPOT_CLIENT_SECRET")
        refresh_token = get("HUBSPOT_REFRESH_TOKEN")
        if not (client_id and client_secret and refresh_token):
            raise NotSet(
                "HUBSPOT_TOKEN is not set: give the token of a private app or a service key, or "
                "HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET and HUBSPOT_REFRESH_TOKEN of an OAuth "
                "app, in the environment or in .env"
            )
        account = account_key("hubspot", base_url, client_id, refresh_token)
        tokens = self.open(base_url, None, budget=Budget({}), dialect=self._dialect)

        def endpoint(refresh: str) -> Grant:
            return grant(tokens, self.paths.token(), client_id, client_secret, refresh)

        store = self.token_store(account, refresh_token)
        return OAuth(endpoint, store, "HUBSPOT_REFRESH_TOKEN"), account


def _has_properties(body: Any) -> str | None:
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or not results:
        return "the answer has no properties"
    if not all(isinstance(one, dict) and one.get("name") for one in results):
        return "a property has no name"
    return None
