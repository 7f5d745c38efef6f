"""Paths with names in them, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the names in one source's paths stand for.

    `given` has the names in capitals, put in as they are. `member` is the name for the members of
    its `Each`, `members` what stands in a path for each of them, by their own names; `are_named`
    says that somebody asked for these.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    member: str | None = None
    members: Mapping[str, str] = field(default_factory=dict)
    are_named: bool = False

    def path(
        self, template: str, member: str | None, names: Mapping[str, str] | None = None
    ) -> str:
        """The path for one member, with the names of a record; what is put in is quoted."""
        known = dict(names or {})
        if self.member is not None and member is not None:
            known[self.member] = self.members[member]
        quoted = {name: quote(value, safe="") for name, value in known.items()}
        return template.format(**self.given, **quoted) if "{" in template else template
