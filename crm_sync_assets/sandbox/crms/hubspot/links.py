"""Endpoints of associations, version 4."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm_sync_assets.sandbox.answers import address, cut, text
from crm_sync_assets.sandbox.calls import Answer, Call
from crm_sync_assets.sandbox.crms.hubspot.associations import TYPE_IDS
from crm_sync_assets.sandbox.crms.hubspot.batches import batch_answer, batch_inputs
from crm_sync_assets.sandbox.crms.hubspot.errors import invalid, not_found
from crm_sync_assets.sandbox.crms.hubspot.portal import Portal
from crm_sync_assets.sandbox.crms.hubspot.records import Table

MAX_INPUTS, MAX_PAGE = 1_000, 500


class Links:
    """Reading and writing who belongs to whom; `toObjectId` is a number on the wire."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._world = portal.world

    def batch_read(self, call: Call) -> Answer:
        """Per input the first page and its own cursor; inputs without any are errors in a 207."""
        left, right = self._tables(call)
        ids = batch_inputs(call, MAX_INPUTS)
        afters = [one.get("after") for one in call.body["inputs"]]
        size = max(1, self._portal.knobs.association_page_size)
        results, errors = [], []
        with self._world.lock:
            for record_id, after in dict.fromkeys(zip(ids, afters, strict=True)):
                others = self._others(left, record_id, right, call.now)
                if not others:
                    errors.append(_none(left, record_id, right))
                    continue
                page, following = _page(right, others, after, size)
                to = [_to(left, right, number) for number in page]
                entry: dict[str, Any] = {"from": {"id": record_id}, "to": to}
                if following:
                    entry["paging"] = {"next": {"after": following}}
                results.append(text(entry))
        return batch_answer(call, results, errors)

    def of_record(self, call: Call) -> Answer:
        """One record's associations, at most 500 a page."""
        left, right = self._tables(call)
        limit = call.number("limit", MAX_PAGE, MAX_PAGE)
        size = max(1, min(limit, self._portal.knobs.association_page_size))
        with self._world.lock:
            if not self._visible(left, call.path("id"), call.now):
                raise not_found()
            others = self._others(left, call.path("id"), right, call.now)
            page, following = _page(right, others, call.query("after"), size)
        answer: dict[str, Any] = {"results": [_to(left, right, number) for number in page]}
        if following:
            url = address(call.request, after=following)
            answer["paging"] = {"next": {"after": following, "link": url}}
        return Answer(answer)

    def put(self, call: Call) -> Answer:
        """Associate two records (default type)."""
        left, right = self._tables(call)
        a, b = call.path("id"), call.path("other_id")
        with self._world.lock:
            if not (self._visible(left, a, call.now) and self._visible(right, b, call.now)):
                raise not_found()
            self._world.associate(left.kind.name, a, right.kind.name, b)
        return Answer({"status": "COMPLETE", "results": []})

    def delete(self, call: Call) -> Answer:
        """Remove all associations between two records: 204."""
        left, right = self._tables(call)
        with self._world.lock:
            try:
                names = (left.kind.name, call.path("id"), right.kind.name, call.path("other_id"))
                self._world.dissociate(*names)
            except LookupError:
                raise not_found() from None
        return Answer(None, 204)

    def _tables(self, call: Call) -> tuple[Table, Table]:
        return self._portal.table(call), self._portal.table(call, "other")

    def _visible(self, table: Table, record_id: str, now: int) -> bool:
        number = table.number_of(record_id)
        return number is not None and table.state(number, now)[0] == "live"

    def _others(self, left: Table, record_id: str, right: Table, now: int) -> Sequence[int]:
        if not self._visible(left, record_id, now):
            return []
        number = left.number_of(record_id)
        assert number is not None
        found = self._world.associations.of(left.kind.name, number, right.kind.name)
        if not right.records and right.base.count < 51:
            return found
        return [n for n in found if right.state(n, now)[0] == "live"]


def _page(
    right: Table, others: Sequence[int], after: Any, size: int
) -> tuple[Sequence[int], str | None]:
    if after:
        lowest = right.base.number_from(_cursor(after) + 1)
        others = [number for number in others if number >= lowest]
    page, last = cut(others, size)
    if last is None:
        return page, None
    return page, base64.b64encode(right.id_of(last).encode()).decode().replace("=", "%3D")


def _cursor(after: Any) -> int:
    try:
        return int(base64.b64decode(str(after).replace("%3D", "="), validate=True))
    except (binascii.Error, ValueError):
        raise invalid(f"invalid paging cursor: {after!r}") from None


def _to(left: Table, right: Table, number: int) -> dict[str, Any]:
    return {
        "toObjectId": right.base.id_of(number),
        "associationTypes": list(_types(left.kind.name, right.kind.name)),
    }


def _types(a: str, b: str) -> Iterator[Mapping[str, Any]]:
    known = TYPE_IDS.get((a, b))
    if known is None:
        yield {"category": "USER_DEFINED", "typeId": 1, "label": None}
        return
    yield {"category": "HUBSPOT_DEFINED", "typeId": known[0], "label": None}
    for other in known[1:]:
        yield {"category": "HUBSPOT_DEFINED", "typeId": other, "label": "Primary"}


def _none(left: Table, record_id: str, right: Table) -> dict[str, Any]:
    a, b = left.kind.singular, right.kind.singular
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {b} is associated with {a} {record_id}.",
        "context": {"fromObjectId": [record_id], "fromObjectType": [a], "toObjectType": [b]},
    }
