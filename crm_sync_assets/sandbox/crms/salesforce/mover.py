"""A random believable life of an org."""

from crm_sync_assets.sandbox.crms.salesforce.world import World
from crm_sync_assets.sandbox.mover import Dice, Mover


class SalesforceMover(Mover):
    """Records come, are edited by people and by nobody, deleted, restored and merged."""

    world: World
    busy = {  # noqa: RUF012
        "Account": 3, "Contact": 5, "Lead": 4, "Opportunity": 4, "Case": 2, "Task": 3, "Event": 1,
        "Campaign": 1, "Asset": 1, "Invoice__c": 1,
    }  # fmt: skip
    mergeable = ("Account", "Contact", "Lead", "Case")

    def dice(self) -> Dice:
        return [*super().dice(), (self.automate, 10), (self.convert, 3), (self.staff, 3)]

    def automate(self) -> str:
        """A flow changes something."""
        kind = self.kind()
        if (one := self.pick(kind)) is None:
            return ""
        self.world.automate(kind, one, self.values(kind, 1))
        return f"automate {kind} {one}"

    def staff(self) -> str:
        """Somebody begins to work there, or changes; nobody is ever deleted."""
        values = self.values("User", 4)
        one = self.pick("User")
        if one is None or self.rng.random() < 0.3:
            return f"create User {self.world.create('User', {**values, 'IsActive': True})}"
        self.world.edit("User", one, values)
        return f"edit User {one}"

    def convert(self) -> str:
        """A lead becomes a customer."""
        if (one := self.pick("Lead")) is None:
            return ""
        return f"convert Lead {one} {' '.join(self.world.convert(one).values())}"
