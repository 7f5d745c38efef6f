"""One object type of an account: its name in a path, its properties, searches for its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.searching import SEARCH_PAGE, Filters, Search
from crm_sync_assets.crms.hubspot.sources import Objects


class ObjectType:
    """What the parts of one reading share: whom they ask, and for which objects.

    `kind` is what stands in a path for the type, `subject` the entity's name for log and errors,
    `bare` the properties of a record that is asked for without the others.
    """

    def __init__(self, hub: Account, session: Session, source: Objects) -> None:
        self.hub = hub
        self.session = session
        self.source = source
        self.kind = hub.type_id(source.type)
        self.subject = session.subject
        self.bare = list(dict.fromkeys([source.modified or "hs_object_id", source.created]))

    def names(self) -> list[str]:
        """All properties that may be asked for, in alphabetical order."""
        return self.hub.property_names(self.kind, self.session)

    def type_of(self, name: str) -> str | None:
        """HubSpot's type of a property, such as `datetime`; None where there is none."""
        known = self.hub.properties(self.kind, self.session)
        return known[name].type if name in known else None

    def labels(self, paths: Mapping[str, str]) -> dict[str, str]:
        """What people who use the account see for the properties of these, which have a label."""
        known = self.hub.properties(self.kind, self.session)
        return {
            column: known[name].label
            for column, name in paths.items()
            if name in known and known[name].label
        }

    def search(
        self,
        groups: Sequence[Filters],
        names: Sequence[str],
        *,
        size: int = SEARCH_PAGE,
        may_be_refused: bool = False,
    ) -> Search:
        """A search for records that meet all filters of a group, with these properties."""
        return Search(
            self.session,
            self.hub.paths.search(self.kind),
            groups,
            names,
            self.bare,
            size=size,
            may_be_refused=may_be_refused,
        )

    def count(self, filters: Filters, *, may_be_refused: bool = False) -> int:
        """How many records meet these filters. Raises Unsearchable, if it may be refused."""
        return self.search([filters], [], size=1, may_be_refused=may_be_refused).count()
