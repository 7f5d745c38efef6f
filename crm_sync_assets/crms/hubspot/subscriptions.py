"""The subscriptions of a HubSpot app, made through its API.

https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide

- An app has one address for all of them, and subscriptions for one object and event each; what
  changes is told by the property, each of which needs its own.
- The app's developer account is asked, not the portal: by its key, or by a token of the app. A
  private app has no such API: its webhooks are set up in HubSpot alone.
- The client secret with which deliveries are signed can be read in HubSpot alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.auth import Bearer
from crm_sync_assets.clients.limits import account_key
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.crms.hubspot.dialect import HubSpotDialect
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.crms.hubspot.webhooks import (
    APP_ID,
    APP_TOKEN,
    DEVELOPER_KEY,
    HAPPENED,
    OBJECTS,
    PAIRS,
    own_types,
)
from crm_sync_assets.declarations.crm import Shared
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.subscriptions import Found, Standing, Wanted, made_at, tried
from crm_sync_assets.errors import SyncError, UsageError
from crm_sync_assets.settings import Environment, SyncSettings

MOST: Final = 1_000
"""Subscriptions that an app may have."""

WINDOWS: Final = (("burst", 100, 10.0),)
NOT_TOLD: Final = frozenset(
    {"hs_lastmodifieddate", "lastmodifieddate", "num_unique_conversion_events"}
    # Nothing changes these, or nothing but the change of another.
    | {"hs_object_id", "createdate", "hs_createdate", "hs_merged_object_ids"}
)
"""Properties whose changes HubSpot does not tell, or that need none to be told."""

CHANGE: Final = "propertyChange"
GENERAL: Final = "object"
ACTS: Final = tuple(one for one in HAPPENED if one not in (CHANGE, "associationChange"))
AT_ONCE: Final = 10
"""Deliveries at the same time, where the app does not say how many yet."""


class HubSpotDesk:
    """The subscriptions of one app."""

    part = ""

    def __init__(self, environment: Environment, settings: SyncSettings, shared: Shared) -> None:
        app = environment.require(APP_ID.name, APP_ID.about)
        if not app.isdecimal():
            raise UsageError(f"{APP_ID.name} is no number: give {APP_ID.about}")
        token, key = environment.get(APP_TOKEN.name), environment.get(DEVELOPER_KEY.name)
        base_url = addresses.base_url(environment, "HUBSPOT_BASE_URL", "https://api.hubapi.com")
        self._account = RestAccount(
            "hubspot", environment, settings, database_url=shared.database_url
        )
        http = self._account.open(
            base_url,
            Bearer(token, APP_TOKEN.name) if token else None,
            budget=self._account.budget(account_key("hubspot app", base_url, app), WINDOWS),
            dialect=HubSpotDialect(),
            windows=("burst",),
        )
        self._session = http.session(f"hubspot: webhooks of the app {app}")
        self._asked = {} if token else {"hapikey": key or ""}
        self._path = f"/webhooks/v3/{app}"
        self._types = own_types(environment)
        self._settings: Mapping[str, Any] = {}

    def wanted(self, entities: Sequence[Entity], address: str) -> Sequence[Wanted]:
        """What happens to objects first, and then as many properties as an app may have."""
        events = [one for entity in entities for one in self._events(entity, address)]
        changes = [one for entity in entities for one in self._changes(entity, address)]
        return [*_united(events), *changes][:MOST]

    def found(self) -> Sequence[Found]:
        settings = self._session.get(
            f"{self._path}/settings", self._asked, accept=(200, 404), check=_no_object
        )
        self._settings = settings.json if settings.status == 200 else {}
        answer = self._session.get(f"{self._path}/subscriptions", self._asked, check=_no_list)
        return [self._found(one) for one in answer.json["results"]]

    def target(self) -> str | None:
        return str(self._settings.get("targetUrl") or "")

    def tells(self, found: Found, wanted: Wanted) -> bool:
        return found.name == wanted.name

    def put_right(self, wrong: Sequence[Standing]) -> Iterator[tuple[Standing, SyncError | None]]:
        """The app's address first: it is the same for all."""
        address = next((one.wanted.address for one in wrong if one.wanted), "")
        if address and self.target() != address:
            self._lead_to(address)
        yield from tried(wrong, self._put_right)

    def close(self) -> None:
        self._account.close()

    def _lead_to(self, address: str) -> None:
        throttling = self._settings.get("throttling")
        self._settings = self._session.request(
            "PUT",
            f"{self._path}/settings",
            params=self._asked,
            json={
                "targetUrl": address,
                "throttling": throttling
                or {"maxConcurrentRequests": AT_ONCE, "period": "SECONDLY"},
            },
        ).json

    def _put_right(self, one: Standing) -> None:
        assert one.wanted is not None
        if one.found is None:
            told = {**_parts(one.wanted.name), "active": True}
            path = f"{self._path}/subscriptions"
            self._session.post(path, told, params=self._asked, accept=(200, 201))
        elif one.found.trouble == "off":
            path = f"{self._path}/subscriptions/{one.found.id}"
            self._session.request("PATCH", path, params=self._asked, json={"active": True})

    def _found(self, said: Mapping[str, Any]) -> Found:
        is_on = said.get("active") is True
        return Found(
            _name(said.get("eventType"), said.get("objectTypeId"), said.get("propertyName")),
            self.target() or "",
            str(said.get("id")),
            trouble=None if is_on else "off",
            why="" if is_on else "it is paused",
            since=made_at(said.get("createdAt")),
        )

    def _events(self, entity: Entity, address: str) -> Iterator[Wanted]:
        """What happens to whole objects, and to links."""
        for label, pair in PAIRS.items():
            if pair == entity.sync_type:
                head = label.partition("_TO_")[0].lower()
                yield Wanted(f"{head}.associationChange", (pair,), address)
        thing, type_id = self._thing(entity)
        for act in ACTS if thing else ():
            if act != "privacyDeletion" or thing == "contact":
                yield Wanted(_name(f"{thing}.{act}", type_id), (entity.sync_type,), address)

    def _changes(self, entity: Entity, address: str) -> Iterator[Wanted]:
        """Of every property that has a column of its own."""
        (thing, type_id), source = self._thing(entity), entity.source
        if not thing or not isinstance(source, Objects):
            return
        paths = (column.path(source.root) for column in entity.columns)
        names = {path.removeprefix(source.root) for path in paths if path.startswith(source.root)}
        for name in sorted(names - NOT_TOLD):
            yield Wanted(_name(f"{thing}.{CHANGE}", type_id, name), (entity.sync_type,), address)

    def _thing(self, entity: Entity) -> tuple[str, str]:
        """What an event calls it, and its type id where it has no name; "" for what is none."""
        named = {one: name for name, one in OBJECTS.items()}
        if entity.sync_type in named:
            return named[entity.sync_type], ""
        kinds = {one: number for number, one in self._types.items()}
        return ("object", kinds[entity.sync_type]) if entity.sync_type in kinds else ("", "")


def _name(event: Any, type_id: Any = "", name: Any = "") -> str:
    """One name for what a subscription tells of: `object.propertyChange 0-421 status`."""
    is_general = str(event).startswith(f"{GENERAL}.")
    parts = (event, type_id if is_general else "", name)
    return " ".join(str(one) for one in parts if one)


def _parts(name: str) -> dict[str, str]:
    """What is sent for such a name."""
    event, *more = name.split(" ")
    told = {"eventType": event}
    if event.startswith(f"{GENERAL}."):
        told["objectTypeId"] = more.pop(0)
    if more:
        told["propertyName"] = more[0]
    return told


def _united(wanted: Sequence[Wanted]) -> list[Wanted]:
    """One for each name: a link of contacts is told by the same one, whatever they lead to."""
    found: dict[str, Wanted] = {}
    for one in wanted:
        before = found[one.name].entities if one.name in found else ()
        found[one.name] = Wanted(one.name, (*before, *one.entities), one.address)
    return list(found.values())


def _no_object(body: Any) -> str | None:
    return None if isinstance(body, dict) else "the answer is no object"


def _no_list(body: Any) -> str | None:
    results = body.get("results") if isinstance(body, dict) else None
    return None if isinstance(results, list) else "the answer has no list of subscriptions"
