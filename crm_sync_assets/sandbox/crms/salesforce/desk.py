"""The endpoints of REST: queries, what there is, single records, deletions, limits."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Door, Refusal
from crm_sync_assets.sandbox.crms.salesforce.describing import described, listed, summary
from crm_sync_assets.sandbox.crms.salesforce.entrance import MANNER, Entrance, options
from crm_sync_assets.sandbox.crms.salesforce.fields import Row
from crm_sync_assets.sandbox.crms.salesforce.ids import Ids
from crm_sync_assets.sandbox.crms.salesforce.matching import Refused
from crm_sync_assets.sandbox.crms.salesforce.objects import Object
from crm_sync_assets.sandbox.crms.salesforce.selection import (
    Selection,
    attributes,
    counted,
    object_named,
)
from crm_sync_assets.sandbox.crms.salesforce.soql import Malformed, parse
from crm_sync_assets.sandbox.life import DAY_MS

SMALLEST_PAGE = 200
LARGEST_PAGE = 2_000
LOCATOR_DAYS = 2
MOST_OF_A_BATCH = 25
_LOCATOR = re.compile(r"(0r8\w{15})-(\d+)", re.ASCII)
_LOCATORS = Ids("0r8")


@dataclass(slots=True)
class Cursor:
    """A query whose pages are being read: the records were found when it was asked, and are read
    when their page is."""

    selection: Selection
    numbers: Any
    size: int
    made: int
    generation: int
    total: int
    used: set[int] = field(default_factory=set)


class SalesforceDesk(Entrance):
    """One org's API."""

    def forget(self) -> None:
        """Nobody reads pages."""
        self._cursors: dict[str, Cursor] = {}

    # -- queries ---------------------------------------------------------------------------------

    def query(self, all: bool) -> Callable[[Call], Answer]:
        """The handler of a query, with deleted records where `all`."""

        def handle(call: Call) -> Answer:
            version = self.version(call)
            return Answer(self._queried(call, version, self.asked(call), all=all))

        return handle

    def _queried(self, call: Call, version: str, text: str, *, all: bool) -> Row:
        try:
            with self._world.lock:
                query = parse(text)
                selection = Selection(
                    self._world, counted(query) if query.counts else query, all=all
                )
                numbers, _ = selection.found(call.now)
        except (Malformed, Refused) as why:
            raise self.refused(why) from None
        if 0 < self._knobs.salesforce_timeout_rows < len(numbers):
            raise Refusal(400, MANNER.bodies["timeout"])
        if query.counts:
            return {"totalSize": len(numbers), "done": True, "records": []}
        total = len(numbers) + self.common.short_total
        cursor = Cursor(
            selection, numbers, self._size(call, selection), call.now, self._world.generation, total
        )
        return self._page(cursor, 0, call.now, version, "")

    def _size(self, call: Call, selection: Selection) -> int:
        """How many records a page has: less where two columns or more are long."""
        given = options(call).get("batchsize", str(LARGEST_PAGE))
        if not given.isdigit():
            raise BadRequest(f"Sforce-Query-Options: batchSize={given}")
        size = max(SMALLEST_PAGE, min(LARGEST_PAGE, int(given)))
        if sum(column.field.is_long for column in selection.columns) > 1:
            size = min(size, SMALLEST_PAGE)
        size = min(size, self._knobs.salesforce_page_size)
        return max(1, size - self.common.page_shrink)

    def _page(self, cursor: Cursor, start: int, now: int, version: str, locator: str) -> Row:
        end = start + cursor.size
        matching = self._knobs.salesforce_live_pages and start > 0
        with self._world.lock:
            rows = [
                row
                for number in cursor.numbers[start:end]
                if (row := cursor.selection.seen(number, now, matching=matching)) is not None
            ]
            records = cursor.selection.records(rows, version)
        page: Row = {"totalSize": cursor.total, "done": end >= len(cursor.numbers)}
        if not page["done"]:
            if not locator:
                locator = _LOCATORS.write(len(self._cursors) + 1)
                self._cursors[locator] = cursor
            following = start if self.common.stuck_cursor else end
            if self.common.repeat_page:
                following -= cursor.size // 2
            page["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}-{following}"
        return {**page, "records": records}

    def more(self, call: Call) -> Answer:
        """A further page, wherever the first one was asked for."""
        found = _LOCATOR.fullmatch(call.path("locator"))
        cursor = self._cursors.get(found[1]) if found else None
        if found is None or cursor is None or self._is_over(cursor, int(found[2]), call.now):
            raise Refusal(400, MANNER.bodies["locator"])
        start = int(found[2])
        cursor.used.add(start)
        return Answer(self._page(cursor, start, call.now, self.version(call), found[1]))

    def _is_over(self, cursor: Cursor, start: int, now: int) -> bool:
        again = self._knobs.salesforce_locators_once and start in cursor.used
        old = now - cursor.made > LOCATOR_DAYS * DAY_MS
        return again or old or cursor.generation != self._world.generation

    # -- what there is ---------------------------------------------------------------------------

    def objects(self, call: Call) -> Answer:
        """The objects that can be seen."""
        return Answer(listed(self._world, self.version(call)))

    def describe(self, call: Call) -> Answer:
        """One of them, with its fields."""
        return Answer(described(self._world, self._object(call.path("name")), self.version(call)))

    def basics(self, call: Call) -> Answer:
        """One of them, in short."""
        table = self._object(call.path("name"))
        return Answer({"objectDescribe": summary(table, self.version(call)), "recentItems": []})

    def record(self, call: Call) -> Answer:
        """One record that is not deleted."""
        table, version = self._object(call.path("name")), self.version(call)
        number = table.number_of(call.path("id"))
        with self._world.lock:
            state, seen = table.state(number, call.now) if number is not None else (None, None)
            if number is not None and state in ("archived", "merged"):
                raise self.no(404, "ENTITY_IS_DELETED", "entity is deleted")
            if (
                number is None
                or state != "live"
                or not self._world.is_shown(table, number, seen, all=True)
            ):
                raise self.no(404, "NOT_FOUND", "Provided external ID field does not exist or is "
                              f"not accessible: {call.path('id')}")  # fmt: skip
            fields = self._world.fields(table)
            names = call.names("fields") or tuple(fields)
            if unknown := [name for name in names if name not in fields]:
                raise self.no(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on entity "
                              f"'{table.kind.name}'.")  # fmt: skip
            head = {"attributes": attributes(table, table.id_of(number), version)}
            return Answer({**head, **table.row({"Id": 0, **dict.fromkeys(names)}, number, seen)})

    def _object(self, name: str) -> Object:
        try:
            return object_named(self._world, name)
        except Refused:
            raise self.refusal(404, "The requested resource does not exist") from None

    # -- several at once -------------------------------------------------------------------------

    def batch(self, call: Call) -> Answer:
        """Up to 25 requests in one; a refusal is the result of its own request alone."""
        version = self.version(call)
        asked = call.body.get("batchRequests") if isinstance(call.body, dict) else None
        if not isinstance(asked, list) or not asked or not all(isinstance(a, dict) for a in asked):
            raise BadRequest("batchRequests is required")
        if len(asked) > MOST_OF_A_BATCH:
            raise self.no(400, "INVALID_BATCH", f"at most {MOST_OF_A_BATCH} requests in a batch")
        # Each counts like a request of its own; one of them did so already.
        quotas = self.quotas(call.grant, Door(self.batch))
        spent = self.ledger.spend(quotas, len(asked) - 1, enforced=self.common.limits)
        if spent is not None:
            raise self.spent(spent)
        results: list[Row] = []
        halted = False
        for one in asked:
            if halted:
                body = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing "
                         "halted due to an error in a prior request"}]  # fmt: skip
                results.append({"statusCode": 412, "result": body})
                continue
            status, result = self._part(call, version, one)
            results.append({"statusCode": status, "result": result})
            halted = status >= 400 and bool(call.body.get("haltOnError"))
        broken = any(one["statusCode"] >= 400 for one in results)
        return Answer({"hasErrors": broken, "results": results})

    def _part(self, call: Call, version: str, asked: Row) -> tuple[int, Any]:
        """Status and body of one request of a batch."""
        url = urlsplit(str(asked.get("url", "")).removeprefix("/services/data/").lstrip("/"))
        at, _, path = url.path.partition("/")
        try:
            if asked.get("method") != "GET":
                raise self.no_method(str(asked.get("method")))
            if at != version:
                raise self.no(400, "INVALID_BATCH", f"version {at} within a batch of {version}")
            return 200, self._answered(call, version, path.strip("/"), url.query)
        except Refusal as refusal:
            return refusal.status, refusal.body

    def _answered(self, call: Call, version: str, path: str, query: str) -> Any:
        if found := re.fullmatch(r"sobjects/(\w+)/describe", path):
            return described(self._world, self._object(found[1]), version)
        if path == "sobjects":
            return listed(self._world, version)
        if path in ("query", "queryAll"):
            text = parse_qs(query).get("q", [""])[0]
            return self._queried(call, version, text, all=path == "queryAll")
        if path == "limits":
            return self.limited()
        raise self.refusal(404, "The requested resource does not exist")

    # -- limits ----------------------------------------------------------------------------------

    def limits(self, call: Call) -> Answer:
        """What is left."""
        self.version(call)
        return Answer(self.limited())

    def limited(self) -> Row:
        """Each limit, and what remains of it."""

        def left(most: int, used: int) -> Row:
            return {"Max": most, "Remaining": max(0, most - used)}

        jobs = self._knobs.salesforce_daily_jobs
        return {
            "DailyApiRequests": left(self._knobs.salesforce_daily, self.used()),
            "DailyBulkV2QueryJobs": left(jobs, self.jobs_today()),
            "DailyBulkV2QueryFileStorageMB": left(976_562, 0),
        }

    def jobs_today(self) -> int:
        """Jobs that were made within a day."""
        return 0
