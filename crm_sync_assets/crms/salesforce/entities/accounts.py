"""Accounts. Of two that are merged the loser names the other in MasterRecordId."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import (
    COMMON,
    ID,
    INDEXES,
    OWNED_BY_USERS,
    address,
)
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import date, decimal, each, integer, phone, text
from crm_sync_assets.declarations.entity import Entity

ACCOUNTS = Entity(
    "salesforce.accounts",
    about="Companies, and people where person accounts are used.",
    source=SObject("Account"),
    table="salesforce_account",
    columns=(
        ID,
        *each(text, "parent_id owner_id name type industry", spelled=pascal),
        phone("phone", at="Phone"),
        *each(text, "website account_number account_source description", spelled=pascal),
        *address("billing"),
        *address("shipping"),
        decimal("annual_revenue", at="AnnualRevenue"),
        integer("number_of_employees", at="NumberOfEmployees"),
        date("last_activity_date", at="LastActivityDate"),
        *COMMON,
    ),
    indexes=("owner_id", "parent_id", *INDEXES),
    refers=OWNED_BY_USERS,
    merges_told=True,
)
