"""One Salesforce org: its credentials, what its day has left, and what is remembered of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.answers import Answer, Check
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.crms.salesforce import kept
from crm_sync_assets.crms.salesforce.api import API
from crm_sync_assets.crms.salesforce.described import Described, Shown, problem_of, records_of
from crm_sync_assets.crms.salesforce.dialect import Quota, SalesforceDialect
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.crms.salesforce.sources import MOST_ROWS, SObject
from crm_sync_assets.crms.salesforce.variables import API_VERSION, LOGIN_URL
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.errors import Deferred, FatalError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)

LEAST_BATCH: Final = 200
"""Rows of an answer, as the fewest that can be asked for; a LIMIT may be lower."""
Scope = Literal["query", "queryAll"]
"""What is alive, or that with what is deleted and archived."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One answer to a query; `done` says that there are no more rows."""

    records: list[Record]
    done: bool


class Org(RestAccount):
    """What every reading of one org shares. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("salesforce", environment, settings, **options)
        version = environment.get("SALESFORCE_API_VERSION") or str(API_VERSION.default)
        if not re.fullmatch(r"v[1-9]\d\.0", version):
            raise UsageError(f"{API_VERSION.name} is {version!r}: write it like v67.0")
        self.root = f"/services/data/{version}"
        self.settings = settings
        self.quota = Quota(settings.rate_reserve)
        base_url = addresses.base_url(environment, API.base_variable, API.base)
        self._http = self.open_api(base_url, API.auth, dialect=SalesforceDialect(self.quota))

    def asking(self, subject: str, usage: Usage | None = None) -> Asking:
        """Requests on behalf of `subject`, counted in `usage`."""
        return Asking(self, self._http.session(subject, usage))

    def described(self, name: str, asking: Asking) -> Described:
        """What the org says of an object, for ten minutes."""

        def fetch() -> Described:
            answer = asking.get(f"/sobjects/{name}/describe", check=problem_of)
            found = Described.of(answer.json)
            kept.keep(found)
            return found

        found: Described = self.remember(("described", name), fetch)
        return found

    def forget(self, name: str) -> None:
        """Ask anew what an object has: it has something else than it was said to have."""
        with self._remembering:
            self._remembered.pop(("described", name), None)

    def shown(self, entity: Entity, asking: Asking) -> Shown:
        """What of its object an entity reads now; columns that are hidden are told once."""
        source = entity.source
        assert isinstance(source, SObject)
        shown = Shown(entity, self.described(source.name, asking))
        hidden = shown.hidden_columns
        if hidden and self.first_time(("hidden", entity.name, *hidden)):
            log.warning(
                "%s: the org shows this user no field for %s; what is stored there stays as it is",
                entity,
                ", ".join(hidden[:10]) + (f" and {len(hidden) - 10} more" if hidden[10:] else ""),
            )
        return shown

    def organization(self) -> dict[str, Any]:
        """Id, Name and IsSandbox of the org. Raises what a refused credential raises."""

        def fetch() -> dict[str, Any]:
            fields = ("Id", "Name", "IsSandbox")
            rows = self.asking("salesforce").rows(Query(fields, "Organization", limit=1), "query")
            if not rows.records or not rows.records[0].get("Id"):
                raise FatalError("salesforce: the org does not say which it is")
            return rows.records[0]

        found: dict[str, Any] = self.remember("organization", fetch)
        return found

    def org_id(self) -> str | None:
        """The org's id; None, told once, where its user may not ask for it."""

        def fetch() -> str | None:
            try:
                return str(self.organization()["Id"])
            except Deferred:
                raise
            except FatalError as error:
                if error.reason == "auth":
                    raise
                log.warning(
                    "salesforce: the org does not tell its id, so that it cannot be compared with "
                    "the one of the last sync (%s)",
                    error,
                )
                return None

        found: str | None = self.remember("org id", fetch)
        return found

    def instance_url(self) -> str | None:
        """Where people find a record; None before any token was asked for."""
        known = self._http.auth
        return getattr(known, "base_url", None)

    @property
    def account_setting(self) -> str:
        """The variables that choose the org."""
        auth = self._http.auth
        return f"{auth.variable if auth else 'its credentials'} (and {LOGIN_URL.name})"


class Asking:
    """Requests of one reading, each only where the day has something left for it."""

    def __init__(self, org: Org, session: Session) -> None:
        self.org = org
        self.session = session

    @property
    def subject(self) -> str:
        return self.session.subject

    def get(self, path: str, params: dict[str, str] | None = None, **options: Any) -> Answer:
        """The answer to a GET below the version; the options are those of `Session.request`."""
        self.org.quota.refuse_if_spent(self.subject)
        return self.session.get(self.org.root + path, params, **options)

    def post(self, path: str, body: Any) -> Answer:
        """The answer to a POST below the version."""
        self.org.quota.refuse_if_spent(self.subject)
        return self.session.post(self.org.root + path, body)

    def rows(self, query: Query, scope: Scope) -> Rows:
        """The first rows of a query.

        Raises TooMuch for one that takes too long, NoSuchField for a field that is not shown.
        """
        answer = self._asked(query, scope, _no_rows)
        body = answer.json
        return Rows(records_of(answer), body["done"])

    def count(self, query: Query, scope: Scope) -> int:
        """How many rows a query has, all pages together."""
        return int(self._asked(query.counting, scope, _no_count).json["totalSize"])

    def _asked(self, query: Query, scope: Scope, check: Check) -> Answer:
        most = min(max(query.limit or MOST_ROWS, LEAST_BATCH), MOST_ROWS)
        return self.get(
            f"/{scope}",
            {"q": str(query)},
            headers={"Sforce-Query-Options": f"batchSize={most}"},
            check=check,
        )


def _no_count(body: Any) -> str | None:
    is_one = isinstance(body, dict) and isinstance(body.get("totalSize"), int)
    return None if is_one else "the answer has no count"


def _no_rows(body: Any) -> str | None:
    if not isinstance(body, dict) or not isinstance(body.get("records"), list):
        return "the answer has no records"
    done, count = body.get("done"), len(body["records"])
    if not isinstance(done, bool):
        return "the answer does not say whether it is whole"
    if done and body.get("totalSize") != count:
        return f"the answer announces {body.get('totalSize')} records and has {count}"
    return "the answer has no records and is not the last" if not count and not done else None
