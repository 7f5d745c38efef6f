"""Partitions by time of change: which window a run reads, and which partitions a sync fills.

The first partition means "and everything before", the last one is the present. What the catalogue
shows as filled is what syncs proved, however they were started: one that moves the watermark leaves
nothing unread before its own start, so every partition is; any other window fills those partitions
that lie within it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.engine.plan import Plan
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import Environment, PartitionUnit, environment

Definition = dg.TimeWindowPartitionsDefinition

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
"""Tags of a run over a range of partitions, both ends inclusive."""


def partitions(unit: PartitionUnit, first_day: date) -> Definition:
    """A partition per UTC month, week (from Monday) or day, the one of `first_day` being the first.

    The present one is there from its first moment on.
    """
    if unit == "month":
        return dg.MonthlyPartitionsDefinition(
            start_date=first_day.replace(day=1).isoformat(), timezone="UTC", end_offset=1
        )
    if unit == "week":
        monday = first_day - timedelta(days=first_day.weekday())
        return dg.WeeklyPartitionsDefinition(
            start_date=monday.isoformat(), timezone="UTC", day_offset=1, end_offset=1
        )
    return dg.DailyPartitionsDefinition(
        start_date=first_day.isoformat(), timezone="UTC", end_offset=1
    )


def partitions_of(entity: Entity, given: Environment | None = None) -> Definition | None:
    """The partitions that the environment sets; None where the source cannot say what changed."""
    if not entity.tracks_changes:
        return None
    given = given or environment()
    return partitions(given.partitions, given.first_day)


def present(definition: Definition, *, at: datetime | None = None) -> str:
    """The key that a delta runs with, or one that was asked for at that moment."""
    with dg.partition_loading_context(effective_dt=at):
        key = definition.get_last_partition_key()
    assert key is not None, "the first day lies in the past"
    return key


def present_of(entities: Iterable[Entity]) -> str | None:
    """The key that a delta of these entities runs with; None where none of them has partitions."""
    definitions = filter(None, map(partitions_of, entities))
    return next((present(definition) for definition in definitions), None)


def everything(definition: Definition) -> dict[str, str]:
    """The tags of a run over all partitions: a complete read."""
    first = definition.get_first_partition_key()
    assert first is not None, "the first day lies in the past"
    return {RANGE_START: first, RANGE_END: present(definition)}


def run_partitions(
    tasks: Iterable[tuple[Entity, Flags]],
) -> tuple[str | None, Mapping[str, str]]:
    """The key, or the tags of a range, that a run with these flags is for.

    All partitions are read again by a complete read, the present one by a delta. A window of dates
    need not be one of partitions: it is a run of none, and fills those that lie within it.
    """
    for entity, flags in tasks:
        definition = partitions_of(entity)
        if definition is None:
            continue
        if flags.start_date or flags.end_date:
            return None, {}
        if flags.full or flags.force:
            return None, everything(definition)
        return present(definition), {}
    return None, {}


def windowed(context: dg.AssetExecutionContext, entity: Entity, flags: Flags) -> Flags:
    """The flags with what the run's partitions mean: all of them a complete read, the last one, or
    none, a delta, and any other a window, open below for the first one.

    What was last is told by the moment the run was asked for: one that waits in the queue while a
    month ends is still what it was. An entity without partitions may share a run with others that
    have them; it is read whole.
    """
    # In a run over a range has_partition_key is False, even for a range of one key.
    in_partitions = context.has_partition_key or context.has_partition_key_range
    if not (in_partitions and entity.tracks_changes):
        return flags
    definition = context.assets_def.partitions_def
    assert isinstance(definition, Definition)
    keys = context.partition_keys
    from_first = keys[0] == definition.get_first_partition_key()
    to_present = keys[-1] == present(definition, at=_asked_at(context))
    if to_present and len(keys) == 1:
        return flags
    window = context.partition_time_window
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    if flags.start_date or flags.end_date or (flags.full and not (from_first and to_present)):
        raise UsageError(
            f"this run is for the partitions from {start:%Y-%m-%d} to {end:%Y-%m-%d}; "
            "start_date, end_date and full only go with a run of no partition, or of the last one"
        )
    if from_first and to_present:
        # With full, force is more than to overwrite: the table is replaced. Alone it reads as much.
        return flags if flags.force else flags.model_copy(update={"full": True})
    since = None if from_first else f"{start:%Y-%m-%d}"
    return flags.model_copy(update={"start_date": since, "end_date": f"{end:%Y-%m-%d}"})


def _asked_at(context: dg.AssetExecutionContext) -> datetime:
    record = context.instance.get_run_record_by_id(context.run.run_id)
    assert record is not None, "a run that runs is in the instance"
    asked_at: datetime = record.create_timestamp
    return asked_at


def keys_of(context: dg.AssetExecutionContext) -> Sequence[str]:
    """The partitions that a run is for, none if it names none."""
    has_keys = context.has_partition_key or context.has_partition_key_range
    return context.partition_keys if has_keys else ()


def filled(definition: Definition, plan: Plan, *, now: datetime | None = None) -> list[str]:
    """The partitions of which a sync by this plan, once complete, leaves nothing unread."""
    strategy = plan.strategy
    if plan.request.is_trial:
        return []
    keys = definition.get_partition_keys()
    if strategy.moves_watermark:
        return list(keys)
    now = now or datetime.now(UTC)
    found = []
    for position, key in enumerate(keys):
        window = definition.time_window_for_partition_key(key)
        if strategy.since is not None and (position == 0 or window.start < strategy.since):
            continue
        if strategy.until is None or strategy.until >= min(window.end, now):
            found.append(key)
    return found


def still_empty(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    definition: Definition,
    proved: Iterable[str],
    *,
    besides: Iterable[str],
) -> list[str]:
    """Those of the partitions `proved` that the catalogue does not show as filled.

    The run itself tells of those `besides`.
    """
    others = [one for one in proved if one not in set(besides)]
    if not others:
        return []
    known = instance.get_materialized_partitions(key) - _failed_deltas(instance, key, definition)
    return [one for one in others if one not in known]


def _failed_deltas(
    instance: dg.DagsterInstance, key: dg.AssetKey, definition: Definition
) -> set[str]:
    """Partitions shown as failed by a delta of theirs.

    Each later delta did its work, and none is for that partition again once it has passed. A full
    read or a window that failed is not made up for by a delta, and is shown until it is repeated.
    """
    attempts = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(  # noqa: E501  Dagster's name
        key
    )
    runs = {run_id for run_id, _ in attempts.values()}
    if not runs:
        return set()
    ended = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    records = instance.get_run_records(dg.RunsFilter(run_ids=list(runs), statuses=ended))
    tried = (
        (one.dagster_run.tags.get(PARTITION_NAME_TAG), present(definition, at=one.create_timestamp))
        for one in records
    )
    return {last for named, last in tried if named == last}
