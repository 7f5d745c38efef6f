"""The life of a portal, compressed: records change, and who belongs to whom."""

from typing import ClassVar

from crm_sync_assets.sandbox.crms.hubspot.related import Related
from crm_sync_assets.sandbox.mover import Dice, Mover

_PAIRS = (
    ("contacts", "appointments"),
    ("contacts", "divisions"),
    ("contacts", "deals"),
    ("contacts", "companies"),
    ("deals", "line_items"),
    ("calls", "contacts"),
    ("notes", "contacts"),
)


class PortalMover(Mover):
    """Merges what HubSpot can merge, and associates."""

    world: Related
    busy: ClassVar = {
        "contacts": 8, "appointments": 5, "deals": 4, "divisions": 1, "genius_users": 1
    }  # fmt: skip
    mergeable: ClassVar = ("contacts", "companies", "deals", "tickets")

    def dice(self) -> Dice:
        """What may happen in a portal."""
        first, last = super().dice()[:5], super().dice()[5:]
        return [*first, (self.associate, 7), (self.dissociate, 5), *last]

    def associate(self) -> str:
        """A pair more."""
        a, b = self.rng.choice(_PAIRS)
        left, right = self.pick(a), self.pick(b)
        if left is None or right is None:
            return ""
        self.world.associate(a, left, b, right)
        return f"associate {a} {left} {b} {right}"

    def dissociate(self) -> str:
        """A pair less."""
        a, b = self.rng.choice(_PAIRS)
        for _ in range(40):
            left = self.pick(a)
            others = self.world.associated(a, left, b) if left else []
            if left and others:
                right = self.rng.choice(others)
                self.world.dissociate(a, left, b, right)
                return f"dissociate {a} {left} {b} {right}"
        return ""
