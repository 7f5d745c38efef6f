"""What was deleted and what was updated within some days: ids and moments.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
"""

from crm_sync_assets.sandbox.calls import Answer, Call
from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crms.salesforce.jobs import Jobs
from crm_sync_assets.sandbox.crms.salesforce.objects import Object
from crm_sync_assets.sandbox.crms.salesforce.values import wire
from crm_sync_assets.sandbox.life import DAY_MS

DAYS = 15
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


class Replication(Jobs):
    """The log of deletions, and the stamps of records."""

    def deleted(self, call: Call) -> Answer:
        """{"deletedRecords": [{"id", "deletedDate"}], …}, from the minute of `start` on and before
        that of `end`."""
        table, start, end = self._window(call)
        earliest = self._earliest(table, call.now)
        if start < earliest:
            raise self._no("startDate before org replication enabled date, or the log was purged")
        with self._world.lock:
            gone = dict(table.log)
            # Those of the beginning that were never written to.
            for number, version in table.walk(0, True, call.now):
                gone.setdefault(number, table.gone_at(number, version) or 0)
            found = sorted((at, number) for number, at in gone.items() if start <= at < end)
        self._bounded(len(found))
        return Answer({
            "deletedRecords": [
                {"id": table.id_of(number), "deletedDate": wire(at)} for at, number in found
            ],
            "earliestDateAvailable": wire(earliest),
            "latestDateCovered": wire(end),
        })  # fmt: skip

    def updated(self, call: Call) -> Answer:
        """{"ids": […], …} of records that are there and changed within that time."""
        table, start, end = self._window(call)
        with self._world.lock:
            found = [
                table.id_of(number)
                for number, version in table.walk(0, False, call.now)
                if start <= table.modified(number, version) < end
                and self._world.is_shown(table, number, version, all=True)
            ]
        self._bounded(len(found))
        return Answer({"ids": found, "latestDateCovered": wire(end)})

    def _window(self, call: Call) -> tuple[Object, int, int]:
        """The object, and epoch ms of the minutes that are asked for."""
        self.version(call)
        table = self._object(call.path("name"))
        if not table.spec.replicates:
            raise self.no(
                400, "INVALID_TYPE_FOR_OPERATION", f"{table.kind.name} is not replicateable"
            )
        # Seconds are taken no notice of.
        start, end = (
            self._moment(call, name) // MINUTE_MS * MINUTE_MS for name in ("start", "end")
        )
        if end - start <= MINUTE_MS:
            raise self._no("startDate must be more than one minute before endDate")
        if start < call.now - DAYS * DAY_MS:
            raise self._no(f"startDate cannot be more than {DAYS} days ago")
        if end > call.now:
            raise self._no("endDate is after latestDateCovered")
        return table, start, end

    def _moment(self, call: Call, name: str) -> int:
        given = call.query(name) or ""
        try:
            if "T" in given:
                return epoch_ms(given)
        except ValueError:
            pass
        raise self.no(400, "INVALID_FIELD", f"{name}: {given!r} is not a valid dateTime")

    def _earliest(self, table: Object, now: int) -> int:
        """Since when the log has entries: for ever, unless it was purged."""
        hours = self._knobs.salesforce_log_hours
        return max(table.created(0), now - round(hours * HOUR_MS)) if hours else table.created(0)

    def _bounded(self, found: int) -> None:
        if found > self._knobs.salesforce_most_ids:
            raise self.no(400, "EXCEEDED_ID_LIMIT", f"{found} ids are too many: ask for less time")

    def _no(self, message: str) -> Exception:
        return self.no(400, "INVALID_REPLICATION_DATE", message)
