"""This project, through Dagster: the same 30 properties as an entity, in one asset run.

    python -m benchmarks.ours full|full-read|delta [--engine]

`full` is the first load, `full-read` a full read of what is stored; `--engine` leaves Dagster out
and prints the seconds of the sync alone.
"""

from __future__ import annotations

import dataclasses
import sys
import time

from benchmarks import records
from crm_sync_assets.crms.hubspot.entities.shared import REST
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.columns import (
    boolean,
    decimal,
    each,
    email,
    object_id,
    phone,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.engine.measures import collecting_nothing


def contacts() -> Entity:
    """HubSpot's contacts with the benchmark's columns."""
    return dataclasses.replace(
        registry.entity("hubspot.contacts"),
        table="bench_ours",
        columns=(
            object_id("id", at="id", key=True),
            *each(text, " ".join(records.TEXTS)),
            *each(email, " ".join(records.EMAILS)),
            *each(phone, " ".join(records.PHONES)),
            *each(state, " ".join(records.STATES)),
            *each(zip_code, " ".join(records.ZIPS)),
            *each(decimal, " ".join(records.NUMBERS)),
            *each(boolean, " ".join(records.BOOLEANS)),
            *each(timestamp, " ".join(records.MOMENTS)),
            text("hs_object_id"),
            *REST,
        ),
        indexes=(),
        rules=(),
        merged_ids=None,
    )


def main(words: list[str]) -> int:
    how = words[0]
    flags = Flags(full=how == "full-read", skip_validation="--skip-validation" in words)
    crm, entity = registry.crm("hubspot"), contacts()
    if "--engine" in words:
        return _engine(entity, flags)
    with collecting_nothing():
        from crm_sync_assets.operations.opening import open_warehouse
        from crm_sync_assets.orchestration.instance import open_instance
        from crm_sync_assets.orchestration.launch import launch, plan
        from crm_sync_assets.settings import environment

    with open_instance(environment(), to_run=True) as instance:
        tasks = plan(crm, [entity], flags)
        (outcome,) = launch(crm, tasks, job=None, instance=instance, warehouse=open_warehouse())
    assert outcome.status == "success", outcome.error
    print(outcome.processed)
    return 0


def _engine(entity: Entity, flags: Flags) -> int:
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.engine.request import Request
    from crm_sync_assets.engine.run import begin, drain
    from crm_sync_assets.operations.opening import open_client, open_warehouse

    crm = registry.crm("hubspot")
    client, warehouse = open_client("hubspot"), open_warehouse()
    began = time.monotonic()
    sync = begin(Request(crm, entity, flags, settings_for(crm, entity)), client, warehouse)
    counts = drain(sync)
    print(f"{time.monotonic() - began:.3f}", file=sys.stderr)
    print(counts.processed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
