"""Zip codes, a CSV file on GitHub. https://docs.github.com/en/rest/repos/contents

The whole file, each time it changed: GitHub answers 304 while it did not. Codes are text. A file
that went through a spreadsheet has lost its leading zeros; three and four digits are filled up to
five. A file that lost half its rows is refused.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.sources import Zipcodes
from crm_sync_assets.declarations.columns import boolean, each, state, text
from crm_sync_assets.declarations.entity import Entity

ZIPCODES = Entity(
    "hubspot.zipcodes",
    about="Which division serves which zip code.",
    source=Zipcodes(),
    table="hubspot_zipcode",
    columns=(
        text("zipcode", key=True),
        *each(text, "division city county"),
        state("state"),
        boolean("archived", default=False),
    ),
    indexes=("division",),
    vanish_limit=0.5,
    settings={"page_size": 1_000},
)
