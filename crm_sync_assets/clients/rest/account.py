"""One account of a web API: its clients, its budgets, and what is remembered of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, Final

from crm_sync_assets.clients.auth import Auth
from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.limits import Budget, account_key, shared_budget
from crm_sync_assets.clients.oauth import MemoryStore, TableStore, TokenStore
from crm_sync_assets.clients.proxied import Transport
from crm_sync_assets.clients.rest.auth import Kind
from crm_sync_assets.settings import Environment, SyncSettings

REMEMBER_SECONDS: Final = 600.0


class RestAccount:
    """What every reading of one account shares, of whatever CRM.

    `name` is the CRM's. With a `database_url` the rate budget and OAuth tokens are shared by all
    processes that use it. `transport` replaces the network in tests, `sleep` the waiting.
    """

    def __init__(
        self,
        name: str,
        environment: Environment,
        settings: SyncSettings,
        *,
        database_url: str | None = None,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._environment = environment
        self._settings = settings
        self._database_url = database_url
        self._transport = transport
        self._sleep = sleep
        self._budgets: list[Budget] = []
        self._opened: list[Http] = []
        self._apis: list[Http] = []
        self._remembered: dict[Hashable, tuple[float, Any]] = {}
        self._remembering = threading.RLock()
        self._said: set[Hashable] = set()

    def source_time(self) -> datetime | None:
        """The source's clock, of several the slowest; None before any answer."""
        clocks = (http.source_time() for http in self._apis)
        return min((clock for clock in clocks if clock is not None), default=None)

    def close(self) -> None:
        for http in self._opened:
            http.close()
        for budget in self._budgets:
            budget.close()

    def first_time(self, what: Hashable) -> bool:
        """Whether nobody asked this before; for what should be said once."""
        with self._remembering:
            if what in self._said:
                return False
            self._said.add(what)
            return True

    def remember(self, what: Hashable, fetch: Callable[[], Any]) -> Any:
        """What `fetch` gave, at most ten minutes ago; what it raises is not remembered."""
        with self._remembering:
            at, value = self._remembered.get(what, (float("-inf"), None))
            if time.monotonic() - at > REMEMBER_SECONDS:
                value = fetch()
                self._remembered[what] = (time.monotonic(), value)
            return value

    def note(self, what: Hashable, value: Any) -> None:
        """Remember this as if it had been asked for now."""
        with self._remembering:
            self._remembered[what] = (time.monotonic(), value)

    def open_api(self, base_url: str, kind: Kind | None, **options: Any) -> Http:
        """A client for the API at `base_url`, authorised and within the account's own budget.

        The options are those of `Http`. Raises NotSet for credentials that are missing.
        """
        auth = kind.open(self._environment, _Means(self, base_url)) if kind else None
        parts = kind.account_parts(self._environment) if kind else ()
        budget = self.budget(account_key(self.name, base_url, *parts), self._settings.rate_windows)
        http = self.open(base_url, auth, budget=budget, **options)
        self._apis.append(http)
        return http

    def open(self, base_url: str, auth: Auth | None, **options: Any) -> Http:
        """A client that is closed with the account; the options are those of `Http`."""
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

    def budget(self, account: str, windows: Sequence[tuple[str, int, float]]) -> Budget:
        """The budget of what `account_key` names, closed with the account."""
        budget = shared_budget(
            account,
            windows,
            reserve=self._settings.rate_reserve,
            database_url=self._database_url,
            at_once=self._settings.requests_at_once,
        )
        self._budgets.append(budget)
        return budget

    def token_store(self, account: str, refresh_token: str) -> TokenStore:
        """Where OAuth tokens of what `account_key` names are kept, from `refresh_token` on."""
        if not self._database_url:
            return MemoryStore(refresh_token)
        keys = self._environment.encryption_keys
        return TableStore(self._database_url, account, refresh_token, keys)


class _Means:
    """What declared credentials open, for one API of an account."""

    def __init__(self, account: RestAccount, base_url: str) -> None:
        self._account = account
        self._base_url = base_url

    @property
    def name(self) -> str:
        return self._account.name

    def open_tokens(self, base_url: str) -> Http:
        return self._account.open(base_url, None, budget=Budget({}))

    def token_store(self, refresh_token: str, parts: Sequence[str]) -> TokenStore:
        account = account_key(self.name, self._base_url, *parts)
        return self._account.token_store(account, refresh_token)
