"""Whether the user of the API sees all records: what is hidden from it is in no answer, and nothing
says so. A record that is not there is gone for who sees all; for others nobody knows.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userpermissionaccess.htm
"""

from __future__ import annotations

from typing import Any, Final

from crm_sync_assets.crms.salesforce.org import Org
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.declarations.contract import Read
from crm_sync_assets.errors import Deferred, FatalError, Forbidden, Incomplete
from crm_sync_assets.log import logger

log = logger(__name__)

RIGHT: Final = '"View All Data"'
MEMORY: Final = "sees_all"
"""Under which name a sync remembers what was so."""
CAUTION: Final = (
    f"its user has no {RIGHT}: records that are shared with others alone are missing here, and "
    "nothing says so; one that is not shown any more keeps its row, as nobody knows whether it is "
    "gone. Grant it in a permission set"
)


def sees_all(org: Org, *, anew: bool = False) -> bool:
    """Whether the user may see every record, as it was at most ten minutes ago or, `anew`, is now.

    Not where the org does not say.
    """

    def fetch() -> bool:
        query = Query(("PermissionsViewAllData",), "UserPermissionAccess")
        try:
            rows = org.asking("salesforce").rows(query, "query")
        except Deferred:
            raise
        except FatalError as error:
            if error.reason == "auth":
                raise
            log.warning("salesforce: nobody says whether the user sees all records: %s", error)
            return False
        return any(one.get("PermissionsViewAllData") is True for one in rows.records)

    if anew:
        org.note("sees all", fetch())
    found: bool = org.remember("sees all", fetch)
    return found


def sees_more(read: Read) -> bool:
    """Whether there may be records that were not shown to the last sync, for who sees all."""
    remembered: Any = read.memory.get(MEMORY)
    return remembered is False


def refuse_less(org: Org, read: Read) -> None:
    """Raises Forbidden for a delta, where the last sync saw all records and this one would not.

    It would miss changes of what is hidden, and no later delta would bring them.
    """
    if read.memory.get(MEMORY) and not sees_all(org):
        raise Forbidden(
            f"{read.entity}: the user of the API had {RIGHT} and has it no more: changes of what "
            "is hidden now would be missed for good. Grant it again, or run it once with "
            "--full, which goes on with what is shown"
        )


def refuse_lost(org: Org, read: Read) -> None:
    """Raises Incomplete where the right was lost while records were read: the next sync begins
    anew, as nobody knows which of them were hidden."""
    if not sees_all(org, anew=True):
        raise Incomplete(
            f"{read.entity}: the user of the API had {RIGHT} when this began and has it no more: "
            "what is hidden now may be missing. Grant it again, or run it once with --full, "
            "which goes on with what is shown"
        )
