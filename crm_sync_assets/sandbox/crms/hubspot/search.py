"""Search: eventually consistent, one sort, at most 10,000 results."""

import json
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.sandbox.crms.hubspot.errors import invalid
from crm_sync_assets.sandbox.crms.hubspot.filters import Filter, Group, groups_of, stored
from crm_sync_assets.sandbox.crms.hubspot.properties import types_of
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.store import Version

DEFAULT_LIMIT, MAX_LIMIT, MAX_QUERY = 10, 200, 3_000
_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Request:
    """A search that passed all checks."""

    groups: tuple[Group, ...]
    sort: str
    descending: bool
    limit: int
    offset: int
    properties: tuple[str, ...] | None
    query: str
    key: str


def parse(table: Table, body: Mapping[str, Any], cap: int) -> Request:
    """Check a search body as the service does. Refusal (400) when it would refuse."""
    sort, descending = _sort(table, body.get("sorts") or [])
    limit = _integer(body.get("limit"), "limit", DEFAULT_LIMIT)
    offset = _integer(body.get("after"), "after", 0)
    if not 0 <= limit <= MAX_LIMIT:
        raise invalid(f"limit {limit} is not between 0 and {MAX_LIMIT}")
    if offset + limit > cap:
        raise invalid("There was a problem with the request.")
    query = body.get("query") or ""
    if not isinstance(query, str) or len(query) > MAX_QUERY:
        raise invalid(f"query must be a text of at most {MAX_QUERY} characters")
    names = body.get("properties")
    if names is not None and not (
        isinstance(names, list) and all(isinstance(n, str) for n in names)
    ):
        raise invalid("Invalid input JSON: properties must be a list of strings")
    groups = groups_of(table.kind, body)
    raw = json.dumps([body.get("filterGroups"), body.get("filters"), query, sort, descending])
    chosen = tuple(names) if names else None
    return Request(groups, sort, descending, limit, offset, chosen, query.lower(), raw)


def _integer(value: Any, name: str, default: int) -> int:
    if value is None or value == "":
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise invalid(f"Invalid input JSON: {name} must be an integer, not {value!r}")


def _sort(table: Table, sorts: Any) -> tuple[str, bool]:
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise invalid("Only one sort is allowed per request.")
    if not sorts:
        return table.kind.created, False
    one = sorts[0]
    if isinstance(one, str):
        name, direction = one.lstrip("-"), "DESCENDING" if one.startswith("-") else "ASCENDING"
    elif isinstance(one, Mapping):
        name, direction = str(one.get("propertyName")), one.get("direction", "ASCENDING")
    else:
        raise invalid("Invalid input JSON: a sort needs propertyName and direction")
    if direction not in ("ASCENDING", "DESCENDING"):
        raise invalid(f"Invalid input JSON: {direction!r} is not a sort direction")
    if name not in types_of(table.kind.name):
        raise invalid(f"Property {name!r} of the sort does not exist")
    return name, direction == "DESCENDING"


