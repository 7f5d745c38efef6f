"""A random believable life of an account."""

from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets.sandbox.mover import Dice, Mover


class CallRailMover(Mover):
    """Calls come, are noted upon, tagged and flagged; the rest changes now and then."""

    world: World

    def dice(self) -> Dice:
        return [
            (self.call, 30),
            (self.note, 30),
            (self.tag, 15),
            (self.message, 15),
            (self.form, 8),
            (self.spam, 4),
            (self.disable, 3),
            (self.people, 6),
            (self.delete, 4),
        ]

    def call(self) -> str:
        """One more."""
        return f"create calls {self.world.begin_call()}"

    def note(self) -> str:
        """What people write down about a call, however old it is."""
        if (one := self.pick("calls")) is None:
            return ""
        value = f"${self.rng.randrange(1, 9_000):,}.00"
        changes = {
            "note": f"called back {self.rng.randrange(100)}",
            "value": self.rng.choice((value, None)),
            "lead_status": self.rng.choice(("good_lead", "not_a_lead", None)),
        }
        name = self.rng.choice(sorted(changes))
        self.world.edit("calls", one, {name: changes[name]})
        return f"edit calls {one} {name}"

    def tag(self) -> str:
        """A tag for a call."""
        one, tag = self.pick("calls"), self.pick("tags")
        if one is None or tag is None:
            return ""
        self.world.tag("calls", one, tag)
        return f"edit calls {one} tags"

    def message(self) -> str:
        """One more, in a conversation that there is."""
        if (one := self.pick("conversations")) is None:
            return ""
        self.world.say(one, f"Message {self.rng.randrange(1_000)}")
        return f"say conversations {one}"

    def form(self) -> str:
        """One more."""
        values = self.world.sample(self.world.table("form_submissions"), 12, self.rng)
        return f"create form_submissions {self.world.create('form_submissions', values)}"

    def spam(self) -> str:
        """An old call, which has been seen by whoever reads."""
        base = self.world.table("calls").base
        one = self.pick("calls")
        number = self.world.find("calls", one)[1] if one else base.count
        if one is None or number >= base.count:
            return ""
        self.world.spam(one)
        return f"purge calls {one}"

    def disable(self) -> str:
        """A company or a tracker."""
        kind = self.rng.choice(("companies", "trackers"))
        if (one := self.pick(kind)) is None:
            return ""
        self.world.disable(kind, one)
        return f"disable {kind} {one}"

    def people(self) -> str:
        """A user or a tag more, or other values for one."""
        kind = self.rng.choice(("users", "tags"))
        values = self.world.sample(self.world.table(kind), 3, self.rng)
        one = self.pick(kind)
        if one is not None and self.rng.random() < 0.5:
            self.world.edit(kind, one, {n: v for n, v in values.items() if n[0] != "_"})
            return f"edit {kind} {one}"
        return f"create {kind} {self.world.create(kind, values)}"

    def delete(self) -> str:
        """A user or a tag, which leaves no trace."""
        kind = self.rng.choice(("users", "tags"))
        if (one := self.pick(kind)) is None or len(self.world.ids(kind)) < 6:
            return ""
        self.world.purge(kind, one)
        return f"purge {kind} {one}"
