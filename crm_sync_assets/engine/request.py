"""What a sync is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.pace import paced
from crm_sync_assets.log import logger
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.kinds import Kind

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a sync is asked to do: the entity, the flags, the settings, and who asks.

    `waits` says that it waits for a running sync of the entity, as a window does in any case.
    `marked_entity` is the entity whose rows this one marks as deleted, for a removal.
    """

    crm: Crm
    entity: Entity
    flags: Flags
    settings: SyncSettings
    run_id: str | None = None
    marked_entity: Entity | None = None
    waits: bool = False

    @property
    def stored(self) -> Entity:
        """The entity whose table is written."""
        return self.marked_entity or self.entity

    def paced(self) -> Request:
        """The same with the pace that its flags and the account's limit come to."""
        return replace(self, flags=paced(self.entity, self.flags, self.settings))

    def page_size(self) -> int:
        """Records a page, as the flags or the settings have it, or the most the source allows."""
        most = self.entity.source.max_page_size
        wanted = self.flags.batch_size
        if wanted == Flags.model_fields["batch_size"].default:
            wanted = self.settings.page_size
        if wanted > most:
            log.info(
                "%s: batch_size %d is more than the source allows; reading %d at a time",
                self.entity,
                wanted,
                most,
            )
        return min(wanted, most)

    @property
    def kind(self) -> Kind:
        if self.flags.dry_run:
            return "dry_run"
        if self.flags.max_records:
            return "limited"
        return "filtered" if self.flags.filtered else "sync"

    @property
    def is_trial(self) -> bool:
        """Dry, limited and filtered runs move nothing: no watermark, and no checkpoint left or
        followed.
        """
        return self.kind != "sync"
