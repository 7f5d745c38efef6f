"""Endpoints of CRM objects: list, read, search, batch, write, merge, delete."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from crm_sync_assets.sandbox.answers import text
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.hubspot.errors import Refusal, invalid, not_found
from crm_sync_assets.sandbox.crms.hubspot.portal import Answer, Call, Portal
from crm_sync_assets.sandbox.crms.hubspot.properties import OTHERS, object_type
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.crms.hubspot.search import parse
from crm_sync_assets.sandbox.store import Version

MAX_PAGE, MAX_PAGE_WITH_HISTORY, MAX_BATCH = 100, 50, 100
# The next record's id; "r1" asks for that page once more, "e2" comes after two empty pages.
_AFTER = re.compile(r"(\d{1,18})(?:([re])(\d+))?")


class Objects:
    """All of `/crm/v3/objects/{type}`."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._world = portal.world
        self._common = portal.common
        self._knobs = portal.knobs

    # -- reading ---------------------------------------------------------------------------------

    def list(self, call: Call) -> Answer:
        """A page by id; `after` is the next record's id."""
        table = self._portal.table(call)
        history = call.names("propertiesWithHistory")
        limit = call.number("limit", 10, MAX_PAGE_WITH_HISTORY if history else MAX_PAGE)
        archived, after = call.flag("archived"), call.query("after") or ""
        with self._world.lock:
            start, mode, count = _start(after)
            number = table.base.number_from(start)
            if self._common.empty_pages and mode != "r" and count < self._common.empty_pages:
                return self._page(call, [], f"{start}e{count + 1}")
            size = max(1, limit - self._common.page_shrink)
            found = list(islice(table.walk(number, archived, call.now), size + 1))
            page = found[:size]
            following = table.id_of(found[size][0]) if len(found) > size else None
            if page and self._common.repeat_page and mode != "r":
                following = f"{table.id_of(page[0][0])}r1"
            if page and self._common.stuck_cursor:
                following = after or table.id_of(page[0][0])
            write = self._writer(call, table, call.names("properties"), history)
            return self._page(call, [write(n, v) for n, v in page], following)

    def _page(self, call: Call, rendered: Iterable[str], following: str | None) -> Answer:
        paging = ""
        if following is not None:
            link = str(call.request.url.include_query_params(after=following))
            paging = f',"paging":{text({"next": {"after": following, "link": link}})}'
        return Answer(f'{{"results":[{",".join(rendered)}]{paging}}}')

    def _writer(
        self,
        call: Call,
        table: Table,
        names: tuple[str, ...] | None,
        history: tuple[str, ...] | None = None,
        associations: tuple[str, ...] | None = None,
    ) -> "Callable[[int, Version | None], str]":
        # With history the values come from both lists.
        asked = (*(names or ()), *history) if history else names
        self._portal.need_for(table, asked or ())
        renderer = self._portal.renderer(table.base, asked)
        others = associations or (call.names("associations") if call.body is None else None) or ()

        def write(number: int, version: Version | None) -> str:
            more = self._history(table, number, version, history) if history else ""
            more += self._associated(table, number, others) if others else ""
            if version is None:
                at = table.archived_at(number) if table.base.archived(number) else None
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
        at = iso(version.modified if version else table.base.modified(number))
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
            number = self._number(table, call.path("id"), call.query("idProperty"), call.now)
            state, version = ("", None) if number is None else table.state(number, call.now)
            while state == "merged" and version is not None and version.merged_into is not None:
                number = version.merged_into
                state, version = table.state(number, call.now)
            if number is None or state != ("archived" if archived else "live"):
                raise not_found()
            names = call.names("properties")
            write = self._writer(call, table, names, call.names("propertiesWithHistory"))
            return Answer(write(number, version))

    def _number(
        self, table: Table, record_id: str, id_property: str | None, now: int
    ) -> int | None:
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
        knobs = self._common
        with self._world.lock:
            total, numbers = self._portal.searcher(table).run(asked, call.now)
            numbers = numbers[: max(1, asked.limit - knobs.page_shrink)] if asked.limit else []
            write = self._writer(call, table, asked.properties)
            rendered = []
            for number in numbers:
                record = table.records.get(number)
                rendered.append(write(number, record.indexed(call.now) if record else None))
        following = asked.offset + len(numbers)
        paging = ""
        if following < total and numbers:
            if knobs.repeat_page:
                following -= len(numbers) // 2
            if knobs.stuck_cursor:
                following = asked.offset
            paging = f',"paging":{{"next":{{"after":"{following}"}}}}'
        total += knobs.short_total
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
        results, missing = {}, []
        with self._world.lock:
            write = self._writer(call, table, names, history)
            for record_id in dict.fromkeys(inputs):
                number = self._number(table, record_id, id_property, call.now)
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
                    missing.append(record_id)
        ordered = [results[n] for n in sorted(results, key=lambda n: (n * 7919 % 101, n))]
        return batch_answer(call, ordered, [_missing(table, missing)] if missing else [])

    # -- writing ---------------------------------------------------------------------------------

    def create(self, call: Call) -> Answer:
        """POST of one record: 201."""
        table = self._portal.table(call)
        with self._world.lock:
            number = self._created(table, call.body)
            return Answer(self._now(call, table, number), 201)

    def update(self, call: Call) -> Answer:
        """PATCH of one record."""
        table = self._portal.table(call)
        with self._world.lock:
            number = self._updated(table, call.path("id"), call.body)
            return Answer(self._now(call, table, number))

    def archive(self, call: Call) -> Answer:
        """DELETE: 204, also when it is in the recycle bin already."""
        table = self._portal.table(call)
        with self._world.lock:
            number = table.number_of(call.path("id"))
            state = None if number is None else table.state(number, None)[0]
            if state not in ("live", "archived"):
                raise not_found()
            if state == "live":
                self._world.archive(table.kind.name, call.path("id"))
        return Answer(None, 204)

    def merge(self, call: Call) -> Answer:
        """The survivor of a merge."""
        table = self._portal.table(call)
        primary, other = call.text("primaryObjectId"), call.text("objectIdToMerge")
        with self._world.lock:
            survivor = self._world_says(self._world.merge, table.kind.name, primary, other)
            return Answer(self._now(call, table, table.number_of(survivor) or 0))

    def gdpr_delete(self, call: Call) -> Answer:
        """Permanent deletion: 204."""
        table = self._portal.table(call)
        record_id = call.text("objectId")
        with self._world.lock:
            number = self._number(table, record_id, call.body.get("idProperty"), call.now)
            if number is not None and table.state(number, None)[0] in ("live", "archived"):
                self._world.purge(table.kind.name, table.id_of(number))
        return Answer(None, 204)

    def batch_create(self, call: Call) -> Answer:
        """Several POSTs in one: 201."""
        table = self._portal.table(call)
        with self._world.lock:
            numbers = [self._created(table, one) for one in _batch(call)]
            written = [self._now(call, table, n) for n in numbers]
        return batch_answer(call, written, [], 201)

    def batch_update(self, call: Call) -> Answer:
        """Several PATCHes in one; 207 when some ids are missing."""
        table = self._portal.table(call)
        done, missing = [], []
        with self._world.lock:
            for one in _batch(call):
                record_id = str(one.get("id") if isinstance(one, Mapping) else "")
                try:
                    done.append(self._now(call, table, self._updated(table, record_id, one)))
                except Refusal as refusal:
                    if refusal.status != 404:
                        raise
                    missing.append(record_id)
        return batch_answer(call, done, [_missing(table, missing)] if missing else [])

    def batch_archive(self, call: Call) -> Answer:
        """Several DELETEs in one: 204."""
        table = self._portal.table(call)
        with self._world.lock:
            for record_id in batch_inputs(call, MAX_BATCH):
                number = table.number_of(record_id)
                if number is not None and table.state(number, None)[0] == "live":
                    self._world.archive(table.kind.name, record_id)
        return Answer(None, 204)

    def _created(self, table: Table, body: Any) -> int:
        values = _property_values(body)
        record_id = self._world_says(self._world.create, table.kind.name, values)
        return table.number_of(record_id) or 0

    def _updated(self, table: Table, record_id: str, body: Any) -> int:
        number = table.number_of(record_id)
        if number is None or table.state(number, None)[0] != "live":
            raise not_found()
        self._world_says(self._world.edit, table.kind.name, record_id, _property_values(body))
        return number

    def _world_says(self, operation: "Callable[..., str]", *arguments: Any) -> str:
        try:
            return operation(*arguments)
        except LookupError as error:
            raise not_found(str(error.args[0])) from None
        except ValueError as error:
            raise invalid(str(error)) from None

    def _now(self, call: Call, table: Table, number: int) -> str:
        """The answer to a write shows it at once, whatever reads show yet."""
        return self._writer(call, table, None)(number, table.records[number].latest)


