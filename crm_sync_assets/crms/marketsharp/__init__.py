"""MarketSharp. https://www.marketsharp.com"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.crms.marketsharp.variables import VARIABLES
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.flags import Flag

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings

HOUR = 3_600


def client(environment: Environment, settings: SyncSettings, shared: Shared) -> Client:
    """A client for the company that the environment has; UsageError names what is missing."""
    from crm_sync_assets.crms.marketsharp.client import MarketSharp

    return MarketSharp(environment, settings, database_url=shared.database_url)


CRM = Crm(
    "marketsharp",
    title="MarketSharp",
    client=client,
    settings={
        "page_size": 5_000,
        # Nobody says in which zone its times are. No two zones are further apart than this, so a
        # delta leaves nothing out whichever it is.
        "overlap_seconds": 26 * HOUR,
        # No limit is published, and under load it answers 503.
        "requests_at_once": 1,
        "rate_windows": (("minute", 120, 60),),
        "timeout_seconds": 120,
        "max_attempts": 7,
    },
    minute=44,
    order=(
        "companies",
        "employees",
        "contact_types",
        "contacts",
        "leads",
        "prospects",
        "customers",
        "contact_phones",
        "addresses",
        "custom_fields",
        "inquiry_source_primaries",
        "inquiry_source_secondaries",
        "inquiry_statuses",
        "inquiries",
        "appointment_results",
        "appointments",
        "activity_references",
        "activity_results",
        "activities",
        "product_types",
        "product_details",
        "product_interests",
        "jobs",
    ),
    owners=("team:data-engineering",),
    kinds=("marketsharp",),
    variables=VARIABLES,
    refers={
        "company_id": "companies.id",
        "contact_id": "contacts.id",
        "contact_phone_id": "contact_phones.contact_id",
        "primary_address_id": "addresses.id",
        "appointment_id": "appointments.id",
        "inquiry_id": "inquiries.id",
        "activity_result_id": "activity_results.id",
        "activity_reference_id": "activity_references.id",
        "result_id": "appointment_results.id",
        "inquiry_source_primary_id": "inquiry_source_primaries.id",
        "inquiry_source_secondary_id": "inquiry_source_secondaries.id",
        "inquiry_status_id": "inquiry_statuses.id",
        "product_type_id": "product_types.id",
        "product_detail_id": "product_details.id",
        "assign_to_employee_id": "employees.id",
        "scheduled_by_employee_id": "employees.id",
        "salesperson1_id": "employees.id",
        "salesperson2_id": "employees.id",
        "set_by_id": "employees.id",
        "promoter_id": "employees.id",
        "canvasser_id": "employees.id",
        "telemarketer_id": "employees.id",
    },
    flags=(
        Flag(
            "endpoint",
            "Of old: the one set to sync, like Contacts; naming its entity does the same.",
            selects=True,
            is_pace=True,
        ),
        Flag(
            "concurrent",
            "Of old; changes nothing: entities go side by side as it is.",
            kind=bool,
            is_pace=True,
        ),
    ),
)
