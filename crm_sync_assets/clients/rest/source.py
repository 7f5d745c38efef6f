"""What an entity is read from, declared: sweeps in order, each cut into slices, each paged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from string import Formatter
from typing import TYPE_CHECKING, Any

from crm_sync_assets.clients.rest.delta import Delta, Everything
from crm_sync_assets.clients.rest.paging import Paging, Whole
from crm_sync_assets.declarations.entity import Key, Record, SourceKind

if TYPE_CHECKING:
    # It keeps its state in PostgreSQL, which a declaration has no need of.
    from crm_sync_assets.clients.limits import Cost


@dataclass(frozen=True, slots=True)
class Sweep:
    """One list that is read for an entity; what it leaves out is as the source has it.

    `ask` are parameters of its own. The records of one that is `gone` are no rows: they are what
    the source no longer has. `cost` is in units of the budget for each page. `marks` are what its
    records do not say and being in this list does: each record is given them.
    """

    name: str
    path: str | None = None
    ask: Mapping[str, str] = field(default_factory=dict)
    delta: Delta | None = None
    paging: Paging | None = None
    records: str | None = None
    gone: bool = False
    cost: Cost | None = None
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Each:
    """A list whose members the paths name as `{name}`: the accounts that a key sees.

    Members come from `path`, below `records`, by their `key`; only those in the variable `only`,
    where that is set. Without a path they are what that variable lists. Records get the member's
    name as the field `stamp`. Of one that was not there at the last sync everything is read, and
    one that is closed to us makes the read incomplete; `advice` says what to do about it. Where
    they are `optional`, one that is not available, was never read and was named by nobody is left
    out.
    """

    name: str
    path: str = ""
    records: str = ""
    paging: Paging = field(default_factory=Whole)
    key: str = "id"
    only: str | None = None
    stamp: str | None = None
    advice: str = ""
    optional: bool = False

    def __post_init__(self) -> None:
        if not self.path and not self.only:
            raise ValueError(f"{self.name}: neither a path nor a variable says what there is")
        if self.optional and not self.stamp:
            raise ValueError(f"{self.name}: no record would tell which of them it is of")


@dataclass(frozen=True, slots=True)
class Many:
    """Records by their ids, several at a time: `ask` takes up to `most` of them, with commas.

    What is asked for and does not come proves nothing: it is asked for alone.
    """

    path: str
    ask: str
    most: int
    cost: Cost = 1


@dataclass(frozen=True, slots=True)
class One:
    """A record by itself. `{id}` in the path is the key column of that name, unless `names` makes
    what the path needs of a key; `record` is where the answer has it.

    It is asked for with each of `asks` in turn, until it is found. `names` may say which member it
    belongs to. `picked` finds the record in an answer of any shape, and says None where there is
    none. `shaped` makes of it what a list's record becomes, where that is another shape, and `gone`
    says of the answer what the source's `gone` says of listed ones. A status in `hidden` says that
    the record may be there, but not for us to see: its row stays.
    """

    path: str
    record: str | None = None
    names: Callable[[Key], Mapping[str, str]] | None = None
    asks: tuple[Mapping[str, str], ...] = ({},)
    picked: Callable[[Any], Record | None] | None = None
    shaped: Callable[[Record, Key], Record] | None = None
    gone: Callable[[Record], bool] | None = None
    hidden: tuple[int, ...] = ()
    cost: Cost = 1


@dataclass(frozen=True, slots=True)
class Job:
    """How a report is ordered and asked about; the source's own path, with `{job}`, has its pages.

    `submit` is where it is ordered with the body that `order` makes of the window's parameters, and
    `id` where the answer has its id. `status` is where it is asked about, `state` where the answer
    has its state; one of `ready` means that it can be fetched, one of `failed` that it is ordered
    anew. It is asked about every so many seconds, for `most_seconds` at most.
    """

    submit: str
    order: Callable[[Mapping[str, str]], Any]
    id: str
    status: str
    state: str
    ready: tuple[str, ...]
    failed: tuple[str, ...] = ()
    every_seconds: float = 5.0
    most_seconds: float = 3_600.0

    def __post_init__(self) -> None:
        if "{job}" not in self.status:
            raise ValueError(f"{self.status}: {{job}} does not say which one is asked about")
        if not self.ready or set(self.ready) & set(self.failed):
            raise ValueError(f"{self.submit}: no state says that it is ready, or one says both")
        if not 0 < self.every_seconds <= self.most_seconds:
            raise ValueError(f"{self.submit}: it is asked about more seldom than it is waited for")


@dataclass(frozen=True, repr=False)
class Rest:
    """Records of one entity behind a web API.

    `path` is below the base URL, `records` where a page has them. `windowed_by` is the field that a
    window is about, if the `delta` knows windows; `modified` is the field that orders versions.
    With a `job` the path has the pages of a report that is ordered first.
    Where a page has an object in place of a list, `keyed` is what its names are: a record is that
    and, as `held`, the value.
    `details` is the path of the whole record where the list has only an outline of it; only of
    those that `detailed`, if given, says so of, at the moment by which windows are cut. `explode`
    makes several records of one. `gone` says of a listed record that it is deleted. `filters` are a
    CRM's own flags → the parameters they become; where the source has none, `wanted` says whether
    the flags' values leave a record in. `again` lists everything a second time in pages of another
    size, to find what one list left out; for small lists that nobody counts. `page` is the address
    of a record's page for people, `list_page` that of the list of them.
    """

    path: str
    records: str | None = None
    paging: Paging = field(default_factory=Whole)
    delta: Delta = field(default_factory=Everything)
    modified: str | None = None
    windowed_by: str | None = None
    root: str = ""
    id: str = "id"
    params: Mapping[str, str] = field(default_factory=dict)
    sweeps: tuple[Sweep, ...] = (Sweep("all"),)
    each: Each | None = None
    job: Job | None = None
    keyed: str | None = None
    details: One | None = None
    detailed: Callable[[Record, datetime], bool] | None = None
    explode: Callable[[Record], Iterable[Record]] | None = None
    gone: Callable[[Record], bool] | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    wanted: Callable[[Record, Mapping[str, Any]], bool] | None = None
    one: One | None = None
    many: Many | None = None
    again: bool = False
    page: str | None = None
    list_page: str | None = None
    cost: Cost = 1
    api: str = ""
    kind: SourceKind = "api"

    def __post_init__(self) -> None:
        names = [sweep.name for sweep in self.sweeps]
        twice = sorted({name for name in names if names.count(name) > 1})
        windowed = any(self.delta_of(sweep).windowed for sweep in self.sweeps)
        if not self.sweeps or twice:
            raise ValueError(f"{self.path}: a sweep is named twice: {', '.join(twice) or 'none'}")
        if windowed and self.windowed_by is None:
            if self.modified is None:
                raise ValueError(f"{self.path}: a delta, and no field that its window is about")
            object.__setattr__(self, "windowed_by", self.modified)
        if self.windowed_by is not None and not windowed:
            raise ValueError(
                f"{self.path}: windowed by {self.windowed_by}, and no delta asks for it"
            )
        known = {self.each.name} if self.each else set[str]()
        if self.job is not None:
            known.add("job")
            if "{job}" not in self.path:
                raise ValueError(f"{self.path}: {{job}} does not say whose pages they are")
        for path in (self.path, *(sweep.path or "" for sweep in self.sweeps)):
            # Names in capitals are the client's to fill: variables, prefixes of a version.
            if unknown := {name for name in _names(path) - known if not name.isupper()}:
                raise ValueError(f"{path}: nothing fills {{{'}, {'.join(sorted(unknown))}}}")
        if self.many is not None and self.one is None:
            raise ValueError(f"{self.path}: records by ids, and none by itself, to be sure of one")

    def __repr__(self) -> str:
        """What decides how a record looks and where a cursor leads; functions by their names."""
        parts: list[object] = [self.path, self.records, self.root, self.modified, self.windowed_by]
        parts += [type(self.paging).__name__, type(self.delta).__name__, dict(self.params)]
        parts += [(s.name, s.path, dict(s.ask), s.gone, dict(s.marks)) for s in self.sweeps]
        parts += [self.each and (self.each.name, self.each.stamp)]
        parts += [self.details and self.details.path, self.keyed]
        parts += [made.__qualname__ if made else None for made in (self.explode, self.gone)]
        return f"Rest({', '.join(map(repr, parts))})"

    def __str__(self) -> str:
        return self.path

    @property
    def max_page_size(self) -> int:
        return max(self.paging_of(sweep).most for sweep in self.sweeps)

    def paging_of(self, sweep: Sweep) -> Paging:
        return sweep.paging or self.paging

    def delta_of(self, sweep: Sweep) -> Delta:
        return sweep.delta or self.delta


def _names(path: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(path) if name}
