"""Owners and pipelines: few, without delta or search, changed in place."""

import copy
import random
import threading
from collections.abc import Iterator
from typing import Any

from crm_sync_assets.sandbox.clock import Clock, iso
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES, ObjectType, object_type
from crm_sync_assets.sandbox.crms.hubspot.values import owner_ids
from crm_sync_assets.sandbox.people import pools

_EPOCH = "1970-01-01T00:00:00Z"
_SEEDED = "2024-01-01T00:00:00Z"
WRITE_PERMISSIONS = "CRM_PERMISSIONS_ENFORCEMENT"
_PIPELINES = {
    "deals": [
        ("default", "Sales Pipeline", [
            ("appointmentscheduled", "Appointment Scheduled", "0.2"),
            ("qualifiedtobuy", "Qualified To Buy", "0.4"),
            ("closedwon", "Closed Won", "1.0"),
            ("closedlost", "Closed Lost", "0.0"),
        ]),
        ("renewals", "Renewals", [("offered", "Offered", "0.5"), ("renewed", "Renewed", "1.0")]),
    ],
    "tickets": [
        ("0", "Support Pipeline", [
            ("1", "New", "OPEN"), ("2", "Waiting on contact", "OPEN"), ("4", "Closed", "CLOSED"),
        ]),
    ],
    "appointments": [
        ("default", "Appointments", [
            ("scheduled", "Scheduled", "OPEN"), ("confirmed", "Confirmed", "OPEN"),
            ("completed", "Completed", "CLOSED"),
        ]),
    ],
}  # fmt: skip


def _metadata(kind: str, value: str) -> dict[str, str]:
    if kind == "deals":
        closed = "true" if value in ("0.0", "1.0") else "false"
        return {"isClosed": closed, "probability": value}
    return {"isClosed": "true" if value == "CLOSED" else "false", "ticketState": value}


def _pipeline(
    kind: str, order: int, key: str, label: str, stages: list[tuple[str, str, str]]
) -> dict[str, Any]:
    created = _EPOCH if order == 0 else _SEEDED
    common = {"createdAt": created, "updatedAt": _SEEDED, "archived": False}
    return {
        "id": key,
        "label": label,
        "displayOrder": order,
        **common,
        "stages": [
            {
                "id": stage,
                "label": name,
                "displayOrder": n,
                "metadata": _metadata(kind, value),
                "writePermissions": WRITE_PERMISSIONS,
                **common,
            }
            for n, (stage, name, value) in enumerate(stages)
        ],
    }


