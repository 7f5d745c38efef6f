"""What decides what stored values mean, and that one table holds values of one meaning only.

A zone, an account, an object's type id: a client tells them (`Meaningful`), every history row keeps
them, and whoever is about to write compares them with those of the newest row that wrote into the
same table. The way out is to replace the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_sync_assets.declarations.contract import Client, Meaningful, Meant
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import SyncError, UsageError
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Connection


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a piece of work would store under, by name; `refusal` is why it must not.

    `replaces` says that the table held another meaning, and that none of it stays.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    refusal: SyncError | None = None
    replaces: bool = False

    def as_configuration(self) -> dict[str, Any]:
        """For the history row. One that was refused keeps nothing: it writes nothing."""
        return {"meaning": dict(self.values)} if self.values and self.refusal is None else {}


@dataclass(frozen=True, slots=True)
class Written:
    """Under which meaning a table was written last, and by which sync."""

    sync_id: int
    values: Mapping[str, str]


def judge(
    connection: Connection,
    entity: Entity,
    client: Client,
    *,
    stored: Entity | None = None,
    replaces: bool = False,
) -> Meaning:
    """The meaning the client reads `entity` with, refused where the table holds another.

    `stored` is the entity whose table is written, if it is another one; `replaces` says that all
    of the table will be. Raises nothing a client raises: that is a refusal too.
    """
    stored = stored or entity
    try:
        told = client.meaning(entity) if isinstance(client, Meaningful) else ()
    except SyncError as error:
        return Meaning(refusal=error)
    now = {meant.name: meant.value for meant in told}
    before = written(connection, entity)
    if before is None:
        return Meaning(now)
    others = [m for m in told if m.means_other_than(before.values.get(m.name))]
    if others and replaces and stored is entity:
        return Meaning(now, replaces=True)
    if others:
        return Meaning(refusal=_refusal(entity, stored, before, others))
    # The first spelling stays, and so does what the source does not tell this time.
    return Meaning(now if replaces else {**now, **before.values})


def written(connection: Connection, entity: Entity) -> Written | None:
    """Who wrote last into the table that this entity writes; None if nobody said under what.

    A replacement that did not end has changed nothing.
    """
    row = connection.execute(
        "SELECT id, configuration -> 'meaning' FROM ingestion_sync_history "
        "WHERE crm_source = %s AND configuration ->> 'lock' = %s AND configuration ? 'meaning' "
        "AND configuration ->> 'dry_run' IS DISTINCT FROM 'true' "
        "AND (status IN ('success', 'partial') OR records_processed > 0 "
        'AND NOT (configuration @> \'{"full": true, "force": true}\')) '
        "ORDER BY id DESC LIMIT 1",
        (entity.crm, history.resource(entity)),
    ).fetchone()
    connection.commit()
    return None if row is None else Written(*row)


def refuse_foreign(connection: Connection, entity: Entity, sync_ids: Sequence[int]) -> Meaning:
    """The meaning of the table, for records that these syncs have set aside.

    Raises UsageError where one of them read under another.
    """
    table = written(connection, entity)
    if table is None:
        return Meaning()
    rows = connection.execute(
        "SELECT id, configuration -> 'meaning' FROM ingestion_sync_history "
        "WHERE id = ANY(%s) AND configuration ? 'meaning'",
        (list(sync_ids),),
    ).fetchall()
    connection.commit()
    for sync_id, values in rows:
        for name, was in table.values.items():
            if values.get(name, was) != was:
                raise UsageError(
                    f"{entity}: sync {sync_id} set records aside when its {name} was "
                    f"{values[name]}; the rows of {entity.table} were read with {was}. "
                    "They would be mixed, so nothing was tried: a sync brings these records anew"
                )
    return Meaning(table.values)


def _refusal(
    entity: Entity, stored: Entity, before: Written, others: Sequence[Meant]
) -> UsageError:
    differs = " and ".join(
        f"its {one.name} is {one.value} now and was {before.values[one.name]}" for one in others
    )
    settings = " and ".join(dict.fromkeys(one.setting for one in others))
    return UsageError(
        f"{entity}: {differs} when sync {before.sync_id} wrote {stored.table}: the rows would mean "
        f"two things, so nothing was read. Set {settings} back, or replace the whole table first: "
        f"`crm-sync {stored.crm} {stored.sync_type} --full --force`"
    )
