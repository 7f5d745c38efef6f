"""Users, from a file that is exported by hand."""

from __future__ import annotations

from crm_sync_assets.clients.csvfiles.source import CsvFile
from crm_sync_assets.crms.salespro.columns import flag
from crm_sync_assets.crms.salespro.variables import USERS as FILE
from crm_sync_assets.declarations.columns import camel, each, email, phone, text, timestamp
from crm_sync_assets.declarations.entity import Entity, Record


def address_of(record: Record) -> str | None:
    """The e-mail address; without one the user's name, where that is an address."""
    name: str = record.get("username") or ""
    return record.get("email") or (name if "@" in name else None)


USERS = Entity(
    "salespro.users",
    about="Users of SalesPro, and what each may do.",
    source=CsvFile(FILE.name, "user", key="objectId", modified="updatedAt", also=("email",)),
    table="salespro_user",
    columns=(
        text("user_object_id", at="objectId", key=True),
        text("username", sensitive=True),
        text("first_name", at="nameFirst", sensitive=True),
        text("last_name", at="nameLast", sensitive=True),
        email("email", at=address_of),
        phone("phone_number", at="phoneNumber"),
        *each(flag, "is_active is_manager is_available_to_call", spelled=camel),
        *each(flag, "can_activate_users can_change_settings can_submit_credit_apps", spelled=camel),
        flag("disable_change_company", at="disableChangeCompany"),
        text("company_id", at="company"),
        text("selected_office", at="selectedOffice"),
        text("allowed_offices", at="allowedOffices", about="a list, as JSON"),
        text("identifier"),
        text("license_number", at="licenseNumber"),
        *each(timestamp, "created_at updated_at last_login_date", spelled=camel),
        timestamp("deactivated_date", at="deactivatedDate"),
    ),
    indexes=("selected_office", "email"),
)
