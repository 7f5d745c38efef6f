"""OAuth access tokens: refreshed once for all processes, kept where all of them look.

The newest tokens live in `ingestion_oauth_token`, one row per account. Who finds the access token
stale takes the account's lock, looks again, and only then asks for a new one. The answer is
committed before anyone uses it, so a refresh token that works only once is never lost by us after
it arrived.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import psycopg

from crm_sync_assets.clients.auth import Proof, Request, bearer
from crm_sync_assets.errors import FatalError, TransientError, Unavailable
from crm_sync_assets.keyring import VARIABLE
from crm_sync_assets.log import logger
from crm_sync_assets.told import words
from crm_sync_assets.warehouse import encryption, locks, postgres
from crm_sync_assets.warehouse.vault import Context, Vault

log = logger(__name__)

# A token is replaced this long before it ends, so that none ends on the way.
MARGIN = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the store holds of an account; empty before the first refresh.

    `base_url` is where its requests go, if its grants say so.
    """

    access: str | None
    refresh: str
    expires_at: datetime | None
    base_url: str | None = None

    def __repr__(self) -> str:
        return f"Tokens(expires_at={self.expires_at})"

    def usable(self, refused: str | None = None) -> bool:
        """Whether the access token still lives long enough and is not the refused one."""
        if self.access is None or self.expires_at is None or self.access == refused:
            return False
        return datetime.now(UTC) + MARGIN < self.expires_at


@dataclass(frozen=True, slots=True)
class Grant:
    """The token endpoint's answer.

    `expires_in` are seconds; `refresh` is the new refresh token and `base_url` where requests go,
    each where it gave one.
    """

    access: str
    expires_in: float
    refresh: str | None = None
    base_url: str | None = None

    def __repr__(self) -> str:
        return f"Grant(expires_in={self.expires_in})"


Endpoint = Callable[[str], Grant]
"""Asks the token endpoint with a refresh token. Raises FatalError when that is refused."""


class TokenStore(Protocol):
    @contextmanager
    def locked(self) -> Iterator[Slot]:
        """The account's slot, for one holder among all threads and processes."""
        ...


class Slot(Protocol):
    tokens: Tokens

    def save(self, tokens: Tokens) -> None:
        """Keep the tokens for good before returning."""
        ...


class MemoryStore:
    """Tokens of one process."""

    def __init__(self, refresh_token: str) -> None:
        self._lock = threading.Lock()
        self.tokens = Tokens(None, refresh_token, None)

    @contextmanager
    def locked(self) -> Iterator[Slot]:
        with self._lock:
            yield self

    def save(self, tokens: Tokens) -> None:
        self.tokens = tokens


class TableStore:
    """Tokens in `ingestion_oauth_token`; an advisory lock keeps all but one from refreshing.

    With encryption keys they are kept encrypted.
    """

    def __init__(
        self, database_url: str, account: str, refresh_token: str, keys: Sequence[str] = ()
    ) -> None:
        self._url = postgres.sqlalchemy_url(database_url)
        self._account = account
        self._refresh_token = refresh_token
        self._keys = keys

    @contextmanager
    def locked(self) -> Iterator[Slot]:
        try:
            with postgres.connect(self._url) as connection:
                connection.autocommit = True
                connection.execute("SET lock_timeout = '120s'")
                vault = self._vault(connection)
                self._put_first_token(connection, vault)
                # A lock of the session rather than of a transaction: saving commits at once.
                locks.take(connection, locks.oauth_token(self._account))
                # The key has to outlive the grant that may be asked for now: a refresh token
                # that works once must not come back to a key that was retired meanwhile.
                connection.execute("SET idle_in_transaction_session_timeout = 0")
                connection.execute("BEGIN")
                encryption.hold(connection, vault)
                row = connection.execute(
                    "SELECT access_token, refresh_token, expires_at, sealed_under, base_url "
                    "FROM ingestion_oauth_token WHERE account = %s",
                    (self._account,),
                ).fetchone()
                assert row is not None
                tokens = _opened(vault, self._account, row)
                yield _Row(connection, self._account, tokens, vault)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise Unavailable(
                "the warehouse's core tables are older than this version: bring them up to date "
                "with `crm-sync migrate`"
            ) from error
        except psycopg.Error as error:
            raise TransientError(
                f"the warehouse that keeps the OAuth token is not reachable: {words(error)}"
            ) from error

    def _put_first_token(self, connection: psycopg.Connection[Any], vault: Vault | None) -> None:
        with connection.transaction():
            encryption.hold(connection, vault)
            connection.execute(
                "INSERT INTO ingestion_oauth_token (account, refresh_token, sealed_under) "
                "VALUES (%s, %s, %s) ON CONFLICT (account) DO NOTHING",
                (
                    self._account,
                    _encrypted(vault, self._account, "refresh", self._refresh_token),
                    vault and vault.newest,
                ),
            )

    def _vault(self, connection: psycopg.Connection[Any]) -> Vault | None:
        encryption.refuse_missing(encryption.registered(connection), self._keys)
        return encryption.register(connection, self._keys) if self._keys else None


