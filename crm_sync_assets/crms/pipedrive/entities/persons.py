"""Persons. https://developers.pipedrive.com/docs/api/v1/Persons

The delta can be trusted for what was edited, and for the winner of a merge. No list shows who was
deleted, or lost a merge: a full read asks for whom it did not meet.
"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.crms.pipedrive.entities.shared import COMMON, ID
from crm_sync_assets.crms.pipedrive.sources import PAGE, v2
from crm_sync_assets.declarations.columns import date, each, email, integer, json, phone, text
from crm_sync_assets.declarations.entity import Entity, Record, Resweep


def primary_email(record: Record) -> Any:
    """The primary one, else the first."""
    return _primary(record.get("emails"))


def primary_phone(record: Record) -> Any:
    """The primary one, else the first."""
    return _primary(record.get("phones"))


def _primary(given: Any) -> Any:
    several = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    chosen = next((one for one in several if one.get("primary")), several[0] if several else {})
    return chosen.get("value")


PERSONS = Entity(
    "pipedrive.persons",
    about="People whom deals, leads and activities are about.",
    source=v2(
        "persons",
        page=f"{PAGE}person/{{id}}",
        list_page=f"{PAGE}persons/list",
    ),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_person",
    columns=(
        ID,
        *each(text, "name first_name last_name", sensitive=True),
        *each(text, "job_title notes", about="only with contact sync"),
        email("primary_email", at=primary_email),
        phone("primary_phone", at=primary_phone),
        *each(json, "emails phones", sensitive=True),
        *each(json, "im postal_address", sensitive=True, about="only with contact sync"),
        json("label_ids"),
        *each(integer, "owner_id org_id picture_id"),
        date("birthday", about="only with contact sync"),
        integer("visible_to"),
        *COMMON,
    ),
    indexes=("update_time", "owner_id", "org_id"),
)
