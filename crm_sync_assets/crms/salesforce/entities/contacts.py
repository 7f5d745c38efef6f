"""Contacts. Of two that are merged the loser names the other in MasterRecordId."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import (
    COMMON,
    ID,
    INDEXES,
    OWNED_BY_USERS,
    address,
)
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, date, each, email, phone, text, timestamp
from crm_sync_assets.declarations.entity import Entity

CONTACTS = Entity(
    "salesforce.contacts",
    about="People of accounts.",
    source=SObject("Contact"),
    table="salesforce_contact",
    columns=(
        ID,
        *each(text, "account_id reports_to_id owner_id", spelled=pascal),
        *each(text, "first_name last_name name", spelled=pascal, sensitive=True),
        *each(text, "salutation title department", spelled=pascal),
        email("email", at="Email"),
        *each(phone, "phone mobile_phone home_phone", spelled=pascal),
        *each(text, "lead_source description", spelled=pascal),
        *address("mailing"),
        date("birthdate", at="Birthdate", sensitive=True),
        date("last_activity_date", at="LastActivityDate"),
        *each(boolean, "has_opted_out_of_email do_not_call", spelled=pascal),
        timestamp("email_bounced_date", at="EmailBouncedDate"),
        *COMMON,
    ),
    indexes=("account_id", "email", *INDEXES),
    refers=OWNED_BY_USERS,
    merges_told=True,
)
