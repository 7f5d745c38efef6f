"""Pipedrive's webhooks, made through its API: one for each kind of thing that is synced.

https://developers.pipedrive.com/docs/api/v1/Webhooks

- There is nothing to change one with: what is wrong is taken away and made anew. That ends a ban
  of half an hour, too, which ten failed deliveries in a row bring.
- It tells what the token's user may see, and a user has 40 at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.crms.pipedrive.api import api
from crm_sync_assets.crms.pipedrive.sources import tokens
from crm_sync_assets.crms.pipedrive.variables import WEBHOOK_PASSWORD, WEBHOOK_USER
from crm_sync_assets.crms.pipedrive.webhooks import ENTITIES
from crm_sync_assets.declarations.crm import Shared
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.subscriptions import (
    Found,
    Standing,
    Trouble,
    Wanted,
    made_at,
    tried,
)
from crm_sync_assets.errors import Gone, SyncError
from crm_sync_assets.settings import Environment, SyncSettings

PATH: Final = "/api/v1/webhooks"
VERSION: Final = "2.0"
MASKS: Final = frozenset("*•")


class PipedriveDesk:
    """The webhooks of one company; the password is that of the environment."""

    part = ""

    def __init__(self, environment: Environment, settings: SyncSettings, shared: Shared) -> None:
        self._client = RestClient(
            "pipedrive",
            [api(environment)],
            environment,
            settings,
            database_url=shared.database_url,
        )
        self._session = self._client.session_for("pipedrive: webhooks")
        self._user = environment.require(WEBHOOK_USER.name, WEBHOOK_USER.about)
        self._password = environment.require(WEBHOOK_PASSWORD.name, WEBHOOK_PASSWORD.about)

    def wanted(self, entities: Sequence[Entity], address: str) -> Sequence[Wanted]:
        """One for each entity that such things become."""
        synced = {entity.sync_type for entity in entities}
        return [
            Wanted(f"*.{thing}", (entity,), address)
            for thing, entity in ENTITIES.items()
            if entity in synced
        ]

    def found(self) -> Sequence[Found]:
        answer = self._session.get(PATH, check=_no_list, cost=tokens(10))
        return [self._found(one) for one in answer.json["data"] or []]

    def target(self) -> str | None:
        return None

    def tells(self, found: Found, wanted: Wanted) -> bool:
        """A star stands for every action, and for every thing."""
        parts = zip(found.name.split("."), wanted.name.split("."), strict=False)
        return all(has in ("*", wants) for has, wants in parts)

    def put_right(self, wrong: Sequence[Standing]) -> Iterator[tuple[Standing, SyncError | None]]:
        return tried(wrong, self._put_right)

    def close(self) -> None:
        self._client.close()

    def _put_right(self, one: Standing) -> None:
        assert one.wanted is not None
        # One that tells of everything is needed for the others, too: it is left, and does no harm.
        if one.found is not None and one.found.name == one.wanted.name:
            self._remove(one.found.id)
        action, _, thing = one.wanted.name.partition(".")
        self._session.post(
            PATH,
            {
                "subscription_url": one.wanted.address,
                "event_action": action,
                "event_object": thing,
                "http_auth_user": self._user,
                "http_auth_password": self._password,
                "version": VERSION,
                "name": f"crm_sync_assets {one.wanted.name}",
            },
            accept=(200, 201),
            cost=tokens(10),
        )

    def _remove(self, number: str) -> Answer | None:
        try:
            return self._session.request("DELETE", f"{PATH}/{number}", cost=tokens(6))
        except Gone:
            return None

    def _found(self, said: Mapping[str, Any]) -> Found:
        trouble, why = self._trouble(said)
        return Found(
            f"{said.get('event_action')}.{said.get('event_object')}",
            str(said.get("subscription_url") or ""),
            str(said.get("id")),
            trouble=trouble,
            why=why,
            since=made_at(said.get("add_time")),
        )

    def _trouble(self, said: Mapping[str, Any]) -> tuple[Trouble | None, str]:
        status = said.get("last_http_status")
        if said.get("remove_time") or not said.get("is_active", 1):
            return "off", _cut(said.get("remove_reason"))
        if str(said.get("version") or VERSION) != VERSION:
            return "old", f"it sends version {_cut(said['version'])}"
        if status == 401 or self._sends_another(said):
            return "secret", "it sends another user or password than is set here"
        if status and not 200 <= int(status) < 300:
            return "failing", (
                f"its last delivery was answered with {status}: ten in a row ban it for half an "
                "hour, three days remove it"
            )
        return None, ""

    def _sends_another(self, said: Mapping[str, Any]) -> bool:
        """What is masked, or not told at all, says nothing."""
        user, password = said.get("http_auth_user"), said.get("http_auth_password")
        if "http_auth_user" in said and user != self._user:
            return True
        is_told = bool(password) and not MASKS.issuperset(str(password))
        return is_told and password != self._password


def _no_list(body: Any) -> str | None:
    data = body.get("data") if isinstance(body, dict) else body
    if data is not None and not isinstance(data, list):
        return "the answer has no list of webhooks"
    return None if isinstance(body, dict) else "the answer is no object"


def _cut(text: Any) -> str:
    return str(text or "")[:100]
