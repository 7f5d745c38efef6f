"""Properties that the app may not read: found by asking, left out, and the rest is read.

HubSpot answers 403 to a whole request when one property in it is too sensitive for the app.
https://developers.hubspot.com/docs/api-reference/latest/crm/properties/sensitive-data
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.answers import has_records
from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.errors import Closed
from crm_sync_assets.log import logger

log = logger(__name__)

PER_PROBE = 50
"""Names, so that the address stays short."""


def open_pages(
    hub: Account, kind: str, session: Session, read: Callable[[], Iterator[Page]]
) -> Iterator[Page]:
    """What `read` gives; once more from its beginning without properties that turn out closed.

    One that is closed while pages are passed on fails the reading; the next one leaves it out.
    """
    began = False
    try:
        for page in read():
            began = True
            yield page
        return
    except Closed as error:
        closed = _closed(hub, kind, session)
        if not closed:
            raise
        hub.leave_out(kind, closed)
        if hub.first_time(("closed properties", kind, *closed)):
            names = ", ".join(closed[:10]) + (
                f" and {len(closed) - 10} more" if closed[10:] else ""
            )
            log.warning(
                "%s: the app may not read %s; their columns keep what is stored there (%s)",
                session.subject,
                names,
                error,
            )
        if began:
            raise
    yield from read()


def _closed(hub: Account, kind: str, session: Session) -> list[str]:
    """The properties that are closed by themselves; none, if the object is closed as a whole."""
    path = hub.paths.objects(kind)

    def is_open(names: Sequence[str]) -> bool:
        asked = {"limit": "1", "properties": ",".join(names)}
        try:
            session.get(path, asked, check=has_records)
        except Closed:
            return False
        return True

    def among(names: Sequence[str]) -> Iterator[str]:
        if is_open(names):
            return
        if len(names) == 1:
            yield names[0]
            return
        half = len(names) // 2
        yield from among(names[:half])
        yield from among(names[half:])

    if not is_open(["hs_object_id"]):
        return []
    names = hub.property_names(kind, session)
    groups = (names[start : start + PER_PROBE] for start in range(0, len(names), PER_PROBE))
    return [name for group in groups for name in among(group)]
