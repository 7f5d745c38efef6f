"""Owners, pipelines and stages, declared: small, without search, read whole every time.

Nobody counts them, so they are listed a second time, in pages of another size where there are any:
what was left out of one list is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crm_sync_assets.clients.rest.paging import Cursor
from crm_sync_assets.clients.rest.source import Each, One, Rest, Sweep
from crm_sync_assets.declarations.entity import Key, Record

ACTIVE, ARCHIVED = ({"archived": "false"}, {"archived": "true"})

OWNERS = Rest(
    "{OWNERS}",
    records="results",
    paging=Cursor("paging.next.after", "after", size="limit", most=100),
    # One who leaves between the two is in both lists, and archived in the later one.
    sweeps=(Sweep("active", ask=ACTIVE), Sweep("archived", ask=ARCHIVED)),
    one=One("{OWNERS}/{id}", asks=(ACTIVE, ARCHIVED)),
    again=True,
)

TYPES = Each(
    "kind",
    only="HUBSPOT_PIPELINE_OBJECTS",
    stamp="objectType",
    optional=True,
    advice="Or leave it out of HUBSPOT_PIPELINE_OBJECTS, which lists the object types whose "
    "pipelines are read; the next sync with --force then marks its stored rows as deleted.",
)


def is_archived(record: Record) -> bool:
    return record.get("archived") is True


def _names(key: Key) -> Mapping[str, str]:
    """Of a pipeline: its object type and id."""
    return {"kind": key[0], "id": key[1]}


PIPELINES = Rest(
    "{PIPELINES}/{kind}",
    records="results",
    each=TYPES,
    one=One("{PIPELINES}/{kind}/{id}", names=_names, gone=is_archived),
    again=True,
)


def stages(pipeline: Record) -> Iterator[Record]:
    """The stages that a listed pipeline has in it."""
    for stage in pipeline.get("stages") or ():
        yield {**stage, "objectType": pipeline["objectType"], "pipelineId": pipeline["id"]}


def _names_of_stage(key: Key) -> Mapping[str, str]:
    return {"kind": key[0], "pipeline": key[1], "id": key[2]}


def _as_listed(stage: Record, key: Key) -> Record:
    return {**stage, "objectType": key[0], "pipelineId": key[1]}


STAGES = Rest(
    "{PIPELINES}/{kind}",
    records="results",
    each=TYPES,
    explode=stages,
    one=One(
        "{PIPELINES}/{kind}/{pipeline}/stages/{id}",
        names=_names_of_stage,
        shaped=_as_listed,
        gone=is_archived,
    ),
    again=True,
)
