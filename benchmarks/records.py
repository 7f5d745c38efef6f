"""The contacts every contestant loads: 30 properties, about 1 KB of JSON each, the same every time.

Numbers decide the values, so that a record can be made again at any time without being stored.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

FIRST_ID = 10_000_001
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

TEXTS = (
    "firstname",
    "lastname",
    "address",
    "city",
    "country",
    "company",
    "jobtitle",
    "division",
    "campaign_name",
    "canvasser",
    "comments",
    "contact_type",
    "hs_analytics_source",
    "hs_latest_source",
    "lifecyclestage",
    "marketsharp_id",
    "msm_source",
    "search_terms",
)
EMAILS = ("email",)
PHONES = ("phone", "mobilephone")
STATES = ("state",)
ZIPS = ("zip",)
NUMBERS = ("num_notes", "hs_score")
BOOLEANS = ("hs_is_unworked",)
MOMENTS = ("createdate", "lastmodifieddate", "first_conversion_date")
NAMES = (
    *TEXTS,
    *EMAILS,
    *PHONES,
    *STATES,
    *ZIPS,
    *NUMBERS,
    *BOOLEANS,
    *MOMENTS,
    "hs_object_id",
)
"""All 30, in the order of the columns."""

_STATES = ("MD", "VA", "PA", "DE", "NJ", "NC", "DC", "WV")
_SOURCES = ("ORGANIC_SEARCH", "PAID_SEARCH", "OFFLINE", "DIRECT_TRAFFIC", "REFERRALS")
_STAGES = ("lead", "customer", "opportunity", "subscriber")


def modified(number: int, version: int) -> datetime:
    """When version `version` (0 is the first) of a record was made."""
    return EPOCH + timedelta(minutes=number % 500_000, milliseconds=version)


def properties(number: int, version: int = 0, at: datetime | None = None) -> dict[str, str]:
    """The properties of the record with this number, as HubSpot sends them: all text."""
    moment = at or modified(number, version)
    return {
        "firstname": f"First{number % 977}",
        "lastname": f"Last{number}",
        "address": f"{number % 9973} North Charles Street",
        "city": f"City{number % 311}",
        "country": "United States",
        "company": f"Company {number % 5003} Incorporated",
        "jobtitle": f"Title {number % 41}",
        "division": f"Division{number % 13}",
        "campaign_name": f"campaign-{number % 127}-spring",
        "canvasser": f"Canvasser {number % 61}",
        "comments": f"version {version}: wants two quotes before the end of the month",
        "contact_type": "homeowner",
        "hs_analytics_source": _SOURCES[number % 5],
        "hs_latest_source": _SOURCES[number % 4],
        "lifecyclestage": _STAGES[number % 4],
        "marketsharp_id": f"MS{number:08d}",
        "msm_source": f"source {number % 29}",
        "search_terms": f"roof repair near city {number % 311}",
        "email": f"person{number}@example{number % 97}.com",
        "phone": f"+1410555{number % 10_000:04d}",
        "mobilephone": f"(443) 555-{number % 10_000:04d}",
        "state": _STATES[number % 8],
        "zip": f"{21_200 + number % 90:05d}",
        "num_notes": str(number % 50),
        "hs_score": f"{number % 100}.5",
        "hs_is_unworked": "true" if number % 3 else "false",
        "createdate": iso(EPOCH + timedelta(minutes=number % 500_000)),
        "lastmodifieddate": iso(moment),
        "first_conversion_date": iso(EPOCH + timedelta(minutes=(number * 7) % 500_000)),
        "hs_object_id": str(FIRST_ID + number),
    }


def rendered(number: int, version: int = 0, at: datetime | None = None) -> bytes:
    """The record as JSON."""
    values = properties(number, version, at)
    record = {
        "id": values["hs_object_id"],
        "properties": values,
        "createdAt": values["createdate"],
        "updatedAt": values["lastmodifieddate"],
        "archived": False,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
