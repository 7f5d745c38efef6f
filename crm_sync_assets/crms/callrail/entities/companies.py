"""Companies. https://apidocs.callrail.com/#companies

An id was a number until 2025-04-28 and is masked since, `COM…`: text, whichever comes.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import listed
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

# No delta: the list cannot be asked for what changed.
COMPANIES = Entity(
    "callrail.companies",
    about="The businesses of an account, those that were disabled included.",
    source=listed(
        "/a/{account}/companies.json",
        records="companies",
        one=One("/a/{account}/companies/{id}.json"),
    ),
    table="callrail_company",
    columns=(
        text("id", key=True),
        *each(text, "name status time_zone", default=""),
        *each(boolean, "dni_active swap_exclude_jquery swap_ppc_override"),
        text("script_url"),
        *each(
            boolean,
            """
            callscribe_enabled lead_scoring_enabled callscore_enabled keyword_spotting_enabled
            form_capture
            """,
            default=False,
        ),
        text("swap_landing_override"),
        integer("swap_cookie_duration", default=6),
        text("swap_cookie_duration_unit", default="months"),
        timestamp("disabled_at"),
        timestamp("api_created_at", at="created_at"),
    ),
    # CallRail deletes no company, it disables it. One that is missing from the list was taken from
    # the key's user, and with it, without a word, its calls and all the rest: that has to be heard.
    vanish_limit=0.0,
)
