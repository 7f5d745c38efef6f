"""What a finished sync tells Dagster: numbers that its page plots, and where to look next."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from crm_sync_assets.dashboard.links import entity_url
from crm_sync_assets.engine.sync import Sync


def findings(sync: Sync) -> dict[str, Any]:
    """By the name they are shown under.

    A run over several partitions tells all of them the same, so the names of the counts say whose
    they are.
    """
    strategy, counts, seconds = sync.strategy, sync.counts, sync.timing.elapsed
    here = counts.processed - sync.plan.carried.processed
    return {
        "sync_id": sync.sync_id,
        "strategy": strategy.name,
        "since": strategy.since.isoformat() if strategy.since else "the beginning",
        "until": strategy.until.isoformat() if strategy.until else "now",
        "dry_run": sync.flags.dry_run,
        "status": sync.status,
        "records_processed_by_this_run": counts.processed,
        "created_by_this_run": counts.created,
        "updated_by_this_run": counts.updated,
        "unchanged_in_this_run": counts.unchanged,
        "deleted_by_this_run": counts.deleted,
        "failed_in_this_run": counts.failed,
        "warnings_in_this_run": counts.warnings,
        "api_calls_of_this_run": sync.usage.api_calls,
        "duration_seconds_of_this_run": round(seconds, 3),
        "records_per_second_of_this_run": round(here / max(seconds, 1e-6), 1),
        **_watermark(sync),
        **_links(sync),
    }


def _watermark(sync: Sync) -> dict[str, Any]:
    """Where the next delta starts, and how far behind the present that is."""
    told: dict[str, Any] = {
        "next_delta_starts_at": sync.watermark.isoformat() if sync.watermark else "unchanged"
    }
    complete_as_of = sync.watermark or sync.plan.past.watermark
    if complete_as_of:
        age = datetime.now(UTC) - complete_as_of
        told["watermark_age_hours"] = round(age.total_seconds() / 3600, 3)
    return told


def _links(sync: Sync) -> dict[str, Any]:
    entity = sync.entity
    named = f"--crm={entity.crm} --entity={entity.sync_type}"
    links = {"in_the_crm": sync.list_url, "dashboard": entity_url(entity)}
    return {
        **{name: dg.MetadataValue.url(url) for name, url in links.items() if url},
        "history": f"crm-sync history {named}",
        **({"quarantine": f"crm-sync quarantine list {named}"} if sync.counts.failed else {}),
    }
