"""Is the warehouse what LeadConduit's sandbox holds? Where a column comes from the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.leadconduit.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

FIELDS = {"phone": "phone_1", "address": "address_1", "zip_code": "postal_code"}
TYPED = {"phone_metadata": ("phone_1",), "email_metadata": ("email",)}
PLACED = ("address_1", "postal_code", "state")


def expected(fields: dict[str, Any], newest: dict[str, Any]) -> dict[str, Any]:
    """The row of a lead, of the event that has its fields and of the newest one."""
    lead, of = fields["vars"]["lead"], fields["vars"]
    found: dict[str, Any] = {"lead_id": lead["id"], "event_id": fields["id"], "lead_data": lead}
    found |= {"outcome": newest["outcome"], "reason": newest["reason"], "raw_data": fields}
    found |= {"outcome_event_id": newest["id"], "outcome_at": moment(newest)}
    found |= {"event_at": moment(fields), "submitted_utc": of["submission"]["timestamp"]}
    found |= {"flow_name": of["flow"]["name"], "source_name": of["source"]["name"]}
    plain = (
        "first_name last_name email city state country phone address zip_code note_hge owner_hge"
    )
    for name in (*plain.split(), "owneremail_hge", "ownerid_hge", "salesrabbit_lead_id_hge"):
        value = lead.get(FIELDS.get(name, name))
        found[name] = value["normal"] if isinstance(value, dict) else value
    for column, (name,) in TYPED.items():
        found[column] = lead[name] if isinstance(lead.get(name), dict) else {}
    found["address_metadata"] = {n: lead[n] for n in PLACED if isinstance(lead.get(n), dict)}
    return found


def moment(event: dict[str, Any]) -> datetime:
    """The second of its id, and in microseconds how many milliseconds before its end it ended."""
    second = datetime.fromtimestamp(int(event["id"][:8], 16), UTC)
    before = second.timestamp() * 1_000 + 1_000 - event["end_timestamp"]
    return second.replace(microsecond=999_999 - round(min(max(before, 0), 999_999)))


def differences(world: World, warehouse: Warehouse) -> list[str]:
    """Every way in which the table differs from what the leads' events say."""
    entity = registry.entity("leadconduit.leads")
    stored, problems, known = stored_rows(warehouse, entity), [], set()
    for true in world.truth("leads"):
        key = (true["id"],)
        known.add(key)
        row, values = stored.get(key), expected(true["fields"], true["outcome"])
        if row is None or row["deleted_at"] is not None:
            problems.append(f"{key} is {'missing' if row is None else 'marked'}")
            continue
        for column in entity.columns:
            wanted = column.parse(values[column.name])
            wanted = column.default if wanted is None else wanted
            if row[column.name] != wanted:
                problems.append(f"{key}.{column.name} is {row[column.name]!r}, not {wanted!r}")
    return problems + [f"{key} is nobody's" for key in stored.keys() - known]
