"""A random believable life of contacts and what is sold to them."""

from crm_sync_assets.sandbox.crms.marketsharp.sets import TYPED
from crm_sync_assets.sandbox.crms.marketsharp.world import World
from crm_sync_assets.sandbox.mover import Dice, Mover


class MarketSharpMover(Mover):
    """Records come, are edited and are deleted; contacts become leads and customers."""

    world: World
    busy = {"Contacts": 8, "Activities": 5, "Appointments": 5, "Companies": 0}  # noqa: RUF012

    def dice(self) -> Dice:
        return [
            (self.create, 20),
            (self.edit, 45),
            (self.clear, 8),
            (self.convert, 5),
            (self.purge, 3),
        ]

    def purge(self) -> str:
        """Gone for good; not out of a list that is short."""
        kind = self.rng.choice(("Contacts", "Activities", "CustomFields"))
        if (one := self.pick(kind)) is None:
            return ""
        self.world.purge(kind, one)
        return f"purge {kind} {one}"

    def convert(self) -> str:
        """A contact becomes something else, and is gone from the set that it was in."""
        if (one := self.pick("Contacts")) is None:
            return ""
        before = self.world.type_of(one)
        self.world.convert(one, self.rng.choice([each for each in "123" if each != before]))
        return f"purge {TYPED[int(before)]} {one}"
