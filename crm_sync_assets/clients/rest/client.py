"""The client of a CRM whose sources are declared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.keys import ByKey
from crm_sync_assets.clients.rest.lists import listed, probed
from crm_sync_assets.clients.rest.reading import Reading, listed_again, whole
from crm_sync_assets.clients.rest.source import Each, Rest
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import SyncError, Unauthorized, UsageError
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets.settings import Environment, SyncSettings

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""One part of a host's name."""


class RestClient(RestAccount):
    """Pages from the APIs of one account, as their entities' sources declare them.

    `apis` are the CRM's, each with a name of its own. The options are those of `RestAccount`.
    """

    def __init__(
        self,
        name: str,
        apis: Sequence[Api],
        environment: Environment,
        settings: SyncSettings,
        **options: Any,
    ) -> None:
        super().__init__(name, environment, settings, **options)
        self._declared = {api.name: api for api in apis}
        self._https = {api.name: self._opened_for(api) for api in apis}

    def _opened_for(self, api: Api) -> Http:
        default = api.base.format(**self._filling(api))
        base_url = addresses.base_url(self._environment, api.base_variable, default)
        return self.open_api(
            base_url,
            api.auth,
            windows=api.windows,
            headers=api.headers,
            dialect=api.dialect,
            format=api.format,
        )

    def _filling(self, api: Api) -> dict[str, str]:
        """What the variables in the API's address stand for; they are not needed to replace it."""
        given = bool(self._environment.get(api.base_variable))
        found = {}
        for variable in api.fills:
            value = self._environment.get(variable.name) or variable.default
            if value is None and not given:
                value = self._environment.require(variable.name, variable.about)
            if value and not _LABEL.fullmatch(value):
                # Anything else in the address would send the credentials to another host.
                raise UsageError(
                    f"{variable.name} is '{value[:60]}': give {variable.about}, in letters, "
                    "digits and hyphens alone"
                )
            found[variable.name] = value or ""
        return found

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of raw records, as the API's lists have them."""
        source, session = self._source(read.entity), self._session(read, usage)
        where = self._addresses(source, session)
        # Once something has been asked for: before that nothing has told the source's clock.
        now = self._https[source.api].source_time()
        yield from Reading(read, session, source, where, now).pages()

    def probe(self, entity: Entity, usage: Usage) -> None:
        """Ask for one record of it; the members of a list are asked for once for all entities."""
        source = self._source(entity)
        session = self._https[source.api].session(entity.name, usage)
        now = self._https[source.api].source_time() or datetime.now(UTC)
        probed(session, source, self._addresses(source, session), now)

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every live record, as a read of everything lists them."""
        return self.pages(whole(read), usage)

    def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
        """For lists that are declared so, the same list again, in pages of another size."""
        source = self._source(read.entity)
        if source.again:
            yield from self.pages(listed_again(read, source), usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These records as they are now; where none can be asked for, of a read of everything."""
        source, session = self._source(read.entity), self._session(read, usage)
        if source.one is None:
            return asked_for(self.outline(read, usage), read.entity, keys)
        addresses = self._addresses(source, session)
        return ByKey(read, session, source, source.one, addresses).pages(keys)

    def meaning(self, entity: Entity) -> list[Meant]:
        """The account that the credentials belong to, where the API tells it."""
        api = self._declared[self._source(entity).api]
        if api.account is None:
            return []
        found = at(self._probed(api), api.account)
        if found in (None, ""):
            return []
        setting = " or ".join(variable.name for variable in api.auth.variables)
        return [Meant("account", str(found), setting)]

    def record_url(self, entity: Entity, key: Key) -> str | None:
        """The record's page for people, None where none is declared or can be written."""
        source = self._source(entity)
        names = dict(zip((column.name for column in entity.key), key, strict=True))
        return self._page_for_people(source, source.page, names)

    def list_url(self, entity: Entity) -> str | None:
        """The page for people that lists all of them, None as above."""
        source = self._source(entity)
        return self._page_for_people(source, source.list_page, {})

    def _page_for_people(
        self, source: Rest, page: str | None, names: Mapping[str, str]
    ) -> str | None:
        if page is None:
            return None
        try:
            filling = self._filling(self._declared[source.api])
            known = {name: value for name, value in filling.items() if value}
            return page.format(**known, **names)
        except (SyncError, KeyError):
            return None

    def check(self) -> str:
        """Which account answers, and which members of it are read.

        Raises FatalError when the credentials are refused, or do not see what was asked for.
        """
        said = []
        for name, api in self._declared.items():
            if api.members is not None:
                said.append(f"{self._https[name].base_url} {self._seen(api, api.members)}")
                continue
            body = self._probed(api)
            found = at(body, api.named) if api.named else None
            number = at(body, api.account) if api.account else None
            who = " ".join(str(part) for part in (found, number and f"({number})") if part)
            said.append(f"{self._https[name].base_url} answers{f' for {who}' if who else ''}")
        return "; ".join(said)

    def _seen(self, api: Api, each: Each) -> str:
        session = self._https[api.name].session(f"{self.name}: asking who answers")
        source = Rest(each.path, each=each, api=api.name)
        names = self._members(each, source, session)
        several = f"{each.name}s" if len(names) > 1 else each.name
        chosen = bool(each.only and self._environment.get(each.only))
        told = f"answers for {several} {', '.join(names)}"
        return told if chosen or len(names) < 2 else f"{told} ({each.only} chooses among them)"

    def session_for(self, subject: str, api: str = "") -> Session:
        """Requests to one of its APIs beside the reading of entities, on behalf of `subject`."""
        return self._https[api].session(subject)

    def members_of(self, source: Rest, session: Session) -> list[str]:
        """The members that a source is read for, as the API lists them; none without an `Each`."""
        return self._members(source.each, source, session) if source.each else []

    def _probed(self, api: Api) -> Any:
        def ask() -> Any:
            session = self._https[api.name].session(f"{self.name}: asking who answers")
            return session.get(api.probe).json

        return self.remember(("probe", api.name), ask)

    def _source(self, entity: Entity) -> Rest:
        source = entity.source
        if not isinstance(source, Rest):
            raise UsageError(f"{entity}: nothing here reads a {type(source).__name__}")
        return source

    def _session(self, read: Read, usage: Usage) -> Session:
        source = self._source(read.entity)
        return self._https[source.api].session(read.entity.name, usage)

    def _addresses(self, source: Rest, session: Session) -> Addresses:
        api = self._declared[source.api]
        each = source.each
        if each is None:
            return Addresses(self._filling(api))
        members = self._members(each, source, session)
        return Addresses(self._filling(api), each.name, {name: name for name in members})

    def _members(self, each: Each, source: Rest, session: Session) -> list[str]:
        """What there is of `each`, sorted, as the API lists it now."""
        given = self._environment.get(each.only) if each.only else None
        if not each.path:
            given = self._environment.require(each.only or "", f"what {each.name} there are")
            return sorted({name.strip() for name in given.split(",") if name.strip()})
        found: list[str] = self.remember(
            ("members", source.api, each.path), partial(self._listed, each, source, session)
        )
        wanted = sorted({name.strip() for name in (given or "").split(",") if name.strip()})
        unknown = [name for name in wanted if name not in found]
        if unknown:
            raise UsageError(
                f"{session.subject}: {each.only} names {', '.join(unknown)}, which these "
                f"credentials do not see: there are {', '.join(found) or 'none'}"
            )
        if not found:
            raise Unauthorized(
                f"{session.subject}: the credentials see no {each.name}: give their user access "
                "to one"
            )
        return wanted or found

    def _listed(self, each: Each, source: Rest, session: Session) -> list[str]:
        listing = Rest(
            each.path, records=each.records, paging=each.paging, id=each.key, api=source.api
        )
        addresses = Addresses(self._filling(self._declared[source.api]))
        return sorted({str(at(record, each.key)) for record in listed(session, listing, addresses)})
