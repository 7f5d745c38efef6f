"""Integrations of CallRail's companies, as far as they are webhooks: made, changed, disabled.

One for each company. Nothing is sent twice; what fails again and again switches the company's off.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Refusal
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.callrail.webhooks import CallRailWire
from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets.sandbox.subscribed import Parcel, Post
from crm_sync_assets.sandbox.webhooks import Change

KINDS = ("Webhooks", "Custom")
_FIELDS = """
    pre_call_webhook answered_call_webhook post_call_webhook updated_call_webhook
    sms_received_webhook sms_sent_webhook form_captured_webhook post_outbound_call_webhook
    updated_outbound_call_webhook
"""
FIELDS = frozenset(_FIELDS.split())
FIELD_OF = {
    "pre_call": "pre_call_webhook",
    "post_call": "post_call_webhook",
    "call_modified": "updated_call_webhook",
    "outbound_post_call": "post_outbound_call_webhook",
    "outbound_call_modified": "updated_outbound_call_webhook",
    "text_sent": "sms_sent_webhook",
    "text_received": "sms_received_webhook",
    "form_submission": "form_captured_webhook",
}
"""What has the addresses that an event is told to."""
FAILURES = 5
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True)
class Integration:
    """One company's."""

    id: int
    company: str
    kind: str
    config: dict[str, Any]
    state: str = "active"
    failures: int = field(default=0)


class Integrations(Post):
    """All of all companies. `company_of` gives a company's id and values, or refuses the call."""

    def __init__(self, stage: Stage, world: World, refusal: Callable[[int, str], Refusal]) -> None:
        super().__init__(world)
        self._calls = world
        self._seed = stage.seed
        self._clock = stage.clock
        self._refusal = refusal
        self._made: dict[int, Integration] = {}
        self._next_id = 8_101
        self.are_closed = False

    def reset(self) -> None:
        """None is left."""
        self.forget()
        self._made = {}
        self.are_closed = False

    def key_of(self, company: str) -> str:
        """With which what is of this company is signed."""
        return hashlib.sha256(f"{self._seed}/{company}".encode()).hexdigest()[:32]

    def keys(self) -> list[str]:
        """Those of all companies."""
        return [self.key_of(one) for one in self._calls.ids("companies")]

    def close_to_all(self, is_so: bool = True) -> None:
        """The key's user may not see integrations."""
        self.are_closed = is_so

    def turn_off(self, company: str) -> None:
        """As somebody does by hand."""
        for one in self._made.values():
            if one.company == company:
                one.state = "disabled"

    # -- endpoints -------------------------------------------------------------------------------

    def listed(self, call: Call) -> Answer:
        """Those of one company, which has to be named."""
        if call.request.method == "POST":
            return self._make(call)
        company = call.query("company_id")
        if not company:
            raise BadRequest("company_id is required")
        self._check(call, company)
        found = [self._shown(one) for one in self._made.values() if one.company == company]
        pages = {"page": 1, "per_page": 100, "total_pages": 1, "total_records": len(found)}
        return Answer({**pages, "integrations": found})

    def one(self, call: Call) -> Answer:
        """Look at one, change it or disable it."""
        number = call.path("id")
        found = self._made.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise self._refusal(404, "Integration not found")
        self._check(call, found.company)
        if call.request.method == "DELETE":
            found.state = "disabled"
            return Answer(None, 204)
        if call.request.method == "PUT":
            self._change(found, call.body if isinstance(call.body, dict) else {})
        return Answer(self._shown(found))

    def _make(self, call: Call) -> Answer:
        asked = call.body if isinstance(call.body, dict) else {}
        company = str(asked.get("company_id") or "")
        if not company:
            raise BadRequest("company_id is required")
        self._check(call, company)
        if asked.get("type") not in KINDS:
            raise BadRequest(f"type must be one of {', '.join(KINDS)}")
        if any((one.company, one.kind) == (company, asked["type"]) for one in self._made.values()):
            raise BadRequest("the company has such an integration already")
        config = _config(asked.get("config"))
        made = Integration(self._next_id, company, str(asked["type"]), config)
        self._made[made.id] = made
        self._next_id += 1
        self.listen()
        return Answer(self._shown(made), 201)

    def _change(self, found: Integration, asked: Mapping[str, Any]) -> None:
        state = asked.get("state", found.state)
        if state not in ("active", "disabled"):
            raise BadRequest("state must be active or disabled")
        if "config" in asked:
            found.config = _config(asked["config"])
        if state == "active" and found.state != "active":
            found.failures = 0
        found.state = state

    def _check(self, call: Call, company: str) -> None:
        """Refusal unless the company is one of the account, and its integrations may be seen."""
        if self.are_closed:
            raise self._refusal(403, "You do not have permission to access this resource")
        table = self._calls.table("companies")
        number = table.number_of(company)
        if number is None:
            raise self._refusal(404, "Company not found")
        values = table.values(number, table.state(number, call.now)[1])
        account = self._calls.table("accounts").id_of(self._calls.account("companies", values))
        if account != call.path("account"):
            raise self._refusal(404, "Company not found")
        if values["status"] == "disabled":
            raise BadRequest("the company is disabled")

    def _shown(self, one: Integration) -> dict[str, Any]:
        return {
            "id": one.id,
            "type": one.kind,
            "state": one.state,
            "config": one.config,
            "signing_key": self.key_of(one.company),
        }

    # -- deliveries ------------------------------------------------------------------------------

    def parcels(self, changes: Sequence[Change]) -> Iterator[Parcel]:
        (change,) = changes
        company = self._calls.company(dict(change.values))
        wire = CallRailWire(self._calls, self.key_of(company), below=False)
        for one in list(self._made.values()):
            if one.state == "active" and one.company == company:
                for told in wire.told(change):
                    for url in one.config.get(FIELD_OF[told.topic]) or []:
                        yield Parcel(one, url, wire, [told])

    def delivered(self, parcel: Parcel, statuses: Sequence[int]) -> None:
        found = parcel.subscription
        found.failures = 0 if 200 <= statuses[-1] < 300 else found.failures + 1
        if found.failures >= FAILURES:
            found.state = "disabled"


def _config(given: Any) -> dict[str, Any]:
    """BadRequest for a field that there is not, or for what is no list of addresses."""
    if not isinstance(given, dict):
        raise BadRequest("config is required")
    if unknown := sorted(set(given) - FIELDS):
        raise BadRequest(f"config: {unknown[0]} is not supported")
    for name, urls in given.items():
        if not isinstance(urls, list):
            raise BadRequest(f"config: {name} must be a list of URLs")
        for url in urls:
            parts = urlsplit(str(url))
            is_secure = parts.scheme == "https" or parts.hostname in LOCAL
            if parts.scheme not in ("http", "https") or not parts.hostname or not is_secure:
                raise BadRequest(f"config: {name} has an address that is not valid")
    return {name: list(urls) for name, urls in given.items()}
