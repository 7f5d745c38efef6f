"""A random believable life of a company."""

from crm_sync_assets.sandbox.crms.arrivy.records import DAY_MS, LABELS, TYPES
from crm_sync_assets.sandbox.crms.arrivy.world import World
from crm_sync_assets.sandbox.mover import Dice, Mover


class ArrivyMover(Mover):
    """Tasks are booked, moved and done; what was done a month ago is left alone."""

    world: World

    def dice(self) -> Dice:
        return [
            (self.book, 25),
            (self.become, 30),
            (self.replan, 15),
            (self.unplan, 5),
            (self.note, 15),
            (self.others, 12),
            (self.disable, 3),
            (self.delete, 5),
        ]

    def current(self) -> str | None:
        """A task that somebody still works at."""
        since = self.world.clock.now_ms() - 30 * DAY_MS
        live = [one for one in self.world.truth("tasks") if one["state"] == "live"]
        found = [one["id"] for one in live if one["begins"] is None or one["begins"] >= since]
        return self.rng.choice(found) if found else None

    def book(self) -> str:
        """One more."""
        at = self.world.clock.now_ms() + self.rng.randrange(-2, 90) * DAY_MS
        kind = self.rng.choice(("tasks", "tasks", "tasks", "bookings"))
        return f"create {kind} {self.world.book(at, kind)}"

    def become(self) -> str:
        """Another status."""
        if (one := self.current()) is None:
            return ""
        status = self.rng.choice(TYPES)
        self.world.set_status(one, status, self.rng.choice(LABELS) if status == "CUSTOM" else None)
        return f"edit tasks {one} status"

    def replan(self) -> str:
        """Another day."""
        if (one := self.current()) is None:
            return ""
        self.world.replan(one, self.rng)
        return f"edit tasks {one} start_datetime"

    def unplan(self) -> str:
        """No day."""
        if (one := self.current()) is None:
            return ""
        self.world.unplan(one, keep_moment=self.rng.random() < 0.5)
        return f"edit tasks {one} unscheduled"

    def note(self) -> str:
        """Other values of a task."""
        if (one := self.current()) is None:
            return ""
        self.world.edit("tasks", one, self.values("tasks", 2))
        return f"edit tasks {one}"

    def others(self) -> str:
        """One more of the rest, or other values for one."""
        kind = self.rng.choice(("entities", "groups", "statuses", "bookings"))
        one, values = self.pick(kind), self.values(kind, 3)
        if one is not None and self.rng.random() < 0.7:
            self.world.edit(kind, one, values)
            return f"edit {kind} {one}"
        if kind == "bookings":
            return f"create {kind} {self.world.book(kind=kind)}"
        return f"create {kind} {self.world.create(kind, values)}"

    def disable(self) -> str:
        """An entity or a group."""
        kind = self.rng.choice(("entities", "groups"))
        if (one := self.pick(kind)) is None:
            return ""
        self.world.disable(kind, one)
        return f"disable {kind} {one}"

    def delete(self) -> str:
        """One that leaves no trace."""
        kind = self.rng.choice(("tasks", "tasks", "entities", "statuses", "bookings"))
        if (one := self.pick(kind)) is None or len(self.world.ids(kind)) < 12:
            return ""
        self.world.purge(kind, one)
        return f"purge {kind} {one}"
