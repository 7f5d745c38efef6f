"""Pipedrive's endpoints: v2 lists by cursor, v1 lists by offset, single records."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crm_sync_assets.sandbox.answers import by_id, by_offset, opened, sealed
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call
from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crms.pipedrive.entrance import Entrance, answered
from crm_sync_assets.sandbox.store import Table, Version

DAY_MS = 86_400_000
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SORTED_BY = {
    "products": ("id", "name", "add_time", "update_time"),
    "activities": ("id", "update_time", "add_time", "due_date"),
}
WHOLE_NUMBERS = ("owner_id", "person_id", "org_id", "deal_id", "pipeline_id", "stage_id")


Row = tuple[int, Version | None]


class Company(Entrance):
    """One company's records."""

    # -- v2 --------------------------------------------------------------------------------------

    def listed(self, kind: str, *, archived: bool = False) -> Callable[[Call], Answer]:
        """The handler of a v2 list by cursor."""

        def handle(call: Call) -> Answer:
            asked = dict(call.request.query_params) | {"": f"{archived} {self._world.cursors}"}
            position = opened(asked.pop("cursor", ""), asked)
            limit = call.number("limit", 100, 500)
            table, rows = self._world.table(kind), self._matching(call, kind, archived)
            page = by_id(
                position, limit, self.common, _walk(table, rows, call), _place(table, rows, call)
            )
            following = sealed(page.following, asked) if page.following else None
            return self._page(table, page.items, {"next_cursor": following})

        return handle

    def _matching(self, call: Call, kind: str, archived: bool) -> list[Row]:
        """The rows that a list shows, by id. BadRequest for what it refuses."""
        _strict(call, kind)
        table, now = self._world.table(kind), call.now
        since, until = _moment(call, "updated_since"), _moment(call, "updated_until")
        if kind == "products" and until is not None:
            if self._knobs.pipedrive_until_refused:
                raise BadRequest("updated_until is not allowed")
            until = None
        filtered = call.query("filter_id") is None
        ids = call.names("ids") if filtered else None
        statuses = set(call.names("status") or ()) if filtered and kind == "deals" else set()
        owner = call.query("owner_id") if filtered else None
        deleted = kind == "deals" and "deleted" in statuses
        found = [] if statuses == {"deleted"} else [*self._shown(table, False, now)]
        if deleted:
            found += [*self._shown(table, True, now)]

        def matches(row: Row) -> bool:
            changed = table.modified(*row) // 1000
            wire = self._world.wire(table, *row)
            return (
                (since is None or changed >= since)
                and (until is None or changed < until)
                and (ids is None or table.id_of(row[0]) in ids)
                and (not statuses or wire["status"] in statuses)
                and (owner is None or str(wire["owner_id"]) == owner)
                and (kind != "deals" or bool(wire["is_archived"]) == archived)
            )

        return sorted((row for row in found if matches(row)), key=lambda row: row[0])

    def _shown(self, table: Table, deleted: bool, now: int) -> Iterator[Row]:
        """What the token's user sees of a kind, or of its bin."""
        for number, version in table.walk(0, deleted, now):
            hidden = (table.kind.name, table.id_of(number)) in self._world.hidden
            emptied = deleted and self._world.is_emptied(table.archived_at(number, version) or 0)
            if not hidden and not emptied:
                yield number, version

    def _page(self, table: Table, rows: Any, additional: Mapping[str, Any]) -> Answer:
        data = [self._world.wire(table, *row) for row in rows]
        empty: list[Any] | None = None if self._knobs.pipedrive_null_lists else []
        return answered(data or empty, dict(additional))

    def single(self, kind: str) -> Callable[[Call], Answer]:
        """The handler of one record's address."""

        def handle(call: Call) -> Answer:
            table = self._world.table(kind)
            number = table.number_of(call.path("id"))
            state, version = table.state(number, call.now) if number is not None else (None, None)
            missing = "requested lead not found" if kind == "leads" else "Entity was not found"
            if number is not None and (kind, table.id_of(number)) in self._world.hidden:
                status = self._knobs.pipedrive_hidden_status
                raise self.refusal(status, missing if status == 404 else "Access denied")
            if number is None or state not in ("live", "archived"):
                raise self.refusal(404, missing)
            if state == "archived":
                status = self._knobs.pipedrive_deleted_status
                if self._world.is_emptied(table.archived_at(number, version) or 0):
                    status = 404
                if status != 200:
                    raise self.refusal(status, missing)
            return answered(self._world.wire(table, number, version))

        return handle

    def few(self, name: str, *, paged: bool = True) -> Callable[[Call], Answer]:
        """The handler of a list out of the directory."""

        def handle(call: Call) -> Answer:
            if name.startswith("fields/") and self._knobs.pipedrive_fields_closed:
                raise self.refusal(403, "Scope and URL mismatch")
            rows = self._world.directory.tables[name]
            if not paged:
                return answered(rows)
            asked = dict(call.request.query_params)
            start = opened(asked.pop("cursor", ""), asked)
            limit = call.number("limit", 100, 500)
            page = by_offset(
                rows[int(start or 0) :], int(start or 0), limit, len(rows), self.common
            )
            following = sealed(page.following, asked) if page.following else None
            return answered(page.items, {"next_cursor": following})

        return handle

    def one_of_few(self, name: str) -> Callable[[Call], Answer]:
        """The handler of one row of the directory."""

        def handle(call: Call) -> Answer:
            for row in self._world.directory.tables[name]:
                if str(row["id"]) == call.path("id"):
                    return answered(row)
            raise self.refusal(404, "Entity was not found")

        return handle

    # -- v1 --------------------------------------------------------------------------------------

    def offset(self, kind: str, *, archived: bool = False) -> Callable[[Call], Answer]:
        """The handler of a v1 list by offset; the archived one knows nothing of changes."""

        def handle(call: Call) -> Answer:
            table, start = self._world.table(kind), call.number("start", 0, 10**9, lowest=0)
            limit = call.number("limit", 100, 500)
            since = None if archived else call.query("updated_since")
            rows = [*self._shown(table, False, call.now)]
            if kind == "notes" and self._knobs.pipedrive_deleted_notes:
                rows += [*self._shown(table, True, call.now)]
            wires = [(row, self._world.wire(table, *row)) for row in rows]
            kept = [
                (row, wire)
                for row, wire in wires
                if (since is None or table.modified(*row) >= epoch_ms(since))
                and (kind != "leads" or bool(wire["is_archived"]) == archived)
            ]
            kept.sort(key=lambda one: one[0][0])
            for field in reversed((call.query("sort") or "").split(",")):
                name, _, way = field.strip().partition(" ")
                if name:
                    kept.sort(key=lambda one: _sortable(one[1].get(name)), reverse=way == "DESC")
            page = by_offset(kept[start:], start, limit, len(kept), self.common)
            said: dict[str, Any] = {
                "start": start, "limit": limit,
                "more_items_in_collection": page.following is not None,
            }  # fmt: skip
            if page.following is not None:
                said["next_start"] = int(page.following)
            flat = kind == "leads" and self._knobs.pipedrive_flat_pagination
            additional = said if flat else {"pagination": said}
            if self._knobs.pipedrive_silent_pagination:
                additional = {}
            return self._page(table, [row for row, _ in page.items], additional)

        return handle

    def recents(self, call: Call) -> Answer:
        """What changed, for a month and no longer; now and then without the record."""
        since = max(epoch_ms(call.query("since_timestamp") or "2000-01-01"), call.now - 30 * DAY_MS)
        items = [
            {"item": table.kind.singular, "id": table.id_of(row[0]),
             "data": self._world.wire(table, *row) if row[0] % 7 else None}
            for table in self._world.tables.values()
            if table.kind.name != "leads"
            for row in self._shown(table, False, call.now)
            if table.modified(*row) >= since
        ]  # fmt: skip
        start, limit = call.number("start", 0, 10**9, lowest=0), call.number("limit", 100, 500)
        more = {"more_items_in_collection": start + limit < len(items)}
        return answered(items[start : start + limit], {"pagination": {"start": start, **more}})


