"""What CallRail's lists have in common. https://apidocs.callrail.com

- A key belongs to a user and sees that user's accounts and companies: where access is missing there
  is no error, there are fewer records.
- No list can be asked for what changed. Parameters that a list does not know are ignored without a
  word, and without a date a list is the last 30 days.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from crm_sync_assets.clients.rest.delta import Months, Span
from crm_sync_assets.clients.rest.paging import Numbered
from crm_sync_assets.clients.rest.source import Each, Rest
from crm_sync_assets.crms.callrail.variables import ACCOUNT_IDS
from crm_sync_assets.declarations.entity import Resweep

# Some lists of trackers, tags and users came without totals: those are read until a page is empty.
PAGED = Numbered("page", size="per_page", most=250, pages="total_pages", count="total_records")

ACCOUNTS = Each("account", "/a.json", "accounts", PAGED, only=ACCOUNT_IDS.name)

# CallRail shows 25 months; a range that reaches further back is refused, not cut.
WINDOWS = Span("start_date", "end_date", each=Months(1), back=Months(25))

# What changes later is found in the 30 days that each delta reads again, and by these.
RESWEEPS = (Resweep("weekly", timedelta(days=90)), Resweep("monthly"))

listed = partial(Rest, paging=PAGED, each=ACCOUNTS)
"""A list of each account."""
