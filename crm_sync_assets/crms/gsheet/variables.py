"""What the client of Google Sheets reads from the environment."""

from __future__ import annotations

import re
from typing import Final

from crm_sync_assets.declarations.variables import Variable, optional
from crm_sync_assets.errors import UsageError

_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,120}")
_ADDRESS: Final = re.compile(r"/spreadsheets/d/([A-Za-z0-9_-]{8,120})(?:[/?#]|$)")

SERVICE_ACCOUNT = Variable(
    "GSHEET_SERVICE_ACCOUNT",
    "the JSON of a service account (GSHEET_SERVICE_ACCOUNT_FILE names its file), with whose e-mail "
    "address the spreadsheets are shared …",
    secret=True,
    way="service account",
)
API_KEY = Variable(
    "GSHEET_API_KEY",
    "… or an API key, for spreadsheets that anybody with the link may see",
    secret=True,
    way="API key",
)
LEADS = optional(
    "GSHEET_{year}_MARKETING_LEADS_ID",
    "the spreadsheet with the leads of a year, by its id or address: one variable for each year, "
    "such as GSHEET_2025_MARKETING_LEADS_ID",
    needed_by=("marketing_leads",),
)
SPENDS = optional(
    "GSHEET_MARKETING_SPENDS_ID",
    "the spreadsheet with what marketing spent, by its id or address",
    needed_by=("marketing_spends",),
)
OPTIONAL_HEADERS = optional(
    "GSHEET_OPTIONAL_HEADERS",
    "headers that a sheet may be without, with commas between them: their columns are empty then; "
    "any other that is missing fails the sync of its sheet",
)
BASE_URL = optional(
    "GSHEET_BASE_URL", "where the Sheets API is", "https://sheets.googleapis.com/v4"
)
DRIVE_URL = optional(
    "GSHEET_DRIVE_URL", "where the Drive API is", "https://www.googleapis.com/drive/v3"
)
TOKEN_URL = optional(
    "GSHEET_TOKEN_URL",
    "where a service account's tokens come from",
    "https://oauth2.googleapis.com",
)

SPREADSHEETS = (LEADS, SPENDS)
VARIABLES = (
    SERVICE_ACCOUNT,
    API_KEY,
    *SPREADSHEETS,
    OPTIONAL_HEADERS,
    BASE_URL,
    DRIVE_URL,
    TOKEN_URL,
)


def spreadsheet_id(variable: str, given: str) -> str:
    """The id, of an id or of a spreadsheet's address. Raises UsageError for anything else."""
    found = _ADDRESS.search(given)
    name = found[1] if found else given.strip()
    if not _ID.fullmatch(name):
        raise UsageError(
            f"{variable} is '{given[:80]}': give the id of a spreadsheet, which stands between /d/ "
            "and /edit in its address"
        )
    return name
