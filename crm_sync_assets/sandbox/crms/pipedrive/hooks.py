"""Webhooks of a Pipedrive company: made and taken away by an API, banned, and in the end removed.

Ten first attempts in a row that fail ban one for half an hour, and what happens then is lost. After
three days without success it is removed. Nothing can change one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from crm_sync_assets.sandbox.calls import Answer, Call, Refusal
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.pipedrive.entrance import COMPANY, answered
from crm_sync_assets.sandbox.crms.pipedrive.webhooks import ACTIONS, NAMES, PipedriveWire
from crm_sync_assets.sandbox.crms.pipedrive.world import World
from crm_sync_assets.sandbox.subscribed import Parcel, Post
from crm_sync_assets.sandbox.webhooks import Change

MOST = 40
FAILURES = 10
BAN_MS = 30 * 60_000
SILENCE_MS = 3 * 86_400_000
_OBJECTS = """
    deal person organization activity lead note pipeline product stage user * board phase project
    task deal_product deal_installment
"""
OBJECTS = frozenset(_OBJECTS.split())
VERBS = {
    "2.0": frozenset({"create", "change", "delete", "*"}),
    "1.0": frozenset({"added", "updated", "merged", "deleted", "*"}),
}
_FIELDS = """
    subscription_url event_action event_object user_id http_auth_user http_auth_password version
    name
"""
FIELDS = frozenset(_FIELDS.split())
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True)
class Hook:
    """One webhook; moments are epoch ms."""

    id: int
    asked: Mapping[str, Any]
    made: int
    active: bool = True
    removed: int | None = None
    reason: str | None = None
    delivered: int | None = None
    status: int | None = None
    succeeded: int = 0
    failures: int = 0
    banned_until: int = field(default=0)


class Hooks(Post):
    """All webhooks of a company."""

    def __init__(self, stage: Stage, world: World) -> None:
        super().__init__(world)
        self._clock = stage.clock
        self._hooks: dict[int, Hook] = {}
        self._next_id = 55

    def reset(self) -> None:
        """None is left."""
        self.forget()
        self._hooks = {}

    # -- endpoints -------------------------------------------------------------------------------

    def listed(self, _: Call) -> Answer:
        """All of them, those too that were removed for their silence."""
        return answered([self._shown(one) for one in self._hooks.values()] or None)

    def make(self, call: Call) -> Answer:
        """One more. Refusal for what Pipedrive does not take."""
        asked = call.body if isinstance(call.body, dict) else {}
        version = str(asked.get("version") or "1.0")
        wrong = _problem(asked, version)
        if wrong is None and sum(one.removed is None for one in self._hooks.values()) >= MOST:
            wrong = {"user_id": f"a user has at most {MOST} webhooks"}
        if wrong is not None:
            raise _refused(400, wrong)
        hook = Hook(self._next_id, {**asked, "version": version}, call.now, succeeded=call.now)
        self._hooks[hook.id] = hook
        self._next_id += 1
        self.listen()
        return Answer({"status": "ok", "success": True, "data": self._shown(hook)}, 201)

    def remove(self, call: Call) -> Answer:
        """Take one away."""
        number = call.path("id")
        if not number.isdecimal() or int(number) not in self._hooks:
            raise _refused(404, {"id": "webhook not found"})
        del self._hooks[int(number)]
        return Answer({"status": "ok", "success": True})

    # -- deliveries ------------------------------------------------------------------------------

    def parcels(self, changes: Sequence[Change]) -> Iterator[Parcel]:
        (change,) = changes
        now = self._clock.now_ms()
        if change.kind not in NAMES:
            return
        for hook in list(self._hooks.values()):
            self._let_go(hook, now)
            if not hook.active or hook.banned_until > now or not _hears(hook, change):
                continue
            user, password = (str(hook.asked.get(n) or "") for n in _AUTH)
            wire = PipedriveWire(user, password)
            yield Parcel(hook, str(hook.asked["subscription_url"]), wire, changes)

    def delivered(self, parcel: Parcel, statuses: Sequence[int]) -> None:
        hook, now = parcel.subscription, self._clock.now_ms()
        hook.delivered, hook.status = now, statuses[-1] or None
        if 200 <= statuses[-1] < 300:
            hook.succeeded = now
        hook.failures = 0 if 200 <= statuses[0] < 300 else hook.failures + 1
        if hook.failures >= FAILURES:
            hook.banned_until, hook.failures = now + BAN_MS, 0

    def turn_off(self, id: int) -> None:
        """As somebody does by hand."""
        self._hooks[int(id)].active = False

    def _let_go(self, hook: Hook, now: int) -> None:
        tried = hook.delivered is not None and hook.status is not None
        if hook.active and tried and now - hook.succeeded > SILENCE_MS:
            hook.active, hook.removed, hook.reason = False, now, "no success for three days"

    def _shown(self, hook: Hook) -> dict[str, Any]:
        self._let_go(hook, self._clock.now_ms())
        asked = hook.asked
        return {
            "id": hook.id,
            "company_id": COMPANY["company_id"],
            "owner_id": 11,
            "user_id": asked.get("user_id", 11),
            "admin_id": 11,
            "event_action": asked["event_action"],
            "event_object": asked["event_object"],
            "subscription_url": asked["subscription_url"],
            "version": asked["version"],
            "name": asked.get("name"),
            "is_active": int(hook.active),
            "add_time": _text(hook.made),
            "remove_time": _text(hook.removed),
            "remove_reason": hook.reason,
            "type": "general",
            "http_auth_user": asked.get("http_auth_user"),
            "http_auth_password": "*" * 8 if asked.get("http_auth_password") else None,
            "last_delivery_time": _text(hook.delivered),
            "last_http_status": hook.status,
        }


_AUTH = ("http_auth_user", "http_auth_password")


def _hears(hook: Hook, change: Change) -> bool:
    action, thing = hook.asked["event_action"], hook.asked["event_object"]
    now = ACTIONS.get(change.act, "change")
    old = {"create": "added", "change": "updated", "delete": "deleted"}
    return action in ("*", now, old[now]) and thing in ("*", NAMES[change.kind])


def _problem(asked: Mapping[str, Any], version: str) -> dict[str, str] | None:
    """What is wrong with a new webhook, by field."""
    if unknown := sorted(set(asked) - FIELDS):
        return {unknown[0]: "is not allowed"}
    if version not in VERBS:
        return {"version": "must be 1.0 or 2.0"}
    if asked.get("event_action") not in VERBS[version]:
        return {"event_action": f"must be one of {', '.join(sorted(VERBS[version]))}"}
    if asked.get("event_object") not in OBJECTS or (
        version == "1.0" and asked["event_object"] == "lead"
    ):
        return {"event_object": "is not supported"}
    if bool(asked.get(_AUTH[0])) != bool(asked.get(_AUTH[1])):
        return {"http_auth_password": "user and password go together"}
    url = urlsplit(str(asked.get("subscription_url") or ""))
    if url.scheme not in ("http", "https") or not url.hostname:
        return {"subscription_url": "must be a valid URL"}
    if url.scheme == "http" and url.hostname not in LOCAL:
        return {"subscription_url": "must be https"}
    if url.hostname.endswith("pipedrive.com"):
        return {"subscription_url": "must not be an address of Pipedrive's"}
    return None


def _refused(status: int, errors: Mapping[str, str]) -> Refusal:
    return Refusal(status, {"status": "error", "success": False, "errors": dict(errors)})


def _text(at: int | None) -> str | None:
    """A moment in UTC, with a blank and no zone."""
    return None if at is None else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"
