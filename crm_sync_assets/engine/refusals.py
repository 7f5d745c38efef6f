"""What a sync refuses: too many rows gone at once, too many records that failed, or expired."""

from __future__ import annotations

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import Expired, Refused
from crm_sync_assets.warehouse.counts import Counts


def refuse_mass_deletion(entity: Entity, gone: int, live: int, *, forced: bool) -> None:
    share = entity.vanish_limit
    if gone > live * share and not forced:
        raise Refused(
            f"{entity}: {gone} of {live} live rows would be marked as deleted, more than "
            f"{share:.0%} at once; nothing was marked. If they are really gone, run it again "
            "with force"
        )


def refuse_mass_failure(entity: Entity, counts: Counts, share: float) -> None:
    """A handful of bad records makes a sync partial; most of them make it failed."""
    if counts.failed >= 10 and counts.failed > counts.processed * share:
        raise Refused(
            f"{entity}: {counts.failed} of {counts.processed} records could not be stored, more "
            f"than {share:.0%}. See `crm-sync quarantine list --crm {entity.crm} "
            f"--entity {entity.sync_type}`"
        )


def refuse_to_go_on_without(entity: Entity, lost: str) -> None:
    """What has expired at the source before it was read is missing for good: somebody must know."""
    raise Expired(
        f"{entity}: {lost}. All that it still has was stored. If that is how it is, run `crm-sync "
        f"{entity.crm} {entity.sync_type} --force` once to go on without the rest; "
        "every sync until then ends like this"
    )
