"""How fast a sync reads: flags of CRMs whose pages can be asked for several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crm_sync_assets.declarations.flags import Flag, Kind
from crm_sync_assets.log import logger
from crm_sync_assets.settings import SyncSettings

if TYPE_CHECKING:
    from crm_sync_assets.declarations.entity import Entity

log = logger(__name__)

USUAL: Final = 3
"""Pages under way at once where neither a flag nor a limit of the account says how many."""


def _positive(value: Any) -> str | None:
    return None if value >= 1 else "give 1 or more"


CONCURRENT_PAGES = Flag(
    "concurrent_pages",
    "Ask for so many pages of a list at once, within what the account allows.",
    kind=int,
    default=USUAL,
    is_pace=True,
    check=_positive,
)
HIGH_PERFORMANCE = Flag(
    "high_performance",
    "The largest pages, and as many at once as the account allows.",
    kind=bool,
    is_pace=True,
)


def paced(entity: Entity, flags: Kind, settings: SyncSettings) -> Kind:
    """The flags with the pace they come to: what the account allows at once bounds it."""
    given = flags.own_options()
    wanted = given.get(CONCURRENT_PAGES.name)
    if wanted is None:
        return flags
    most = settings.requests_at_once
    if given.get(HIGH_PERFORMANCE.name):
        at_once, size = most or max(wanted, USUAL), entity.source.max_page_size
        log.info("%s: high_performance: %d pages at once, of %d records", entity, at_once, size)
        return flags.model_copy(update={CONCURRENT_PAGES.name: at_once, "batch_size": size})
    if not most or wanted <= most:
        return flags
    log.info(
        "%s: concurrent_pages is %d, and %d requests of the account may run at once "
        "(requests_at_once): asking for %d",
        entity,
        wanted,
        most,
        most,
    )
    return flags.model_copy(update={CONCURRENT_PAGES.name: most})
