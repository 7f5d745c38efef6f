"""HubSpot's records, what happens to them, and how HubSpot fails."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from psycopg import sql

from crm_sync_assets.crms.hubspot.sources import Associations, Objects
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.faults import Action, Rule
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.faults import KNOBS, SCRIPT
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import SandboxMachine, disturbing
from crm_sync_assets_tests.truth import as_sent, row_differences, stored_rows, true_records

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOST_BACK_MS = 200_000
"""How far the source's clock may fall behind where it was. With the delays below it is less than
the ten minutes that the watermark stays behind."""
MOST_INDEX_LAG, MOST_COMMIT_DELAY = 240, 120
SHOWN_AFTER_MS = (MOST_INDEX_LAG + MOST_COMMIT_DELAY) * 1000 + MOST_BACK_MS

KINDS = ("contacts", "deals")
TEXTS = {"contacts": ("city", "comments", "tier"), "deals": ("dealname", "description", "priority")}
VALUES = st.sampled_from(["one", "two", "three", None, None, "12,50", "nul \x00 here", "ünï ☃"])
NAMELESS = ("no id", "id of another type")
POISONS = st.sampled_from([*NAMELESS, "too deep", "refused"])

Id = tuple[str, str]


class HubSpotMachine(SandboxMachine):
    crm_name = "hubspot"
    began_at = NOON
    names = ("contacts", "deals", "associations_contact_deal", "contacts_removal")

    # The source

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self.poisoned: dict[Id, str] = {}
        self.once_nameless: set[Id] = set()
        self.refusals = 0
        self._highest = self.sandbox.clock.now_ms()
        self._seen: dict[Id, Any] = {}
        self._settled: dict[Id, int] = {}
        self._stamps: dict[Id, list[str]] = defaultdict(list)
        self._sandbox_rules = [Rule("/objects/", "all", Action(rewrite=self._rewrite))]
        self.sandbox.faults.rules[:] = self._sandbox_rules

    def advance(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    def look(self) -> None:
        now = self.sandbox.clock.now_ms()
        self._highest = max(self._highest, now)
        for kind in KINDS:
            for true in self.world.truth(kind):
                one = (kind, true["id"])
                if self._seen.get(one) != true:
                    began = one not in self._seen and not self._stamps and now == _ms(NOON)
                    self._settled[one] = _epoch(true["updatedAt"]) if began else now
                    self._seen[one] = true
                    self._stamps[one].append(true["updatedAt"])

    def is_quiet(self) -> bool:
        changed = max(self._settled.values())
        settled = self.sandbox.clock.now_ms() > changed + SHOWN_AFTER_MS or changed <= _ms(NOON)
        return settled and not self.script and not self.odd

    @contextmanager
    def misbehaving(self, *, moving: bool = True) -> Iterator[None]:
        rules = [self._rule(line) for line in self.script if moving or not _moves(line["action"])]
        self.sandbox.faults.rules[:] = [*rules, *self._sandbox_rules]
        lag = {name: getattr(self.sandbox.knobs, name) for name in ("index_lag", "commit_delay")}
        self.sandbox.knobs.turn(self.odd)
        self.script, self.odd = [], {}
        try:
            yield
        finally:
            self.sandbox.faults.rules[:] = self._sandbox_rules
            self.sandbox.knobs.reset()
            self.sandbox.knobs.turn(lag)

    def _rule(self, line: Mapping[str, Any]) -> Rule:
        action = dict(line["action"])
        seconds = action.pop("advance", None)
        if seconds:
            action["callback"] = lambda _: self.sandbox.clock.advance(seconds)
        return Rule(line["match"], line["on"], Action(**action, rewrite=self._rewrite))

    def mend(self) -> None:
        self.script, self.odd = [], {}
        self.sandbox.knobs.reset()
        for kind, record_id in list(self.poisoned):
            self._mend(kind, record_id)
        self.sandbox.clock.advance(2_000)
        self.look()

    # Steps: records

    @step(kind=st.sampled_from(KINDS), value=VALUES)
    def create(self, kind: str, value: str | None) -> None:
        self.world.create(kind, dict.fromkeys(TEXTS[kind], value))

    @step(kind=st.sampled_from(KINDS), number=NUMBER, column=st.integers(0, 2), value=VALUES)
    def edit(self, kind: str, number: int, column: int, value: str | None) -> None:
        """Or clear; with the clock standing still, ties are the rule."""
        self._on(kind, number, lambda one: self.world.edit(kind, one, {TEXTS[kind][column]: value}))

    @step(kind=st.sampled_from(KINDS), numbers=st.lists(NUMBER, min_size=1, max_size=12))
    def bulk_edit(self, kind: str, numbers: list[int]) -> None:
        """One moment for all, the same as before where the clock has not moved."""
        live = self.world.ids(kind)
        ids = sorted({pick(live, number) for number in numbers}) if live else []
        # A record's date never goes back, whatever the clock does.
        dates = [_epoch(self.world.get(kind, one)["updatedAt"]) for one in ids]
        moment = max([self.sandbox.clock.now_ms(), *dates])
        self.world.bulk_touch(
            kind, ids, timestamp=moment, properties={TEXTS[kind][0]: f"bulk {numbers[0] % 5}"}
        )

    @step(kind=st.sampled_from(KINDS), number=NUMBER)
    def archive(self, kind: str, number: int) -> None:
        self._on(kind, number, lambda one: self.world.archive(kind, one))

    @step(kind=st.sampled_from(KINDS), number=NUMBER, bumps=st.booleans())
    def restore(self, kind: str, number: int, bumps: bool) -> None:
        one = pick(self.world.ids(kind, "archived"), number)
        gone_at = self._seen[kind, one]["archivedAt"] if one else None
        days = (self.sandbox.clock.now_ms() - _epoch(gone_at)) / 86_400_000 if gone_at else 99
        if days < 90:
            self.sandbox.knobs.restore_bumps_modified = bumps
            self.world.restore(kind, one)
            self.sandbox.knobs.restore_bumps_modified = False

    @step(kind=st.sampled_from(KINDS), number=NUMBER, state=st.sampled_from(["live", "archived"]))
    def purge(self, kind: str, number: int, state: str) -> None:
        one = pick(self.world.ids(kind, state), number)
        if one is not None:
            self.world.purge(kind, one)

    @step(kind=st.sampled_from(KINDS), first=NUMBER, second=NUMBER, new_id=st.booleans())
    def merge(self, kind: str, first: int, second: int, new_id: bool) -> None:
        """Often of a survivor of another merge, since those come last."""
        ids = self.world.ids(kind)[::-1]
        a, b = pick(ids, first % 5), pick(ids, second)
        if a is not None and a != b:
            self.sandbox.knobs.preserve_primary_id = not new_id
            self.world.merge(kind, a, b)
            self.sandbox.knobs.preserve_primary_id = False

    @step(contact=NUMBER, deal=NUMBER)
    def associate(self, contact: int, deal: int) -> None:
        a, b = pick(self.world.ids("contacts"), contact), pick(self.world.ids("deals"), deal)
        if a and b:
            self.world.associate("contacts", a, "deals", b)

    @step(number=NUMBER)
    def dissociate(self, number: int) -> None:
        pair = pick(list(self.world.truth("associations/contacts/deals")), number)
        if pair:
            self.world.dissociate("contacts", pair["from"], "deals", pair["to"])

    # Steps: time and trouble

    @step(seconds=st.integers(1, 200))
    def set_clock_back(self, seconds: int) -> None:
        self.look()
        before = self.sandbox.clock.now_ms()
        room = MOST_BACK_MS - (self._highest - before)
        self.sandbox.clock.advance(-min(seconds * 1000, max(room, 0)) / 1000)
        now = self.sandbox.clock.now_ms()

        def shown(at: int) -> int:
            return min(at, now) if at <= before else at

        # What was to be seen before stays so.
        for table in self.world.tables.values():
            table.changes += 1
            for record in table.records.values():
                record.versions = [
                    replace(v, listed_at=shown(v.listed_at), indexed_at=shown(v.indexed_at))
                    for v in record.versions
                ]

    @step(lag=st.sampled_from([0, 60, MOST_INDEX_LAG]), delay=st.sampled_from([0, 0, 20, 120]))
    def show_late(self, lag: float, delay: float) -> None:
        self.sandbox.knobs.turn({"index_lag": lag, "commit_delay": delay})

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    @step(kind=st.sampled_from(KINDS), number=NUMBER, how=POISONS)
    def poison(self, kind: str, number: int, how: str) -> None:
        """A record comes mutilated from now on, or the database refuses its value."""
        one = pick(self.world.ids(kind), number)
        if one is None or (kind, one) in self.poisoned:
            return
        value = None
        if how == "refused":
            self.refusals += 1
            value = f"refused {self.refusals}"
            if not self._constrain(kind, value):
                return
        self.poisoned[kind, one] = how
        if how in NAMELESS:
            self.once_nameless.add((kind, one))
        self.world.edit(kind, one, {TEXTS[kind][0]: value})

    @step(number=NUMBER)
    def mend_poison(self, number: int) -> None:
        one = pick(sorted(self.poisoned), number)
        if one is not None:
            self._mend(*one)

    def _on(self, kind: str, number: int, act: Callable[[str], Any]) -> None:
        one = pick(self.world.ids(kind), number)
        if one is not None:
            act(one)

    def _mend(self, kind: str, record_id: str) -> None:
        how = self.poisoned.pop((kind, record_id))
        if how == "refused":
            self._constrain(kind, None)
        if self.world.get(kind, record_id)["state"] == "live":
            self.world.edit(kind, record_id, {TEXTS[kind][1]: "mended"})

    def _constrain(self, kind: str, value: str | None) -> bool:
        """Make the table refuse a value, or nothing any more; whether there is a table."""
        table = sql.Identifier(registry.entity(f"hubspot.{kind}").table)
        column = sql.Identifier({"contacts": "city", "deals": "deal_name"}[kind])
        with self.connected() as connection:
            found = connection.execute("SELECT to_regclass(%s)", (table.as_string(),)).fetchone()
            if found is None or found[0] is None:
                return False
            change = sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS refused").format(table)
            connection.execute(change)
            if value is not None:
                connection.execute(
                    sql.SQL(
                        "ALTER TABLE {} ADD CONSTRAINT refused CHECK ({} IS DISTINCT FROM {}) "
                        "NOT VALID"
                    ).format(table, column, sql.Literal(value))
                )
        return True

    def _rewrite(self, body: bytes) -> bytes:
        """What HubSpot sends of the poisoned records."""
        bad = {one[1]: how for one, how in self.poisoned.items() if how != "refused"}
        if not any(f'"{record_id}"'.encode() in body for record_id in bad):
            return body
        answer = json.loads(body)
        for record in answer.get("results") or ():
            how = bad.get(str(record.get("id")))
            if how == "no id":
                del record["id"]
            elif how == "id of another type":
                record["id"] = {"value": record["id"]}
            elif how == "too deep":
                deep: Any = "value"
                for _ in range(250):
                    deep = [deep]
                record["properties"]["comments"] = deep
        return json.dumps(answer).encode()

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        if not isinstance(entity.source, Objects):
            return
        mark = _ms(watermark)
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        assert entity.modified is not None
        for true in true_records(self.sandbox, entity):
            one = (entity.source.type, true["id"])
            if true["state"] == "purged" or self._is_aside(one, aside):
                continue
            key, wire = as_sent(entity, true)
            row = stored.get(key)
            if self._settled[one] < mark:
                if not self._ends_purged(one):
                    yield from row_differences(entity, key, true, wire, row, False)
                continue
            if true["state"] == "merged" or one in self.once_nameless:
                continue
            due = max((s for s in self._stamps[one] if _epoch(s) < mark), default=None)
            at_least = datetime.fromisoformat(due) if due else None
            if at_least and (row is None or row[entity.modified.name] < at_least):
                here = row and row[entity.modified.name]
                yield f"{key} is stored as of {here}, though its version of {at_least} is older"

    def differences(self, *, complete: bool) -> list[str]:
        found = []
        for entity in self.entities:
            if entity.tombstones_of:
                continue
            stored, expected = stored_rows(self.warehouse, entity), set()
            for true in true_records(self.sandbox, entity):
                key, wire = as_sent(entity, true)
                expected.add(key)
                row = stored.get(key)
                one = (getattr(entity.source, "type", ""), true.get("id", ""))
                if true.get("state") == "merged" and self._ends_purged(one):
                    # Nobody is left to tell that it was merged.
                    if complete and row and row["deleted_at"] is None:
                        found.append(f"{entity}: {key} was merged and purged, but is live here")
                    continue
                found += [
                    f"{entity}: {problem}"
                    for problem in row_differences(entity, key, true, wire, row, complete)
                ]
            pairs = isinstance(entity.source, Associations)
            for key, row in stored.items():
                if key not in expected and row["deleted_at"] is None and (complete or not pairs):
                    found.append(f"{entity}: {key} is stored but never existed, or no more")
            if complete:
                found += [
                    f"{entity}: {key} is still set aside"
                    for key in self.set_aside(entity)
                    if not key.startswith("sha256:")
                    and pairs is False
                    and self.world.get(entity.source.type, key)["state"] == "live"  # type: ignore[attr-defined]
                ]
        return found

    def last_syncs(self) -> None:
        self.settle("contacts_removal", force=True)
        self.settle("deals", full=True)
        self.settle("contacts", full=True)
        self.settle("associations_contact_deal", force=True)

    def _ends_purged(self, one: Id) -> bool:
        """Whether the survivor of a merged record, in the end, was purged."""
        kind, record_id = one
        while kind and (true := self._seen[kind, record_id])["state"] == "merged":
            record_id = true["merged_into"]
        return bool(kind) and self._seen[kind, record_id]["state"] == "purged"

    def _is_aside(self, one: Id, aside: set[str]) -> bool:
        """Whether the quarantine has the record, or one without a name as this one is."""
        nameless = self.poisoned.get(one) in NAMELESS
        return one[1] in aside or (nameless and any(key.startswith("sha256:") for key in aside))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _epoch(text: str) -> int:
    return _ms(datetime.fromisoformat(text))


def _moves(action: Mapping[str, Any]) -> bool:
    return "mutate" in action or "advance" in action