def _walk(table: Table, rows: list[Row], call: Call) -> Callable[[int], Iterator[Row]]:
    if _by_number(call):
        return lambda start: (row for row in rows if table.base.id_of(row[0]) >= start)
    field, back = call.query("sort_by") or "id", call.query("sort_direction") == "desc"
    ordered = sorted(rows, key=lambda row: _sortable(table.values(*row).get(field)), reverse=back)
    rows[:] = ordered
    return lambda start: iter(rows[start:])


def _place(table: Table, rows: list[Row], call: Call) -> Callable[[Row], object]:
    """What a cursor says of a row: its id or, in any other order, how many come before it."""
    if _by_number(call):
        return lambda row: table.base.id_of(row[0])
    return lambda row: rows.index(row)


def _by_number(call: Call) -> bool:
    up = call.query("sort_direction") in (None, "asc")
    return up and call.query("sort_by") in (None, "id", "add_time")


def _strict(call: Call, kind: str) -> None:
    """BadRequest for a parameter of another type."""
    params = call.request.query_params
    if len(params.getlist("sort_by")) > 1:
        raise BadRequest("sort_by must be given once")
    allowed = SORTED_BY.get(kind, ("id", "update_time", "add_time"))
    if (by := call.query("sort_by")) is not None and by not in allowed:
        raise BadRequest(f"sort_by must be one of {', '.join(allowed)}")
    if call.query("sort_direction") not in (None, "asc", "desc"):
        raise BadRequest("sort_direction must be asc or desc")
    for name in WHOLE_NUMBERS:
        if (value := call.query(name)) is not None and not value.isdigit():
            raise BadRequest(f"{name} must be a number")
    call.flag("done")
    ids = call.names("ids") or ()
    if len(ids) > 100 or not all(one.isdigit() for one in ids):
        raise BadRequest("ids must be at most 100 numbers")
    known = {"open", "won", "lost", "deleted"}
    if kind == "deals" and not known.issuperset(call.names("status") or ()):
        raise BadRequest("status must be open, won, lost or deleted")


def _moment(call: Call, name: str) -> int | None:
    """Epoch seconds. BadRequest for anything but RFC 3339 in UTC without a fraction."""
    value = call.query(name)
    if value is None:
        return None
    if not MOMENT.fullmatch(value):
        raise BadRequest(f"{name} must be RFC 3339 without a fraction")
    return epoch_ms(value) // 1000


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if isinstance(value, int | float) else str(value))
