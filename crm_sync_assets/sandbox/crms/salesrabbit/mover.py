"""A random believable life of doors and those who knock at them."""

from crm_sync_assets.sandbox.crms.salesrabbit.world import STATUSES, World
from crm_sync_assets.sandbox.mover import Dice, Mover


class SalesRabbitMover(Mover):
    """Leads come, are edited, have another status, are deleted and come back."""

    world: World
    busy = {"leads": 6}  # noqa: RUF012

    def dice(self) -> Dice:
        return [
            (self.create, 20),
            (self.edit, 30),
            (self.clear, 8),
            (self.status, 30),
            (self.delete, 5),
            (self.restore, 4),
        ]

    def status(self) -> str:
        """What came of a visit."""
        if (one := self.pick("leads")) is None:
            return ""
        self.world.set_status(one, self.rng.choice(STATUSES))
        return f"status leads {one}"

    def delete(self) -> str:
        """A lead; nothing tells of it but that it is listed no more."""
        if (one := self.pick("leads")) is None:
            return ""
        self.world.archive("leads", one)
        return f"purge leads {one}"
