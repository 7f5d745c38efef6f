"""Telephone numbers of contacts, a row for each contact."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import undated
from crm_sync_assets.declarations.columns import each, guid, phone
from crm_sync_assets.declarations.entity import Entity

CONTACT_PHONES = Entity(
    "marketsharp.contact_phones",
    about="Telephone numbers of contacts, a row for each contact.",
    source=undated("ContactPhones", "contactId"),
    table="marketsharp_contact_phone",
    columns=(
        guid("contact_id", key=True, at="contactid"),
        *each(
            phone,
            "assistant_phone work_fax cell_phone company_phone home_phone2 home_fax pager "
            "work_phone2 company_fax home_phone work_phone other_phone cell_phone2 "
            "other_phone2",
            spelled=joined,
        ),
    ),
)
