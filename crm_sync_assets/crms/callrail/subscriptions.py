"""CallRail's webhooks, made through its API: one integration for each company.

https://apidocs.callrail.com/#integrations

- An integration has a list of addresses for each event; those of others stay where they are.
- Each company signs with a key of its own, which CallRail makes: it can be read and not set.
- A webhook that fails again and again is switched off, and with it all of its company.
- What tells that a call was assisted has no name here: it is switched on by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.clients.rest.lists import listed
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.callrail.api import API
from crm_sync_assets.crms.callrail.sources import ACCOUNTS, PAGED
from crm_sync_assets.crms.callrail.variables import SIGNING_KEY
from crm_sync_assets.crms.callrail.webhooks import TOPICS
from crm_sync_assets.declarations.crm import Shared
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.proofs import listed as secrets
from crm_sync_assets.declarations.subscriptions import Found, Standing, Trouble, Wanted, tried
from crm_sync_assets.errors import SyncError
from crm_sync_assets.redaction import register_secret
from crm_sync_assets.settings import Environment, SyncSettings

KIND: Final = "Webhooks"
FIELDS: Final[Mapping[str, str]] = {
    "pre_call": "pre_call_webhook",
    "call_routing_complete": "answered_call_webhook",
    "post_call": "post_call_webhook",
    "call_modified": "updated_call_webhook",
    "outbound_post_call": "post_outbound_call_webhook",
    "outbound_call_modified": "updated_outbound_call_webhook",
    "text_received": "sms_received_webhook",
    "text_sent": "sms_sent_webhook",
    "form_submission": "form_captured_webhook",
}
"""Our names of events → where an integration has the addresses that hear of them."""


@dataclass(slots=True)
class Company:
    """One of the companies, with what it has of the integration."""

    account: str
    id: str
    integration: Mapping[str, Any] | None = field(default=None, repr=False)

    def addresses(self, name: str) -> list[str]:
        """Those of a field; some have one that stands alone."""
        config = (self.integration or {}).get("config") or {}
        found = config.get(name) or []
        return [found] if isinstance(found, str) else [str(one) for one in found]


class CallRailDesk:
    """The integrations of all companies that the key sees and that are not disabled."""

    part = "company"

    def __init__(self, environment: Environment, settings: SyncSettings, shared: Shared) -> None:
        self._client = RestClient(
            "callrail", [API], environment, settings, database_url=shared.database_url
        )
        self._session = self._client.session_for("callrail: webhooks")
        self._keys = secrets(environment.require(SIGNING_KEY.name, SIGNING_KEY.about))
        self._companies: dict[str, Company] = {}

    def wanted(self, entities: Sequence[Entity], address: str) -> Sequence[Wanted]:
        """Each event that an entity hears by, of each company."""
        synced = {entity.sync_type for entity in entities}
        heard = {topic: TOPICS[topic][0] for topic in FIELDS}
        return [
            Wanted(topic, (entity,), f"{address}/{topic}", company)
            for company in self._all()
            for topic, entity in heard.items()
            if entity is not None and entity in synced
        ]

    def found(self) -> Sequence[Found]:
        found: list[Found] = []
        for company in self._all().values():
            company.integration = self._integration(company)
            trouble, why = self._trouble(company)
            found += [
                Found(
                    topic,
                    address,
                    str((company.integration or {}).get("id")),
                    company.id,
                    trouble,
                    why,
                    # A key that differs here and there is set here, not there.
                    by_hand=trouble == "secret",
                )
                for topic, name in FIELDS.items()
                for address in company.addresses(name)
            ]
        return found

    def target(self) -> str | None:
        return None

    def tells(self, found: Found, wanted: Wanted) -> bool:
        return (found.name, found.of) == (wanted.name, wanted.of)

    def put_right(self, wrong: Sequence[Standing]) -> Iterator[tuple[Standing, SyncError | None]]:
        """All that is wrong of a company at once."""
        grouped = ([one for one in wrong if one.wanted and one.wanted.of == c] for c in self._all())
        for its, error in tried(filter(None, grouped), self._put_right):
            yield from ((one, error) for one in its)

    def close(self) -> None:
        self._client.close()

    def _put_right(self, wrong: Sequence[Standing]) -> None:
        assert wrong[0].wanted is not None
        company = self._all()[wrong[0].wanted.of]
        config = {name: company.addresses(name) for name in FIELDS.values()}
        for one in wrong:
            assert one.wanted is not None
            addresses = config[FIELDS[one.wanted.name]]
            if one.state == "elsewhere" and one.found is not None:
                addresses.remove(one.found.address)
            if one.wanted.address not in addresses:
                addresses.append(one.wanted.address)
        path = f"/a/{quote(company.account, safe='')}/integrations"
        told = {name: addresses for name, addresses in config.items() if addresses}
        if company.integration is None:
            body = {"type": KIND, "company_id": company.id, "config": told}
            self._session.post(f"{path}.json", body, accept=(200, 201))
            return
        # An event that nobody hears of any more has to say so; one that never was is left out.
        before = company.integration.get("config") or {}
        told |= {name: [] for name in before if name in config and not config[name]}
        self._session.request(
            "PUT",
            f"{path}/{quote(str(company.integration['id']), safe='')}.json",
            json={"state": "active", "config": {**before, **told}},
        )

    def _all(self) -> dict[str, Company]:
        """The companies by their ids, asked for once."""
        if not self._companies:
            accounts = Rest(ACCOUNTS.path, each=ACCOUNTS)
            self._companies = {
                str(one["id"]): Company(account, str(one["id"]))
                for account in self._client.members_of(accounts, self._session)
                for one in self._listed(account, "companies")
                if one.get("status") != "disabled"
            }
        return self._companies

    def _listed(self, account: str, kind: str, **asked: str) -> list[dict[str, Any]]:
        path = f"/a/{quote(account, safe='')}/{kind}.json"
        source = Rest(path, records=kind, paging=PAGED, params=asked)
        return list(listed(self._session, source, Addresses()))

    def _integration(self, company: Company) -> dict[str, Any] | None:
        of_it = self._listed(company.account, "integrations", company_id=company.id)
        found = next((one for one in of_it if one.get("type") == KIND), None)
        if found is not None and found.get("signing_key"):
            register_secret(str(found["signing_key"]))
        return found

    def _trouble(self, company: Company) -> tuple[Trouble | None, str]:
        integration = company.integration or {}
        if integration.get("state", "active") != "active":
            return "off", "the integration is switched off"
        key = integration.get("signing_key")
        if key and str(key) not in self._keys:
            return "secret", (
                f"the company signs with a key that {SIGNING_KEY.name} does not have: add it there "
                "after a comma, as the page of its webhooks in CallRail shows it"
            )
        return None, ""
