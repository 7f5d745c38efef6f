"""Leads. Those that were converted stay, and name what they became."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import COMMON, ID, INDEXES, address
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    decimal,
    each,
    email,
    integer,
    phone,
    text,
)
from crm_sync_assets.declarations.entity import Entity

LEADS = Entity(
    "salesforce.leads",
    about="People and companies that may become contacts, accounts and opportunities.",
    source=SObject("Lead"),
    table="salesforce_lead",
    columns=(
        ID,
        *each(text, "owner_id converted_account_id converted_contact_id", spelled=pascal),
        text("converted_opportunity_id", at="ConvertedOpportunityId"),
        *each(text, "first_name last_name name", spelled=pascal, sensitive=True),
        *each(text, "company title", spelled=pascal),
        email("email", at="Email"),
        *each(phone, "phone mobile_phone", spelled=pascal),
        text("website", at="Website"),
        *address(""),
        *each(text, "status rating lead_source industry description", spelled=pascal),
        decimal("annual_revenue", at="AnnualRevenue"),
        integer("number_of_employees", at="NumberOfEmployees"),
        boolean("is_converted", at="IsConverted"),
        date("converted_date", at="ConvertedDate"),
        *COMMON,
    ),
    indexes=("owner_id", "email", "status", *INDEXES),
    merges_told=True,
)
