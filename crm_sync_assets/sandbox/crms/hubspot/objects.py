"""Endpoints that read CRM objects: list, one, search, batch."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crm_sync_assets.sandbox.answers import address, by_id, by_offset, text
from crm_sync_assets.sandbox.calls import Answer, Call
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.hubspot.batches import (
    MAX_BATCH,
    batch_answer,
    batch_inputs,
    missing,
    too_many_inputs,
)
from crm_sync_assets.sandbox.crms.hubspot.errors import invalid, not_found
from crm_sync_assets.sandbox.crms.hubspot.portal import Portal
from crm_sync_assets.sandbox.crms.hubspot.properties import OTHERS, object_type
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.crms.hubspot.search import parse
from crm_sync_assets.sandbox.store import Version

MAX_PAGE, MAX_PAGE_WITH_HISTORY = 100, 50
Seen = tuple[int, Version | None]


class Objects:
    """What `/crm/v3/objects/{type}` tells."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._world = portal.world
        self._common = portal.common
        self._knobs = portal.knobs

    def list(self, call: Call) -> Answer:
        """A page by id; `after` is the next record's id."""
        table = self._portal.table(call)
        history = call.names("propertiesWithHistory")
        limit = call.number("limit", 10, MAX_PAGE_WITH_HISTORY if history else MAX_PAGE)
        archived, after = call.flag("archived"), call.query("after") or ""

        def walk(start: int) -> Iterator[Seen]:
            return table.walk(table.base.number_from(start), archived, call.now)

        with self._world.lock:
            page = by_id(after, limit, self._common, walk, lambda seen: table.id_of(seen[0]))
            write = self.writer(call, table, call.names("properties"), history)
            rendered = [write(n, v) for n, v in page.items]
        paging = ""
        if page.following is not None:
            url = address(call.request, after=page.following)
            paging = f',"paging":{text({"next": {"after": page.following, "link": url}})}'
        return Answer(f'{{"results":[{",".join(rendered)}]{paging}}}')

    def writer(
        self,
        call: Call,
        table: Table,
        names: tuple[str, ...] | None,
        history: tuple[str, ...] | None = None,
        associations: tuple[str, ...] | None = None,
    ) -> "Callable[[int, Version | None], str]":
        """What writes a record in one version as JSON; None is an untouched one."""
        # With history the values come from both lists.
        asked = (*(names or ()), *history) if history else names
        self._portal.need_for(table, asked or ())
        renderer = self._portal.renderer(table.base, asked)
        others = associations or (call.names("associations") if call.body is None else None) or ()

        def write(number: int, version: Version | None) -> str:
            more = self._history(table, number, version, history) if history else ""
            more += self._associated(table, number, others) if others else ""
            if version is None:
                at = table.archived_at(number, None)
                return renderer.base(number, at, more)
            return renderer.changed(
                table.base.id_of(number),
                table.records[number].created,
                version.modified,
                table.values(number, version),
                version.archived_at if version.state == "archived" else None,
                more,
            )

        return write

    def _history(
        self, table: Table, number: int, version: Version | None, names: tuple[str, ...]
    ) -> str:
        values = table.values(number, version)
        at = iso(table.modified(number, version))
        entries = {
            name: [{"value": values[name] or "", "timestamp": at, "sourceType": "CRM_UI"}]
            for name in names
            if name in values
        }
        return f',"propertiesWithHistory":{text(entries)}'

    def _associated(self, table: Table, number: int, others: tuple[str, ...]) -> str:
        found: dict[str, Any] = {}
        for other in others:
            kind = object_type(other)
            if kind is None and other in OTHERS:
                continue
            if kind is None:
                raise invalid(f"Unable to infer object type from: {other}")
            ids = self._world.associated(table.kind.name, table.id_of(number), kind.name)
            label = f"{table.kind.singular}_to_{kind.singular}"
            if ids:
                found[kind.name] = {"results": [{"id": i, "type": label} for i in ids[:100]]}
        return f',"associations":{text(found)}' if found else ""

    def get(self, call: Call) -> Answer:
        """One record; a merged id answers with its survivor."""
        table = self._portal.table(call)
        archived = call.flag("archived")
        with self._world.lock:
            number = self.number(table, call.path("id"), call.query("idProperty"), call.now)
            state, version = ("", None) if number is None else table.state(number, call.now)
            while state == "merged" and version is not None and version.merged_into is not None:
                number = version.merged_into
                state, version = table.state(number, call.now)
            if number is None or state != ("archived" if archived else "live"):
                raise not_found()
            names = call.names("properties")
            write = self.writer(call, table, names, call.names("propertiesWithHistory"))
            return Answer(write(number, version))

    def number(self, table: Table, record_id: str, id_property: str | None, now: int) -> int | None:
        """The number of an id, or of a value of another property. None when there is none."""
        if not id_property or id_property == "hs_object_id":
            return table.number_of(record_id)
        read = table.base.reader(id_property)
        for number, version in table.walk(0, False, now):
            value = (
                read(number) if version is None else table.values(number, version).get(id_property)
            )
            if value is not None and value.lower() == record_id.lower():
                return number
        return None

    def search(self, call: Call) -> Answer:
        """At most 200 of at most 10,000 results, as of the index."""
        table = self._portal.table(call)
        if not isinstance(call.body, Mapping):
            raise invalid("Invalid input JSON: a search is an object")
        asked = parse(table, call.body, self._knobs.search_cap)
        with self._world.lock:
            total, numbers = self._portal.searcher(table).run(asked, call.now)
            page = by_offset(numbers, asked.offset, asked.limit, total, self._common)
            write = self.writer(call, table, asked.properties)
            rendered = []
            for number in page.items:
                record = table.records.get(number)
                rendered.append(write(number, record.indexed(call.now) if record else None))
        paging = f',"paging":{{"next":{{"after":"{page.following}"}}}}' if page.following else ""
        total += self._common.short_total
        return Answer(f'{{"total":{total},"results":[{",".join(rendered)}]{paging}}}')

    def batch_read(self, call: Call) -> Answer:
        """Up to 100 records by id; 207 with the missing ones named."""
        table = self._portal.table(call)
        inputs = batch_inputs(call, MAX_BATCH)
        archived = call.flag("archived")
        names, history = _names(call.body, "properties"), _names(call.body, "propertiesWithHistory")
        if history and len(inputs) > MAX_PAGE_WITH_HISTORY:
            raise too_many_inputs(f"for property histories is {MAX_PAGE_WITH_HISTORY}")
        _check_width(len(names or ()) + len(history or ()), self._knobs.most_properties)
        id_property = call.body.get("idProperty")
        results, unknown = {}, []
        with self._world.lock:
            write = self.writer(call, table, names, history)
            for record_id in dict.fromkeys(inputs):
                number = self.number(table, record_id, id_property, call.now)
                state, version = ("", None) if number is None else table.state(number, call.now)
                if state == "merged" and version is not None:
                    if self._knobs.merged_in_batch_read == "absent":
                        continue
                    if self._knobs.merged_in_batch_read == "survivor":
                        while state == "merged" and version and version.merged_into is not None:
                            number = version.merged_into
                            state, version = table.state(number, call.now)
                if number is not None and state == ("archived" if archived else "live"):
                    results[number] = write(number, version)
                else:
                    unknown.append(record_id)
        ordered = [results[n] for n in sorted(results, key=lambda n: (n * 7919 % 101, n))]
        return batch_answer(call, ordered, missing(table, unknown))


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    names = body.get(key)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise invalid(f"Invalid input JSON: {key} must be a list of strings")
    return tuple(dict.fromkeys(names)) or None


def _check_width(properties: int, most: int) -> None:
    """Refusal for more properties than one batch read takes; HubSpot publishes no such number."""
    if most and properties > most:
        raise invalid(
            f"The maximum number of properties supported in a batch request is {most}. Please "
            "reduce the number of properties and try again"
        )
