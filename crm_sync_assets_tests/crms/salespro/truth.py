"""Is the warehouse what SalesPro's sandbox holds? What a column is called there the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.crms.salespro.entities.user_activities import named
from crm_sync_assets.crms.salespro.leadresults import flat, items
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.salespro.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

TABLES = {
    "customers": "customer",
    "estimates": "estimate",
    "credit_applications": "credit_applications",
    "payments": "payments",
    "lead_results": "lead_results",
    "lead_result_line_items": "lead_results",
    "user_activities": "user_activity",
    "offices": "offices",
    "users": "users",
}
RENAMED = {
    "offices": {
        "office_id": "objectId",
        "company_id": "companyId",
        "company_name": "company",
        "can_search_all_estimates": "canSearchAllEstimates",
        "created_at": "createdAt",
        "updated_at": "updatedAt",
    },
    "users": {
        "user_object_id": "objectId",
        "first_name": "nameFirst",
        "last_name": "nameLast",
        "phone_number": "phoneNumber",
        "is_active": "isActive",
        "is_manager": "isManager",
        "is_available_to_call": "isAvailableToCall",
        "can_activate_users": "canActivateUsers",
        "can_change_settings": "canChangeSettings",
        "can_submit_credit_apps": "canSubmitCreditApps",
        "disable_change_company": "disableChangeCompany",
        "company_id": "company",
        "selected_office": "selectedOffice",
        "allowed_offices": "allowedOffices",
        "license_number": "licenseNumber",
        "created_at": "createdAt",
        "updated_at": "updatedAt",
        "last_login_date": "lastLoginDate",
        "deactivated_date": "deactivatedDate",
    },
}


def true_rows(world: World, entity: Entity) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Key and values, by the names of the columns, of all that is there."""
    name = entity.sync_type
    for row in world.truth(TABLES[name]):
        for values in _made(name, dict(row)):
            key = tuple(str(values[column.name]) for column in entity.key)
            told = {}
            for column in entity.columns:
                value = column.parse(values[column.name])
                told[column.name] = column.default if value is None else value
            yield key, told


def _made(name: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    if name == "lead_results":
        return [flat(row)]
    if name == "lead_result_line_items":
        return list(items(row) or [])
    if name == "user_activities":
        return [named(row)]
    found = {**row, **{ours: row[theirs] for ours, theirs in RENAMED.get(name, {}).items()}}
    if name == "users" and not row["email"] and "@" in (row["username"] or ""):
        found["email"] = row["username"]
    return [found]


def problems_of(
    key: tuple[str, ...], values: Mapping[str, Any], row: Mapping[str, Any] | None
) -> Iterator[str]:
    """Every way in which a row differs from what is there."""
    if row is None or row["deleted_at"] is not None:
        yield f"{key} is {'missing' if row is None else 'marked'}"
        return
    for name, wanted in values.items():
        if row[name] != wanted:
            yield f"{key}.{name} is {row[name]!r}, should be {wanted!r}"


def differences(world: World, warehouse: Warehouse, entity: Entity) -> list[str]:
    """Every way in which a table differs from what the source holds."""
    stored = stored_rows(warehouse, entity)
    problems, known = list[str](), set()
    for key, values in true_rows(world, entity):
        known.add(key)
        problems += problems_of(key, values, stored.get(key))
    if entity.absent == "deleted":
        for key, row in stored.items():
            if row["deleted_at"] is None and key not in known:
                problems.append(f"{key} is live here, and nowhere else")
    return problems
