"""What contacts of every kind have: a contact is a prospect, a lead or a customer by its type."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.declarations.columns import (
    boolean,
    each,
    email,
    guid,
    integer,
    text,
    timestamp,
    url,
)

CONTACT = (
    guid("id", key=True),
    integer("company_id", at="companyid"),
    *each(
        text,
        "first_name last_name middle_initial title business_name mail_merge_name",
        spelled=joined,
        sensitive=True,
    ),
    *each(
        text,
        "income_code age_code structure_age_code structure_value_code style_of_home qb_id "
        "qb_edit_sequence year_home_built marital_status length_of_residence",
        spelled=joined,
    ),
    text("qb_name", at="qbname", sensitive=True),
    text("reference", sensitive=True),
    text("source", default=""),
    guid("contact_phone_id", at="contactphoneid"),
    guid("primary_address_id", at="primaryaddressid"),
    *each(url, "website1 website2 website3"),
    *each(email, "email1 email2 email3"),
    *each(
        boolean,
        "email1_can_mail email2_can_mail email3_can_mail do_not_mail has_dnc_phone has_dne_email",
        spelled=joined,
        default=False,
    ),
    *each(boolean, "is_tagged qb_sync_data", spelled=joined),
    *each(timestamp, "creation_date last_update created_date qb_sync_date", spelled=joined),
    boolean("is_active", at="isactive", default=True),
)
