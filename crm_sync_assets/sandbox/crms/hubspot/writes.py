"""Endpoints that change CRM objects: write, merge, delete, alone and in batches."""

from collections.abc import Callable, Mapping
from typing import Any

from crm_sync_assets.sandbox.calls import Answer, Call
from crm_sync_assets.sandbox.crms.hubspot.batches import (
    MAX_BATCH,
    batch_answer,
    batch_inputs,
    missing,
)
from crm_sync_assets.sandbox.crms.hubspot.errors import Refusal, invalid, not_found
from crm_sync_assets.sandbox.crms.hubspot.objects import Objects
from crm_sync_assets.sandbox.crms.hubspot.portal import Portal
from crm_sync_assets.sandbox.crms.hubspot.records import Table


class Writes:
    """The other half of `/crm/v3/objects/{type}`."""

    def __init__(self, portal: Portal, objects: Objects) -> None:
        self._portal = portal
        self._objects = objects
        self._world = portal.world

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
            number = self._objects.number(table, record_id, call.body.get("idProperty"), call.now)
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
        done, unknown = [], []
        with self._world.lock:
            for one in _batch(call):
                record_id = str(one.get("id") if isinstance(one, Mapping) else "")
                try:
                    done.append(self._now(call, table, self._updated(table, record_id, one)))
                except Refusal as refusal:
                    if refusal.status != 404:
                        raise
                    unknown.append(record_id)
        return batch_answer(call, done, missing(table, unknown))

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
        return self._objects.writer(call, table, None)(number, table.records[number].latest)


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
