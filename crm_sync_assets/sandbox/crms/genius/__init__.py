"""Genius in the sandbox: its tables in a real database, with seeded rows that move."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.genius.crm import play

CRM = Entry(
    "genius",
    play,
    options=(
        # MySQL, MariaDB or PostgreSQL.
        Option(
            "genius_url", help="a database that may be emptied: plays Genius there", metavar="URL"
        ),
        Option("genius_prospects", 300),
    ),
)
