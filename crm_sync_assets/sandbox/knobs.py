"""Everything about the sandbox's behaviour that can be turned while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class Common:
    """The knobs that every CRM has; the defaults are a healthy, fast, unlimited API.

    index_lag            seconds until search sees a write (lists and single reads see it at once)
    commit_delay         a write keeps its timestamp but shows up anywhere only 0..N seconds later
    latency              seconds before every answer
    page_shrink          lists and searches return this many records less than asked, at least one
    empty_pages          this many empty pages with a next cursor come before each list page
    repeat_page          each list page comes twice (own cursor each); pages by offset overlap by
                         half
    stuck_cursor         a page's next cursor is the one it was asked with
    short_total          a total is this many records more than all pages deliver
    max_url              characters of path and query before 414
    limits               enforce the rate limits (counted in real time, whatever the clock)
    retry_after          value of Retry-After on 429s of the limits; None leaves the header out
    token_lifetime       seconds an OAuth access token lives, by the sandbox clock
    rotating_refresh_tokens  a refresh token works once; reuse revokes its whole family
    """

    index_lag: float = 0
    commit_delay: float = 0
    latency: float = 0
    page_shrink: int = 0
    empty_pages: int = 0
    repeat_page: bool = False
    stuck_cursor: bool = False
    short_total: int = 0
    max_url: int = 8_192
    limits: bool = False
    retry_after: str | None = None
    token_lifetime: float = 1_800
    rotating_refresh_tokens: bool = False


class Knobs:
    """The common knobs and those of each CRM, all as plain attributes of this one object.

    A name is one knob: ValueError when two CRMs use the same. What several may have is therefore
    called after its CRM.
    """

    common: Common
    _places: dict[str, Any]

    def __init__(self, *own: Any) -> None:
        groups = (Common(), *own)
        places: dict[str, Any] = {}
        for group in groups:
            for knob in fields(group):
                if knob.name in places:
                    raise ValueError(f"two knobs are called {knob.name!r}")
                places[knob.name] = group
        self.__dict__.update(common=groups[0], _places=places)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._places:
            raise AttributeError(f"no knob {name!r}")
        return getattr(self._places[name], name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.turn({name: value})

    def turn(self, values: Mapping[str, Any]) -> None:
        """Set several by name. ValueError on an unknown name, before anything is set."""
        if unknown := sorted(set(values) - set(self._places)):
            raise ValueError(f"unknown knobs {unknown}, known are {sorted(self._places)}")
        for name, value in values.items():
            place = self._places[name]
            setattr(place, name, set(value) if isinstance(getattr(place, name), set) else value)

    def reset(self) -> None:
        """All back to the defaults."""
        fresh = {id(group): type(group)() for group in self._places.values()}
        self.turn({name: getattr(fresh[id(at)], name) for name, at in self._places.items()})

    def as_dict(self) -> dict[str, Any]:
        """Name to value, JSON-able."""
        values = {name: getattr(place, name) for name, place in self._places.items()}
        return {n: sorted(v) if isinstance(v, set) else v for n, v in values.items()}
