"""Batch reads of more properties than HubSpot gives at once: asked for in several requests.

It does not say how many those are, so a request that is refused for it is halved, and what fits is
remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.errors import BadRequest

Body = dict[str, Any]


def in_parts(hub: Account, names: Sequence[str], ask: Callable[[Sequence[str]], Body]) -> Body:
    """The body that `ask` gives for these properties, put together from several if need be."""
    if len(names) <= hub.most_properties:
        try:
            return ask(names)
        except BadRequest as error:
            if len(names) < 2 or "propert" not in str(error).lower():
                raise
            refused = error
        # What is refused for another reason is refused in halves too, and nothing is remembered.
        half = -(-len(names) // 2)
        try:
            first = in_parts(hub, names[:half], ask)
        except BadRequest:
            raise refused from None
        hub.most_properties = min(hub.most_properties, half)
        return _joined([first, in_parts(hub, names[half:], ask)])
    most = int(hub.most_properties)
    starts = range(0, len(names), most)
    return _joined([in_parts(hub, names[start : start + most], ask) for start in starts])


def _joined(bodies: Sequence[Body]) -> Body:
    """One body: the records that all of them have, and the errors of each.

    Of a record that changed between two requests the earlier modified date is kept, so that the
    next delta takes it for changed.
    """
    by_id = [{record["id"]: record for record in body["results"]} for body in bodies]
    results = [
        {**record, "properties": _properties([each[key] for each in by_id])}
        for key, record in by_id[0].items()
        if all(key in each for each in by_id)
    ]
    errors = [error for body in bodies for error in body.get("errors") or ()]
    return {**bodies[0], "results": results, "errors": errors}


def _properties(records: Sequence[Body]) -> Body:
    joined: Body = {}
    for record in reversed(records):
        joined |= record.get("properties") or {}
    return joined
