"""Google Sheets: spreadsheets with leads, one for each year, and one with what was spent."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.gsheet.crm import GSheet
from crm_sync_assets.sandbox.crms.gsheet.knobs import GSheetKnobs

CRM = Entry(
    "gsheet",
    GSheet,
    knobs=GSheetKnobs,
    options=(
        Option("gsheet_leads", 120, "rows of each year's sheet of Google Sheets", int, "N"),
        Option("gsheet_years", 2),
        Option("gsheet_spends", 60),
    ),
)
