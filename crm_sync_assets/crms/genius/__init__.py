"""Genius, the operations database: MySQL, read-only, one zone without saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.variables import Variable, optional

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings


def client(environment: Environment, settings: SyncSettings, _shared: Shared) -> Client:
    """A client for the database the environment names; UsageError names what is missing."""
    from crm_sync_assets.crms.genius.client import Genius

    return Genius(environment, settings)


PARTS = "… or in parts."

VARIABLES = (
    Variable(
        "GENIUS_DATABASE_URL",
        "Its MySQL as one URL (encrypted: ?ssl_mode=REQUIRED, or "
        "?ssl_mode=VERIFY_IDENTITY&ssl_ca=/path/ca.pem) …",
        secret=True,
        example="mysql://user:password@host:3306/database",
        way="URL",
    ),
    Variable("GENIUS_DB_HOST", PARTS, way="parts"),
    optional("GENIUS_DB_PORT", PARTS, "3306"),
    Variable("GENIUS_DB_NAME", PARTS, way="parts"),
    Variable("GENIUS_DB_USER", PARTS, way="parts"),
    Variable("GENIUS_DB_PASSWORD", PARTS, secret=True, way="parts"),
    Variable(
        "GENIUS_TIME_ZONE",
        "The zone that the database's clock shows: its times do not say. Without it nothing is "
        "read.",
        example="America/New_York",
    ),
)

CRM = Crm(
    "genius",
    title="Genius",
    client=client,
    settings={
        "page_size": 5_000,
        "load_rows": 5_000,
        # A row bears the time its transaction wrote it, and shows once that is committed.
        "lag_seconds": 300,
        "timeout_seconds": 120,
        "prefetch_pages": 2,
    },
    minute=8,
    # Parents before the rows that refer to them.
    order=(
        "division_regions",
        "division_groups",
        "services",
        "appointment_types",
        "appointment_outcome_types",
        "appointment_outcomes",
        "job_statuses",
        "job_change_order_types",
        "job_change_order_statuses",
        "job_change_order_reasons",
        "divisions",
        "user_titles",
        "user_data",
        "user_associations",
        "marketing_source_types",
        "marketing_sources",
        "marketsharp_sources",
        "marketsharp_marketing_source_maps",
        "prospects",
        "leads",
        "integration_field_definitions",
        "integration_fields",
        "prospect_sources",
        "appointments",
        "jobs",
        "appointment_services",
        "quotes",
        "job_financings",
        "job_change_orders",
        "job_change_order_items",
    ),
    groups={
        "sales": (
            "prospects",
            "prospect_sources",
            "leads",
            "appointments",
            "appointment_services",
            "quotes",
        ),
        "production": ("jobs", "job_financings", "job_change_orders", "job_change_order_items"),
        "marketing": (
            "marketing_source_types",
            "marketing_sources",
            "marketsharp_sources",
            "marketsharp_marketing_source_maps",
        ),
        "people": ("user_titles", "user_data", "user_associations"),
        "reference": (
            "division_regions",
            "division_groups",
            "divisions",
            "services",
            "appointment_types",
            "appointment_outcome_types",
            "appointment_outcomes",
            "job_statuses",
            "job_change_order_types",
            "job_change_order_statuses",
            "job_change_order_reasons",
            "integration_field_definitions",
            "integration_fields",
        ),
    },
    owners=("team:data-engineering",),
    kinds=("mysql",),
    refers={
        "division_id": "divisions.id",
        "prospect_id": "prospects.id",
        "prospect_source_id": "prospect_sources.id",
        "appointment_id": "appointments.id",
        "job_id": "jobs.id",
        "service_id": "services.id",
        "marketing_source_id": "marketing_sources.id",
        "change_order_id": "job_change_orders.id",
        "user_id": "user_data.user_id",
        "add_user_id": "user_data.user_id",
        "confirm_user_id": "user_data.user_id",
        "complete_user_id": "user_data.user_id",
        "sold_user_id": "user_data.user_id",
        "cancel_user_id": "user_data.user_id",
        "hubspot_contact_id": "hubspot.contacts.id",
        "hubspot_appointment_id": "hubspot.appointments.id",
        "salesrabbit_lead_id": "salesrabbit.leads.id",
    },
    variables=VARIABLES,
)
