"""Records asked for by their keys, several at a time where the API takes several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.reading import HIDDEN, made_of, one_at
from crm_sync_assets.clients.rest.source import Many, One, Rest
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.contract import Page, Read, Tombstone
from crm_sync_assets.declarations.entity import Key, Record
from crm_sync_assets.log import logger
from crm_sync_assets.rows.outline import Told, outline_of
from crm_sync_assets.rows.processor import Processor

log = logger(__name__)


class ByKey:
    """Records asked for by their keys."""

    def __init__(
        self, read: Read, session: Session, source: Rest, one: One, addresses: Addresses
    ) -> None:
        self._read = read
        self._session = session
        self._source = source
        self._one = one
        self._addresses = addresses
        self._members: list[str | None] = [*addresses.members] if source.each else [None]
        # A record of a member that is not shown to us any more may be there all the same.
        self._lost = set(read.memory.get("members") or ()) - set(addresses.members)
        self._processor = Processor(outline_of(read.entity), validate=False)

    def pages(self, keys: Sequence[Key]) -> Iterator[Page]:
        """Several at a time where the API takes several; what did not come is asked for alone."""
        many = self._source.many
        left = list(keys)
        if many is not None:
            left = []
            groups = [keys[i : i + many.most] for i in range(0, len(keys), many.most)]
            calls = (partial(self._several, many, group) for group in groups)
            for group, page in zip(groups, in_order(calls), strict=True):
                told = self._told(page.records)
                left += [key for key in group if not told.has(key)]
                yield page
        yield from in_order(partial(self._alone, key) for key in left)

    def _several(self, many: Many, keys: Sequence[Key]) -> Page:
        answer = self._session.get(
            many.path, {many.ask: ",".join(key[0] for key in keys)}, cost=many.cost
        )
        records = at(answer.json, self._source.records) or []
        return Page([record for record in records if not self._is_gone(record)], {})

    def _alone(self, key: Key) -> Page:
        """One record, wherever it is; not shown to us here, it may be there all the same."""
        hidden = False
        for member, path in self._places(key):
            for ask in self._one.asks:
                record = one_at(self._session, path, self._one, ask)
                hidden = hidden or record is HIDDEN
                if record is None or record is HIDDEN:
                    continue
                made = self._made(record, member, key)
                told = self._told(made)
                if self._is_gone(record) and not told.has_nameless:
                    return Page([], {}, [Tombstone(key)])
                mine = [one for one in made if self._told([one]).has(key)]
                if mine:
                    return Page(mine, {})
                if told.has_nameless:
                    log.warning(
                        "%s: asked for %s, the source answered with a record that does not say "
                        "which it is: that proves nothing, and its row stays",
                        self._session.subject,
                        "/".join(key),
                    )
                    return Page(made, {}, kept=[key])
        if hidden or (self._lost and not self._names_its_member(key)):
            return Page([], {}, kept=[key])
        return Page([], {}, [Tombstone(key)])

    def _names_its_member(self, key: Key) -> bool:
        each, made = self._source.each, self._one.names
        return each is not None and made is not None and each.name in made(key)

    def _places(self, key: Key) -> Iterator[tuple[str | None, str]]:
        """Where a record may be: with the member that its key names, else with each."""
        made, each = self._one.names, self._source.each
        names = dict(made(key) if made else zip(self._key_names(), key, strict=True))
        named = names.pop(each.name, None) if each else None
        for member in self._members:
            if named in (None, member):
                yield member, self._addresses.path(self._one.path, member, names)

    def _made(self, record: Record, member: str | None, key: Key) -> list[Record]:
        """What a listed record would have become."""
        if self._one.shaped:
            return [self._one.shaped(record, key)]
        return made_of(self._source, record, member)

    def _is_gone(self, record: Record) -> bool:
        says_so = self._one.gone or self._source.gone
        return says_so is not None and says_so(record)

    def _told(self, records: Sequence[Record]) -> Told:
        return Told.by(self._processor, records)

    def _key_names(self) -> list[str]:
        return [column.name for column in self._read.entity.key]