class Directory:
    """Owners (12, the last two archived) and the pipelines of deals, tickets and appointments."""

    def __init__(self, seed: int, clock: Clock, lock: threading.RLock) -> None:  # type: ignore[valid-type,unused-ignore]
        self._clock = clock
        self._lock = lock
        self.owners = list(_owners(seed))
        self.pipelines: dict[str, list[dict[str, Any]]] = {
            kind: [_pipeline(kind, n, *one) for n, one in enumerate(ones)]
            for kind, ones in _PIPELINES.items()
        }

    def list_owners(self, archived: bool) -> list[dict[str, Any]]:
        """Owners in that state, ascending by id."""
        with self._lock:
            found = [copy.deepcopy(o) for o in self.owners if o["archived"] == archived]
        return sorted(found, key=lambda owner: int(owner["id"]))

    def list_pipelines(self, kind: ObjectType) -> list[dict[str, Any]]:
        """The pipelines of one object type, archived ones left out."""
        with self._lock:
            pipelines = copy.deepcopy(self.pipelines.get(kind.name, []))
        kept = [p for p in pipelines if not p["archived"]]
        for pipeline in kept:
            pipeline["stages"] = [s for s in pipeline["stages"] if not s["archived"]]
        return kept

    def edit_owner(self, id: str, **fields: Any) -> None:
        """Change fields of an owner by their wire names. LookupError on an unknown id."""
        with self._lock:
            _one(self.owners, id).update(fields, updatedAt=self._now())

    def archive_owner(self, id: str, archived: bool = True) -> None:
        """Deactivate an owner: `userId` goes null, `userIdIncludingInactive` stays."""
        with self._lock:
            owner = _one(self.owners, id)
            user = None if archived else owner["userIdIncludingInactive"]
            owner.update(archived=archived, userId=user, updatedAt=self._now())

    def create_owner(self, **fields: Any) -> str:
        """A new owner; the id."""
        with self._lock:
            number = 1 + max(int(owner["id"]) for owner in self.owners)
            owner = _owner(number, "New", "Owner", self._now())
            owner.update(fields)
            self.owners.append(owner)
            return str(owner["id"])

    def edit_pipeline(self, type: str, id: str, **fields: Any) -> None:
        """Change fields of a pipeline; a new id with a `label` creates one."""
        with self._lock:
            ones = self.pipelines.setdefault(_name(type), [])
            if id not in [one["id"] for one in ones]:
                ones.append(_pipeline(type, len(ones), id, id, []))
                _one(ones, id)["createdAt"] = self._now()
            _one(ones, id).update(fields, updatedAt=self._now())

    def edit_stage(self, type: str, pipeline: str, id: str, **fields: Any) -> None:
        """Change fields of a stage; a new id creates one."""
        with self._lock:
            stages = _one(self.pipelines.get(_name(type), []), pipeline)["stages"]
            if id not in [stage["id"] for stage in stages]:
                stages.append(
                    {
                        "id": id,
                        "label": id,
                        "displayOrder": len(stages),
                        "metadata": {"isClosed": "false"},
                        "writePermissions": WRITE_PERMISSIONS,
                        "createdAt": self._now(),
                        "archived": False,
                    }
                )
            _one(stages, id).update(fields, updatedAt=self._now())

    def truth(self, what: str) -> Iterator[dict[str, Any]] | None:
        """Owners, pipelines or pipeline_stages with their state; None for anything else."""
        with self._lock:
            if what == "owners":
                rows = [_with_state(owner, {}) for owner in copy.deepcopy(self.owners)]
            elif what == "pipelines":
                rows = [
                    _with_state(
                        {k: v for k, v in one.items() if k != "stages"}, {"object_type": kind}
                    )
                    for kind, ones in copy.deepcopy(self.pipelines).items()
                    for one in ones
                ]
            elif what == "pipeline_stages":
                rows = [
                    _with_state(stage, {"object_type": kind, "pipeline_id": one["id"]})
                    for kind, ones in copy.deepcopy(self.pipelines).items()
                    for one in ones
                    for stage in one["stages"]
                ]
            else:
                return None
        return iter(rows)

    def _now(self) -> str:
        return iso(self._clock.now_ms())


def _with_state(row: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {**row, **more, "state": "archived" if row["archived"] else "live"}


def _name(type_name: str) -> str:
    kind = object_type(type_name)
    if kind is None or kind.name not in TYPES:
        raise LookupError(f"no object type {type_name!r}")
    return kind.name


def _one(rows: list[dict[str, Any]], row_id: str) -> dict[str, Any]:
    for row in rows:
        if row["id"] == str(row_id):
            return row
    raise LookupError(f"no {row_id!r} among {[row['id'] for row in rows]}")


def _owner(number: int, first: str, last: str, created: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "email": f"{first}.{last}.{number % 1000}@example.com".lower(),
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": number // 4,
        "userIdIncludingInactive": number // 4,
        "createdAt": created,
        "updatedAt": created,
        "archived": False,
        "teams": [{"id": "368389", "name": "Sales Team", "primary": True}],
    }


def _owners(seed: int) -> Iterator[dict[str, Any]]:
    p, rng = pools(seed), random.Random(f"{seed}/owners")
    for n, owner_id in enumerate(owner_ids(p)):
        created = f"2023-{1 + n % 12:02d}-25T13:01:35.228Z"
        owner = _owner(int(owner_id), rng.choice(p.first_names[:200]), p.last_names[n], created)
        if n >= len(owner_ids(p)) - 2:
            owner.update(archived=True, userId=None, updatedAt="2025-08-22T13:40:26.790Z")
        if n % 4 == 3:
            del owner["teams"]
        yield owner
