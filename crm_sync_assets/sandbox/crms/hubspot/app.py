"""The app whose webhooks the portal sends: its address, its subscriptions, and who may change them.

The developer account is asked, by its key or with a token of the app; the portal's own tokens are
not for it. https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import Route

from crm_sync_assets.sandbox.auth import Grant, after_scheme
from crm_sync_assets.sandbox.calls import Answer, Call, Desk, Door
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.hubspot.errors import Refusal, invalid, not_found
from crm_sync_assets.sandbox.crms.hubspot.webhooks import HubSpotWire
from crm_sync_assets.sandbox.crms.hubspot.world import World
from crm_sync_assets.sandbox.subscribed import Parcel, Post
from crm_sync_assets.sandbox.webhooks import Change

APP_ID = "1160452"
MOST = 1_000
NAMED = ("contact", "company", "deal", "ticket", "product", "line_item", "object")
ACTS = ("associationChange", "creation", "deletion", "merge", "propertyChange", "restore")
EVENTS = frozenset(
    {f"{name}.{act}" for name in NAMED for act in ACTS} - {"product.associationChange"}
    | {"contact.privacyDeletion"}
)
UNTOLD = frozenset({"hs_lastmodifieddate", "num_unique_conversion_events"})
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True)
class Subscription:
    """One event of one kind of object, or one property of it."""

    id: int
    event: str
    type_id: str | None
    name: str | None
    active: bool
    made: int
    changed: int

    @property
    def what(self) -> tuple[str, str | None, str | None]:
        return self.event, self.type_id, self.name


class Subscriptions(Post):
    """Those of the app. Without an address all of them are paused."""

    most = HubSpotWire.most

    def __init__(self, stage: Stage, world: World) -> None:
        super().__init__(world)
        self.secret = hashlib.sha256(f"{stage.seed}/hubspot app".encode()).hexdigest()[:36]
        self.key = hashlib.sha256(f"{stage.seed}/hubspot developer".encode()).hexdigest()[:36]
        self.token = f"CN{hashlib.sha256(self.key.encode()).hexdigest()}"
        self.reset()

    def reset(self) -> None:
        """No address and no subscriptions."""
        self.forget()
        self.settings: dict[str, Any] = {}
        self.made: dict[int, Subscription] = {}
        self.next_id = 25
        self._wire = HubSpotWire(self.secret, of=self._of)

    def parcels(self, changes: Sequence[Change]) -> Iterator[Parcel]:
        url = self.settings.get("targetUrl")
        if url and self._wire.tells(changes):
            yield Parcel(self, str(url), self._wire, changes)

    def _of(self, event: Mapping[str, Any]) -> int | None:
        """The subscription that an event is told for."""
        what = (event["subscriptionType"], event.get("objectTypeId"), event.get("propertyName"))
        found = (one.id for one in self.made.values() if one.active and one.what == what)
        return next(found, None)


class AppDesk(Desk):
    """The endpoints."""

    media_type = "application/json;charset=utf-8"

    def __init__(self, stage: Stage, subscriptions: Subscriptions) -> None:
        super().__init__(stage)
        self._of = subscriptions

    def refusal(self, status: int, message: str) -> Refusal:
        return not_found() if status == 404 else invalid(message, status)

    def admit(self, request: Request) -> Grant:
        key = request.query_params.get("hapikey") or after_scheme(request, "bearer")
        if key not in (self._of.key, self._of.token):
            message = "The API key provided is invalid, or is not for this app."
            raise Refusal(401, {"message": message, "category": "INVALID_AUTHENTICATION"})
        if request.path_params.get("app") != APP_ID:
            raise not_found("there is no such app in this developer account")
        return Grant(key, f"app {APP_ID}")

    def routes(self) -> Iterator[Route]:
        """Below /webhooks/v3 and the app's id."""
        table = [
            ("GET", "/settings", self.settings),
            ("PUT", "/settings", self.configure),
            ("DELETE", "/settings", self.clear),
            ("GET", "/subscriptions", self.listed),
            ("POST", "/subscriptions", self.make),
            ("GET", "/subscriptions/{id}", self.one),
            ("PATCH", "/subscriptions/{id}", self.change),
            ("DELETE", "/subscriptions/{id}", self.remove),
        ]
        for method, path, handler in table:
            where = "/webhooks/v3/{app}" + path
            yield Route(where, self.endpoint(Door(handler)), methods=[method])

    def settings(self, _: Call) -> Answer:
        if not self._of.settings:
            raise not_found("the app has no settings for webhooks")
        return Answer(self._of.settings)

    def configure(self, call: Call) -> Answer:
        asked = call.body if isinstance(call.body, dict) else {}
        url = urlsplit(str(asked.get("targetUrl") or ""))
        if url.scheme != "https" and url.hostname not in LOCAL:
            raise invalid("targetUrl must be an address that begins with https://")
        throttling = asked.get("throttling")
        most = throttling.get("maxConcurrentRequests") if isinstance(throttling, dict) else None
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise invalid("throttling needs maxConcurrentRequests")
        made = self._of.settings.get("createdAt") or iso(call.now)
        self._of.settings = {
            "targetUrl": asked["targetUrl"],
            "throttling": throttling,
            "createdAt": made,
            "updatedAt": iso(call.now),
        }
        self._of.listen()
        return Answer(self._of.settings)

    def clear(self, _: Call) -> Answer:
        self._of.settings = {}
        return Answer(None, 204)

    def listed(self, _: Call) -> Answer:
        return Answer({"results": [_shown(one) for one in self._of.made.values()]})

    def make(self, call: Call) -> Answer:
        asked = call.body if isinstance(call.body, dict) else {}
        if wrong := _problem(asked):
            raise invalid(wrong)
        what = (asked["eventType"], asked.get("objectTypeId"), asked.get("propertyName"))
        if any(one.what == what for one in self._of.made.values()):
            raise invalid("the app has such a subscription already")
        if len(self._of.made) >= MOST:
            raise invalid(f"an app has at most {MOST} subscriptions")
        # Whoever does not say so has one that is paused.
        is_on = asked.get("active") is True
        made = Subscription(self._of.next_id, *what, is_on, call.now, call.now)
        self._of.made[made.id] = made
        self._of.next_id += 1
        return Answer(_shown(made), 201)

    def one(self, call: Call) -> Answer:
        return Answer(_shown(self._found(call)))

    def change(self, call: Call) -> Answer:
        found, asked = self._found(call), call.body
        if not isinstance(asked, dict) or not isinstance(asked.get("active"), bool):
            raise invalid("only active can be changed, and has to be true or false")
        found.active, found.changed = asked["active"], call.now
        return Answer(_shown(found))

    def remove(self, call: Call) -> Answer:
        del self._of.made[self._found(call).id]
        return Answer(None, 204)

    def _found(self, call: Call) -> Subscription:
        number = call.path("id")
        found = self._of.made.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise not_found("there is no such subscription")
        return found


def _problem(asked: Mapping[str, Any]) -> str | None:
    event, name = asked.get("eventType"), asked.get("propertyName")
    if event not in EVENTS:
        return f"eventType {event} is none of those that there are"
    if event.startswith("object.") != bool(asked.get("objectTypeId")):
        return "objectTypeId goes with object.… alone, and is needed there"
    if event.endswith(".propertyChange") != bool(name):
        return "propertyName goes with propertyChange alone, and is needed there"
    if name in UNTOLD:
        return f"changes of {name} cannot be subscribed to"
    return None


def _shown(one: Subscription) -> dict[str, Any]:
    found = {
        "id": str(one.id),
        "eventType": one.event,
        "active": one.active,
        "createdAt": iso(one.made),
        "updatedAt": iso(one.changed),
    }
    more = {"objectTypeId": one.type_id, "propertyName": one.name}
    return {**found, **{name: value for name, value in more.items() if value}}
