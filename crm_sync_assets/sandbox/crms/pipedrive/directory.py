"""What a company has few of: users, pipelines, stages, and the definitions of its fields."""

from typing import Any

from crm_sync_assets.sandbox.crms.pipedrive.values import CUSTOM, OPTIONS, STAGES, USERS, code

_OWN = {
    "deal": ("title", "value", "status"),
    "person": ("name", "emails"),
    "organization": ("name", "address"),
    "product": ("name", "code"),
    "activity": ("subject", "type"),
}
_TIME = "2025-03-01T09:00:00Z"


class Directory:
    """Rows by table: `users`, `pipelines`, `stages`, `fields/<entity>`."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {
            "users": [_user(number) for number in USERS],
            "pipelines": [
                {"id": n, "name": f"Pipeline {n}", "order_nr": n, "is_deleted": False,
                 "is_deal_probability_enabled": True, "add_time": _TIME, "update_time": _TIME}
                for n in (1, 2)
            ],
            "stages": [
                {"id": n, "name": f"Stage {n}", "pipeline_id": pipeline, "order_nr": n,
                 "deal_probability": 10 * n, "is_deal_rot_enabled": n > 4,
                 "days_to_rotten": 14 if n > 4 else None, "is_deleted": False,
                 "add_time": _TIME, "update_time": _TIME}
                for n, pipeline in STAGES.items()
            ],
        }  # fmt: skip
        for entity, custom in CUSTOM.items():
            rows = [_field(name, name.capitalize(), "varchar", False) for name in _OWN[entity]]
            rows += [_field(code(entity, name), name, kind, True) for name, kind in custom]
            self.tables[f"fields/{entity}"] = rows

    def put(self, table: str, key: Any, **changes: Any) -> None:
        """Change a row, or add one; of fields the key is the code."""
        name = "field_code" if table.startswith("fields/") else "id"
        rows = self.tables[table]
        for row in rows:
            if row[name] == key:
                row.update(changes)
                return
        rows.append({**rows[0], name: key, **changes})

    def remove(self, table: str, key: Any) -> None:
        """A row less."""
        name = "field_code" if table.startswith("fields/") else "id"
        self.tables[table] = [row for row in self.tables[table] if row[name] != key]

    def rename_option(self, entity: str, field: str, option: int, label: str) -> None:
        """What an option of a field is called from now on; one that is new is added."""
        for row in self.tables[f"fields/{entity}"]:
            if row["field_code"] == field:
                kept = [one for one in row["options"] if one["id"] != option]
                row["options"] = [*kept, {"id": option, "label": label}]


def _user(number: int) -> dict[str, Any]:
    return {
        "id": number, "name": f"User {number}", "email": f"user{number}@example.com",
        "phone": None, "locale": "en_US", "lang": 1, "default_currency": "USD",
        "timezone_name": "America/New_York", "timezone_offset": "-05:00", "icon_url": None,
        "role_id": 1, "activated": True, "active_flag": number != USERS[-1],
        "has_created_company": number == USERS[0], "last_login": "2026-10-30 08:00:00",
        "created": "2025-03-01 09:00:00", "modified": "2026-10-30 08:00:00", "is_deleted": False,
        "access": [{"app": "sales", "admin": number == USERS[0], "permission_set_id": "p1"}],
        "is_you": number == USERS[0],
    }  # fmt: skip


def _field(field: str, name: str, kind: str, is_custom: bool) -> dict[str, Any]:
    options = [{"id": n, "label": label, "color": None} for n, label in OPTIONS]
    return {
        "field_name": name, "field_code": field, "field_type": kind,
        "options": options if kind in ("enum", "set") else None,
        "subfields": [{"field_code": f"{field}_currency"}] if kind == "monetary" else None,
        "is_custom_field": is_custom, "is_optional_response_field": False,
        "description": "Told by the canvasser" if is_custom else None,
    }  # fmt: skip