def _start(after: str) -> tuple[int, str, int]:
    if not after:
        return 0, "", 0
    found = _AFTER.fullmatch(after)
    if not found:
        raise invalid(f"invalid paging cursor: {after!r}")
    return int(found[1]), found[2] or "", int(found[3] or 0)


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    names = body.get(key)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise invalid(f"Invalid input JSON: {key} must be a list of strings")
    return tuple(dict.fromkeys(names)) or None


def _property_values(body: Any) -> dict[str, str | None]:
    values = body.get("properties") if isinstance(body, Mapping) else None
    if not isinstance(values, Mapping):
        raise invalid("Invalid input JSON: properties is required")
    # The service clears a property by an empty text.
    return {name: None if value in ("", None) else str(value) for name, value in values.items()}


def _batch(call: Call) -> list[Any]:
    inputs = call.body.get("inputs") if isinstance(call.body, Mapping) else None
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_BATCH:
        raise invalid(f"inputs must hold 1 to {MAX_BATCH} entries")
    return inputs


def batch_inputs(call: Call, most: int) -> list[str]:
    """The ids of a batch body. Refusal when they are missing, malformed or too many."""
    inputs = call.body.get("inputs") if isinstance(call.body, Mapping) else None
    if not isinstance(inputs, list):
        raise invalid("Invalid input JSON: inputs is required")
    if not inputs:
        raise invalid("inputs must not be empty")
    if len(inputs) > most:
        raise too_many_inputs(f"is {most}")
    ids = [one.get("id") if isinstance(one, Mapping) else None for one in inputs]
    if not all(isinstance(i, str | int) and not isinstance(i, bool) for i in ids):
        raise invalid("Invalid input JSON: every input needs an id")
    return [str(i) for i in ids]


def _check_width(properties: int, most: int) -> None:
    """Refusal for more properties than one batch read takes; HubSpot publishes no such number."""
    if most and properties > most:
        raise invalid(
            f"The maximum number of properties supported in a batch request is {most}. Please "
            "reduce the number of properties and try again"
        )


def too_many_inputs(limit: str) -> Refusal:
    """400, in the service's words."""
    return invalid(
        f"The maximum number of inputs supported in a batch request {limit}. Please reduce the "
        "number of items and try again"
    )


def batch_answer(
    call: Call, results: Iterable[str], errors: list[dict[str, Any]], status: int = 200
) -> Answer:
    """The envelope of batch endpoints: 207 as soon as there is an error."""
    joined = ",".join(results)
    failed = f',"numErrors":{len(errors)},"errors":{text(errors)}' if errors else ""
    times = f'"startedAt":"{iso(call.now)}","completedAt":"{iso(call.now)}"'
    body = f'{{"status":"COMPLETE","results":[{joined}]{failed},{times}}}'
    return Answer(body, 207 if errors else status)


def _missing(table: Table, ids: list[str]) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {table.kind.singular.upper()} objects, they may be deleted "
        "or not exist. Check that ids are valid.",
        "context": {"ids": ids},
    }
