"""How the webhooks of each CRM stand, by entity: subscriptions, and what was heard of late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.subscriptions import Standing
from crm_sync_assets.operations import addresses
from crm_sync_assets.operations.subscriptions import Outcome, Place
from crm_sync_assets.warehouse.webhook_silence import Heard

MOST_NAMED = 5
"""Subscriptions that are named in a row, before the others are only counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """Subscriptions that stand alike: those of one entity, in one part of the account.

    `state` is that of the subscriptions, `silent` for what is there and tells nothing, or `by
    hand` for what no API says.
    """

    crm: str
    entity: str | None
    of: str
    state: str
    subscriptions: Sequence[str]
    detail: str = ""
    last_received: datetime | None = None
    is_wrong: bool = False


def rows(
    crm: Crm,
    outcome: Outcome,
    place: Place,
    heard: Mapping[tuple[str, str], Heard],
    since: datetime,
) -> Iterator[Row]:
    """What is wrong or as it should be, by entity, and then what leads elsewhere."""
    groups: dict[tuple[str, str, str], list[Standing]] = {}
    for one in outcome.standings:
        if one.wanted is not None:
            for entity in one.wanted.entities:
                groups.setdefault((entity, one.wanted.of, one.state), []).append(one)
    for (entity, of, state), alike in groups.items():
        known = heard.get((crm.name, entity), Heard())
        names = [one.wanted.name for one in alike if one.wanted]
        detail = "; ".join(dict.fromkeys(one.why for one in alike if one.why))
        row = Row(crm.name, entity, of, state, names, detail, known.at, state != "ok")
        if state == "elsewhere":
            led = {addresses.shown(one.found.address, place.bases) for one in alike if one.found}
            row = replace(row, detail=f"they lead to {', '.join(sorted(led)) or 'no address'}")
        elif state == "ok":
            made = [one.found.since for one in alike if one.found and one.found.since]
            changes = known.created + known.updated
            row = _listened(row, known.at or min(made, default=None), changes, since)
        yield row
    for one in outcome.standings:
        if one.state == "foreign" and one.found is not None:
            where = addresses.shown(one.found.address, place.bases)
            yield Row(crm.name, None, one.found.of, "foreign", [one.found.name], f"to {where}")


def of_hand_made(
    crm: Crm, said: str, heard: Mapping[tuple[str, str], Heard], since: datetime
) -> Iterator[Row]:
    """Of a CRM without an API: what can be told by what came, and what it always announces."""
    announces = crm.webhooks.announces if crm.webhooks else {}
    known = {entity: one for (name, entity), one in heard.items() if name == crm.name and one.at}
    if not known:
        yield Row(crm.name, None, "", "by hand", [], f"nothing received yet: {said}")
    for entity, one in sorted(known.items()):
        announced = announces.get(entity, frozenset())
        changes = one.created * ("created" in announced) + one.updated * ("changed" in announced)
        row = Row(crm.name, entity, "", "by hand", [], "", one.at)
        yield _listened(row, one.at, changes, since)


def _listened(row: Row, began: datetime | None, changes: int, since: datetime) -> Row:
    """Whether something should have been heard: what is new, or has never told, may yet."""
    if changes and began is not None and began < since:
        told = f"nothing received since {began:%Y-%m-%d %H:%M} UTC"
        detail = f"{told}, and deltas found {changes:,} records new or changed"
        return replace(row, state="silent", detail=detail, is_wrong=True)
    if row.last_received is None and not row.detail:
        return replace(row, detail="nothing received yet")
    return row


def named(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
