"""Is the warehouse what LeadConduit's sandbox holds? Where a column comes from the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.leadconduit.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

FIELDS = {"phone": "phone_1", "address": "address_1", "zip_code": "postal_code"}
TYPED = {"phone_metadata": ("phone_1",), "email_metadata": ("email",)}
PLACED = ("address_1", "postal_code", "state")


def expected(event: dict[str, Any]) -> dict[str, Any]:
    lead, of = event["vars"]["lead"], event["vars"]
    found: dict[str, Any] = {"lead_id": lead["id"], "event_id": event["id"], "lead_data": lead}
    found |= {"outcome": event["outcome"], "reason": event["reason"], "raw_data": event}
    found |= {"flow_name": of["flow"]["name"], "source_name": of["source"]["name"]}
    found |= {"submitted_utc": of["submission"]["timestamp"], "event_at": event["end_timestamp"]}
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


def differences(world: World, warehouse: Warehouse) -> list[str]:
    """Every way in which the table differs from the newest events."""
    entity = registry.entity("leadconduit.leads")
    stored, problems, known = stored_rows(warehouse, entity), [], set()
    for true in world.truth("leads"):
        key = (true["id"],)
        known.add(key)
        row, values = stored.get(key), expected(true["event"])
        if row is None or row["deleted_at"] is not None:
            problems.append(f"{key} is {'missing' if row is None else 'marked'}")
            continue
        for column in entity.columns:
            wanted = column.parse(values[column.name])
            wanted = column.default if wanted is None else wanted
            if row[column.name] != wanted:
                problems.append(f"{key}.{column.name} is {row[column.name]!r}, not {wanted!r}")
    return problems + [f"{key} is nobody's" for key in stored.keys() - known]