class Searcher:
    """Answers searches over one table, remembering the last few results."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._base_results: OrderedDict[str, list[int]] = OrderedDict()
        self._results: OrderedDict[str, tuple[int, int, int, list[int]]] = OrderedDict()

    def run(self, request: Request, now: int) -> tuple[int, list[int]]:
        """Total, and the record numbers of all matches from the offset on, in order."""
        request, low = _without_id_bound(request)
        numbers = self._matches(request, now)
        place = bisect_left(numbers, self.table.base.number_from(low)) if low else 0
        start = place + request.offset
        return len(numbers) - place, numbers[start : start + request.limit]

    def _matches(self, request: Request, now: int) -> list[int]:
        table = self.table
        known = self._results.get(request.key)
        if known and known[0] == table.changes and known[1] <= now < known[2]:
            return known[3]
        seen: dict[int, Version] = {}
        until = _FOREVER
        for number in table.written:
            versions = table.records[number].versions
            version = table.records[number].indexed(now)
            coming = [v.indexed_at for v in versions if v.indexed_at > now]
            until = min([until, *coming])
            if version is not None and version.state == "live":
                seen[number] = version
        numbers = self._merge(request, seen)
        _remember(self._results, request.key, (table.changes, now, until, numbers))
        return numbers

    def _merge(self, request: Request, seen: Mapping[int, Version]) -> list[int]:
        table, written = self.table, self.table.records
        untouched = self._base_matches(request)
        kept = [n for n in untouched if n not in written] if written else untouched
        changed = [n for n, v in seen.items() if self._meets(request, n, v)]
        if not changed and not request.descending:
            return kept
        key = self._sort_key(request, seen)
        if request.sort == "hs_object_id":
            return sorted([*kept, *changed], reverse=request.descending)
        if request.sort == table.kind.modified:
            _, times = table.base.by_modified()

            def by_time(n: int) -> tuple[int, int]:
                return (seen[n].modified if n in seen else times[n], n)

            key = by_time
        return sorted([*kept, *changed], key=key, reverse=request.descending)

    def _sort_key(self, request: Request, seen: Mapping[int, Version]) -> Callable[[int], Any]:
        table, name = self.table, request.sort
        if name == table.kind.created:
            records, base = table.records, table.base

            def by_creation(n: int) -> tuple[int, int]:
                return (records[n].created if n in records else base.created(n), n)

            return by_creation
        type_ = types_of(table.kind.name)[name]
        read = table.base.reader(name)

        def by_value(n: int) -> tuple[bool, Any, int]:
            value = table.values(n, seen[n])[name] if n in seen else read(n)
            comparable = stored(type_, value) if value else None
            return (comparable is not None, comparable, n) if comparable is not None else (
                False, 0 if type_ in ("number", "date", "datetime") else "", n,
            )  # fmt: skip

        return by_value

    def _meets(self, request: Request, number: int, version: Version) -> bool:
        values: dict[str, str | None] | None = None
        kind = self.table.kind
        if len(request.groups) == 1 and not request.query:
            for one in request.groups[0]:
                if one.name == kind.modified and one.low is not None and one.high is not None:
                    if not one.low <= version.modified <= one.high:
                        return False
                    continue
                if values is None:
                    values = self.table.values(number, version)
                if not one.test(values.get(one.name)):
                    return False
            return True
        values = self.table.values(number, version)
        if request.query and not _found(request.query, values):
            return False
        return not request.groups or any(
            all(one.test(values.get(one.name)) for one in group) for group in request.groups
        )

    def _base_matches(self, request: Request) -> list[int]:
        found = self._base_results.get(request.key)
        if found is None:
            found = self._scan(request)
            _remember(self._base_results, request.key, found)
        return found

    def _scan(self, request: Request) -> list[int]:
        base, kind = self.table.base, self.table.kind
        groups = request.groups
        numbers: Sequence[int] = range(base.count)
        if len(groups) == 1:
            rest = []
            for one in groups[0]:
                if one.name == kind.modified and one.low is not None and one.high is not None:
                    order, times = base.by_modified()
                    first = bisect_left(order, one.low, key=times.__getitem__)
                    last = bisect_left(order, one.high + 1, key=times.__getitem__)
                    inside = order[first:last]
                    numbers = inside if isinstance(numbers, range) else _both(numbers, inside)
                else:
                    rest.append(one)
            groups = (tuple(rest),)
        meets = self._base_test(groups, request.query)
        matching = [n for n in numbers if not base.archived(n) and meets(n)]
        if request.sort in ("hs_object_id", kind.created):
            return sorted(matching)
        if request.sort == kind.modified:
            _, times = base.by_modified()
            return sorted(sorted(matching), key=times.__getitem__)
        return sorted(matching, key=self._sort_key(request, {}))

    def _base_test(self, groups: tuple[Group, ...], query: str) -> Callable[[int], bool]:
        base = self.table.base
        if query:
            return lambda n: (
                _found(query, base.values(n))
                and (not groups or any(_all(group, base.values(n)) for group in groups))
            )
        if not groups or groups == ((),):
            return lambda _n: True
        readers = [[(one.test, base.reader(one.name)) for one in group] for group in groups]
        return lambda n: any(all(test(read(n)) for test, read in group) for group in readers)


def _both(a: Sequence[int], b: Sequence[int]) -> list[int]:
    inside = set(b)
    return [n for n in a if n in inside]


def _all(group: tuple[Filter, ...], values: Mapping[str, str | None]) -> bool:
    return all(one.test(values.get(one.name)) for one in group)


def _found(query: str, values: Mapping[str, str | None]) -> bool:
    return any(
        query in (values.get(name) or "").lower()
        for name in ("email", "firstname", "lastname", "phone", "name", "domain", "dealname",
                     "subject", "hs_appointment_name", "division_label")
    )  # fmt: skip


def _without_id_bound(request: Request) -> tuple[Request, int]:
    """Keyset paging asks the same question with a growing id: answer it out of one result."""
    if len(request.groups) != 1 or request.sort != "hs_object_id" or request.descending:
        return request, 0
    bounds = [f for f in request.groups[0] if f.name == "hs_object_id" and _open(f)]
    raw = json.loads(request.key)
    filters = raw[0][0]["filters"] if raw[0] else raw[1]
    if not bounds or sum(map(_is_bound, filters)) != len(bounds):
        return request, 0
    rest = tuple(f for f in request.groups[0] if f not in bounds)
    low = max(f.low for f in bounds if f.low is not None)
    filters[:] = [f for f in filters if not _is_bound(f)]
    return (
        Request(
            (rest,),
            request.sort,
            request.descending,
            request.limit,
            request.offset,
            request.properties,
            request.query,
            json.dumps(raw),
        ),
        low,
    )


def _open(one: Filter) -> bool:
    return one.low is not None and one.high == 1 << 62


def _is_bound(raw: Mapping[str, Any]) -> bool:
    whole = str(raw.get("value", "")).isdigit()
    return raw["propertyName"] == "hs_object_id" and raw["operator"] in ("GT", "GTE") and whole


def _remember(cache: OrderedDict[str, Any], key: str, value: Any) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > 8:
        cache.popitem(last=False)
