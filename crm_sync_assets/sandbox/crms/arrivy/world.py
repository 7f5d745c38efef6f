"""What Arrivy holds, and what happens there."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.arrivy.knobs import ArrivyKnobs
from crm_sync_assets.sandbox.crms.arrivy.records import DAY_MS, FIELDS, KINDS, naive
from crm_sync_assets.sandbox.life import Life, Moment
from crm_sync_assets.sandbox.seeded import Base
from crm_sync_assets.sandbox.store import Table, Version

SMALL = {"groups": 7, "statuses": 12}
HOUR_MS = 3_600_000
Row = dict[str, Any]


class Planned(NamedTuple):
    """A task as lists choose it; moments are epoch ms, None for none."""

    number: int
    version: Version | None
    begin: int | None
    end: int | None
    unscheduled: bool


class World(Life[Table]):
    """`updated` moves with each edit. What is deleted is in no list and answers 404."""

    def __init__(self, stage: Stage, knobs: ArrivyKnobs, tasks: int, others: int) -> None:
        self._counts = {**SMALL, "tasks": tasks, "entities": others, "bookings": others}
        self._knobs = knobs
        super().__init__(stage)

    def begin(self) -> Mapping[str, Table]:
        self._schedule: tuple[tuple[int, int], list[Planned]] | None = None
        return {
            kind.name: Table(Base(self.seed, kind, self._counts[kind.name], FIELDS[kind.name], ()))
            for kind in KINDS
        }

    # -- what happens ----------------------------------------------------------------------------

    def read_only(self, table: Table) -> frozenset[str]:
        """Moments and what a status was are written by acts of their own."""
        names = {"start_datetime", "end_datetime", "unscheduled", "status", "status_title", "group"}
        own = {name for name in table.base.names() if name.startswith("_")}
        return table.kind.system | names | own | {"group_id", "is_default"}

    def edit(
        self, type: str, id: str, properties: Mapping[str, Any], at: Moment | None = None
    ) -> str:
        """Change fields; a task's list of statuses keeps each that it had."""
        with self.lock:
            if type == "tasks" and "status" in properties:
                table, number = self.find(type, id)
                told = [*self.statuses_of(number, table.record(number).latest)]
                entry = self._entry(len(told), properties, self.clock.now_ms())
                properties = {**properties, "_log": [*told, entry]}
            return super().edit(type, id, properties, at)

    def set_status(self, id: str, type: str, title: str | None = None) -> None:
        """Something becomes of a task."""
        self.edit("tasks", id, {"status": type, "status_title": title})

    def plan(self, id: str, at: Moment, hours: float = 2) -> None:
        """Give a task a day, or another one."""
        begin = epoch_ms(at)
        moments = {
            "start_datetime": naive(begin),
            "end_datetime": naive(begin + round(hours * HOUR_MS)),
        }
        self.edit("tasks", id, {**moments, "unscheduled": False})

    def unplan(self, id: str, *, keep_moment: bool = False) -> None:
        """Take the day away, or say only that it is not fixed."""
        moments = {} if keep_moment else {"start_datetime": None, "end_datetime": None}
        self.edit("tasks", id, {**moments, "unscheduled": True})

    def book(self, at: Moment | None = None, kind: str = "tasks", **values: Any) -> str:
        """One more task or booking, with believable values; its id. `at` is when it begins."""
        with self.lock:
            base = self.table(kind).base
            number = self.table(kind).next_number
            made = {n: make(number, base.mix(number), base.pools)
                    for n, make in base.unique.items()}  # fmt: skip
            begin = self.clock.now_ms() + 3 * DAY_MS if at is None else epoch_ms(at)
            made |= {"start_datetime": naive(begin), "end_datetime": naive(begin + 2 * HOUR_MS)}
            if kind == "tasks":
                made |= {"unscheduled": False, "_no_moment": False}
            return self.create(kind, {**made, **values})

    def disable(self, type: str, id: str) -> None:
        """An entity, or a group, which is hidden from then on."""
        self.edit(type, id, {"is_disabled": True})

    def replan(self, id: str, rng: random.Random) -> None:
        """Some day of the weeks before and after now."""
        self.plan(id, self.clock.now_ms() + rng.randrange(-20, 60) * DAY_MS)

    # -- what there is ---------------------------------------------------------------------------

    def schedule(self, now: int) -> list[Planned]:
        """Every task that a list shows, with its moments; computed again once something changed."""
        table = self.table("tasks")
        state = (table.changes, now if self.common.commit_delay else 0)
        if self._schedule is None or self._schedule[0] != state:
            found = []
            for number, version in table.walk(0, False, now):
                values = table.values(number, version)
                changes = version.changes if version else {}
                begin, end = self.moments("tasks", number, values, changes)
                found.append(Planned(number, version, begin, end, bool(values["unscheduled"])))
            self._schedule = state, found
        return self._schedule[1]

    def moments(self, kind: str, number: int, values: Row, changes: Mapping[str, Any]) -> list[Any]:
        """When it begins and ends, epoch ms, None for no moment."""
        table, names = self.table(kind), ("start_datetime", "end_datetime")
        if "start_datetime" in changes or number >= table.base.count:
            return [epoch_ms(values[name]) if values[name] else None for name in names]
        if values.get("_no_moment"):
            return [None, None]
        begin = table.created(number) + table.base.mix(number) % (40 * DAY_MS)
        begin -= begin % (HOUR_MS // 4)
        return [begin, begin + (1 + number % 3) * HOUR_MS]

    def statuses_of(self, number: int, version: Version | None) -> list[Row]:
        """All that became of a task, the oldest first."""
        table = self.table("tasks")
        values = table.values(number, version)
        log: list[Row] | None = values["_log"]
        if log:
            return log
        return [self._entry(0, values, table.created(number))]

    def _entry(self, place: int, values: Mapping[str, Any], at: int) -> Row:
        return {
            "id": 7_000_000_000_000_000 + place,
            "type": values.get("status"),
            "title": values.get("status_title"),
            "time": naive(at),
            "_at": at,
            "reporter_name": "Pat Ng",
            "visible_to_customer": False,
            "extra_fields": None,
            "files": [],
        }

    def row(self, kind: str, number: int, version: Version | None, *, listed: bool = False) -> Row:
        """A record with all its fields, as the API has it, or as its list has it."""
        table = self.table(kind)
        values = table.values(number, version)
        shown = {name: value for name, value in values.items() if not name.startswith("_")}
        shown["id"] = int(values["id"])
        changes = version.changes if version else {}
        if kind in ("tasks", "bookings"):
            begin, end = self.moments(kind, number, values, changes)
            shown |= self._told("start", begin, values) | self._told("end", end, values)
            shown["group"] = self._group(number)
        if kind in ("entities", "bookings"):
            shown["group_id"] = self._group(number)["id"]
        if kind == "tasks":
            shown["group_id"] = shown["group"]["id"]
            if listed and self._knobs.arrivy_status_lag:
                shown |= self._old_status(number, version)
        return shown

    def _told(self, end: str, at: int | None, values: Row) -> Row:
        """A moment in all the ways in which a record has it."""
        if at is None:
            return {f"{end}_datetime": None}
        found: Row = {f"{end}_datetime": naive(at)}
        if "_zone" in values:
            zone = values["_zone"] or "UTC"
            there = datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(zone))
            found[f"{end}_datetime_original_iso_str"] = there.isoformat()
            found[f"{end}_datetime_timezone"] = zone
        return found

    def _group(self, number: int) -> Row:
        groups = self.table("groups")
        place = number % groups.base.count
        name = groups.values(place, None)["name"]
        return {"id": int(groups.id_of(place)), "name": name}

    def _old_status(self, number: int, version: Version | None) -> Row:
        """What the list still shows."""
        until = self.clock.now_ms() - self._knobs.arrivy_status_lag * 1000
        told = self.statuses_of(number, version)
        entry = next((one for one in reversed(told) if one["_at"] <= until), told[0])
        return {"status": entry["type"], "status_title": entry["title"]}

    # -- truth -----------------------------------------------------------------------------------

    def truth(self, what: str) -> Iterator[Row]:
        """Every record of a kind that ever existed, as it finally is: {"id", "state", "begins",
        "record"}; `begins` is epoch ms, None for what has no moment or is unscheduled.
        """
        table = self.table(what)
        for number in range(table.next_number):
            with self.lock:
                state, version = table.state(number, None)
                record = self.row(what, number, version)
                told: Row = {"id": table.id_of(number), "state": state, "record": record}
                begins = record.get("start_datetime")
                unscheduled = not begins or record.get("unscheduled")
                told["begins"] = None if unscheduled else epoch_ms(str(begins))
            yield told

    def touch(self, type: str, ids: list[str], properties: Mapping[str, Any]) -> None:
        """Give all of them these values at one moment."""
        self.bulk_touch(type, ids, properties=properties)

    def put_back(self, type: str, id: str) -> None:
        """A deleted record comes back as it was."""
        with self.lock:
            table, number = self.find(type, id)
            record = table.record(number)
            self.write(table, record, replace(record.latest, state="live"))
