"""A random believable life of those who are called."""

from crm_sync_assets.sandbox.crms.five9.fields import DISPOSITIONS
from crm_sync_assets.sandbox.crms.five9.world import KINDS, World
from crm_sync_assets.sandbox.mover import Dice, Mover


class Five9Mover(Mover):
    """Contacts come, are called, are edited without a call, and disappear."""

    world: World

    def dice(self) -> Dice:
        return [
            (self.create, 20),
            (self.edit, 30),
            (self.clear, 8),
            (self.call, 30),
            (self.purge, 5),
        ]

    def call(self) -> str:
        """Somebody picks up, or not."""
        if (one := self.pick(KINDS)) is None:
            return ""
        self.world.call(one, self.rng.choice(DISPOSITIONS))
        return f"call contacts {one}"