def context(account: str, which: str) -> Context:
    """Where an encrypted token lives; `which` is access or refresh."""
    return ("ingestion_oauth_token", account, which)


def _encrypted(vault: Vault | None, account: str, which: str, token: str | None) -> str | None:
    if vault is None or token is None:
        return token
    return vault.encrypt(context(account, which), token)


def _opened(vault: Vault | None, account: str, row: tuple[Any, ...]) -> Tokens:
    access, refresh, expires_at, sealed_under, base_url = row
    if sealed_under is not None:
        if vault is None:
            raise FatalError(f"the OAuth token of {account} is encrypted: set {VARIABLE}")
        refresh = vault.decrypt(context(account, "refresh"), refresh, "text")
        access = access and vault.decrypt(context(account, "access"), access, "text")
    return Tokens(access, refresh, expires_at, base_url)


class _Row:
    def __init__(
        self,
        connection: psycopg.Connection[Any],
        account: str,
        tokens: Tokens,
        vault: Vault | None,
    ) -> None:
        self._connection = connection
        self._account = account
        self._vault = vault
        self.tokens = tokens

    def save(self, tokens: Tokens) -> None:
        vault = self._vault
        self._connection.execute(
            "UPDATE ingestion_oauth_token SET access_token = %s, refresh_token = %s, "
            "expires_at = %s, base_url = %s, sealed_under = %s, updated_at = clock_timestamp() "
            "WHERE account = %s",
            (
                _encrypted(vault, self._account, "access", tokens.access),
                _encrypted(vault, self._account, "refresh", tokens.refresh),
                tokens.expires_at,
                tokens.base_url,
                vault and vault.newest,
                self._account,
            ),
        )
        self._connection.execute("COMMIT")
        self.tokens = tokens


class OAuth:
    """Bearer tokens by refresh token; what `Http` takes as its auth.

    `variable` names the credential a person has to renew when the refresh token is refused.
    """

    def __init__(self, endpoint: Endpoint, store: TokenStore, variable: str) -> None:
        self.variable = variable
        self._endpoint = endpoint
        self._store = store
        self._known: Tokens | None = None
        self._one_at_a_time = threading.Lock()

    def token(self) -> str:
        return self._tokens().access or ""

    @property
    def base_url(self) -> str | None:
        """Where its requests go, if a grant said so and any token was asked for."""
        known = self._known
        return known.base_url if known is not None else None

    def proof(self, request: Request) -> Proof:  # noqa: ARG002 - the same for all
        tokens = self._tokens()
        return bearer(tokens.access or "", tokens.base_url)

    def refresh(self, refused: str) -> bool:
        return self._fresh(refused=refused).access != refused

    def _tokens(self) -> Tokens:
        known = self._known
        return known if known is not None and known.usable() else self._fresh(refused=None)

    def _fresh(self, refused: str | None) -> Tokens:
        """Tokens whose access token is usable, for good where it had to be asked for."""
        with self._one_at_a_time:
            known = self._known
            if known is not None and known.usable(refused):
                return known
            with self._store.locked() as slot:
                if not slot.tokens.usable(refused):
                    grant = self._endpoint(slot.tokens.refresh)
                    slot.save(
                        Tokens(
                            grant.access,
                            grant.refresh or slot.tokens.refresh,
                            datetime.now(UTC) + timedelta(seconds=grant.expires_in),
                            grant.base_url or slot.tokens.base_url,
                        )
                    )
                    log.info("OAuth token refreshed, good for %.0f s", grant.expires_in)
                self._known = slot.tokens
                return self._known
