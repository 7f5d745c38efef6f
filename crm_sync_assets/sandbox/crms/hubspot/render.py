"""Records as JSON text, quickly: most of a base record is put together from ready fragments."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from crm_sync_assets.sandbox.answers import text
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.hubspot.data import Base

PORTAL_ID = 123_456


class Renderer:
    """Writes records of one type with one choice of properties; None means the defaults."""

    def __init__(self, base: Base, names: Sequence[str] | None) -> None:
        kind = base.kind
        known = {n for block in base.blocks for n in block.names} | set(base.unique)
        asked = set(kind.defaults if names is None else names) & known
        self._base = base
        self._names = frozenset(asked | set(kind.always))
        self._unique = [(f',"{n}":', f) for n, f in base.unique.items() if n in asked]
        self._blocks = self._fragments(asked)
        self._url = f"https://app.hubspot.com/contacts/{PORTAL_ID}/record/{kind.type_id}/"

    def _fragments(self, asked: set[str]) -> list[tuple[int, list[str]]]:
        found = []
        for n, block in enumerate(self._base.blocks):
            columns = [(name, i) for i, name in enumerate(block.names) if name in asked]
            if columns:
                ready = [
                    "".join(f',"{name}":{text(variant[i])}' for name, i in columns)
                    for variant in block.variants
                ]
                found.append((n, ready))
        return found

    def base(self, k: int, archived_at: int | None = None, more: str = "") -> str:
        """A record nobody has touched."""
        base, h = self._base, self._base.mix(k)
        kind, record_id = base.kind, base.id_of(k)
        created, modified = iso(base.created(k)), iso(base.modified(k))
        parts = [
            f'{{"id":"{record_id}","properties":{{"{kind.created}":"{created}",'
            f'"hs_object_id":"{record_id}","{kind.modified}":"{modified}"'
        ]
        for n, ready in self._blocks:
            parts.append(ready[base.variant(n, k, h)])
        for key, make in self._unique:
            value = make(k, h, base.pools)
            parts.append(f'{key}"{value}"' if value is not None else f"{key}null")
        parts.append(self._end(record_id, created, modified, archived_at, more))
        return "".join(parts)

    def changed(
        self,
        record_id: int,
        created: int,
        modified: int,
        values: Mapping[str, str | None],
        archived_at: int | None = None,
        more: str = "",
    ) -> str:
        """A record that has been written to, from all its values."""
        chosen = {name: values.get(name) for name in sorted(self._names)}
        head = f'{{"id":"{record_id}","properties":{{{text(chosen)[1:-1]}'
        return head + self._end(record_id, iso(created), iso(modified), archived_at, more)

    def _end(
        self, record_id: int, created: str, modified: str, archived_at: int | None, more: str
    ) -> str:
        state = (
            '"archived":false'
            if archived_at is None
            else f'"archived":true,"archivedAt":"{iso(archived_at)}"'
        )
        return (
            f'}},"createdAt":"{created}","updatedAt":"{modified}",{state}{more},'
            f'"url":"{self._url}{record_id}"}}'
        )


def renderers() -> Callable[[Base, tuple[str, ...] | None], Renderer]:
    """A cache of renderers, by type and properties."""
    return lru_cache(maxsize=64)(Renderer)
