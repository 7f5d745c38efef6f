"""CallRail: accounts with their companies, calls, forms, texts, trackers, tags and users."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.callrail.crm import CallRail
from crm_sync_assets.sandbox.crms.callrail.knobs import CallRailKnobs

CRM = Entry(
    "callrail",
    CallRail,
    knobs=CallRailKnobs,
    options=(
        Option("callrail_calls", 120, "calls to begin with", int, "N"),
        Option("callrail_accounts", 2),
        Option("callrail_others", 24),
    ),
)
