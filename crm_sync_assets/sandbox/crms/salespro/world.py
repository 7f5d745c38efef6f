"""What the data lake holds, and what happens to it: files are written anew, and tell of nothing."""

import csv
import io
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salespro.knobs import SalesProKnobs
from crm_sync_assets.sandbox.crms.salespro.schema import FILES, KEYS, TABLES, changed_by
from crm_sync_assets.sandbox.crms.salespro.values import Row, form, line, row
from crm_sync_assets.sandbox.people import Pools, moment, pools

Key = Sequence[str | None]
_DICE = {"edit": 40, "create": 20, "fill_in": 12, "purge": 6, "copy": 8, "clear": 8, "export": 6}


class World:
    """Tables of rows, and the lines of two files. A key may be in several rows: the newest counts.

    Raises LookupError for a table or a key that there is not.
    """

    def __init__(self, stage: Stage, knobs: SalesProKnobs, rows: int, users: int) -> None:
        self.clock, self._knobs, self._seed = stage.clock, knobs, stage.seed
        self._sizes = {**dict.fromkeys(TABLES, rows), "users": users, "offices": 4 + users // 10}
        self.lock = threading.RLock()
        self._pools = pools(stage.seed)
        self.reset()

    def reset(self) -> None:
        """As the seed makes it."""
        with self.lock:
            self.tables: dict[str, list[Row]] = {}
            self._next: dict[str, int] = {}
            for name in (*TABLES, *FILES):
                sizes = tuple(self._sizes.items())
                self.tables[name] = [dict(found) for found in _first(name, self._seed, sizes)]
                self._next[name] = self._sizes[name]
            self._held: dict[str, list[Row]] = {}
            self.changes = 0

    # -- what happens ----------------------------------------------------------------------------

    def create(self, name: str, values: Row | None = None, seed: int = 0) -> list[str | None]:
        """A new row; its key."""
        with self.lock:
            number = self._next[self._known(name)]
            self._next[name] = number + 1
            rng = random.Random(f"{self._seed} {name} {number} {seed}")
            made = _new(name, number, rng, self._pools, self._sizes, self.clock.now())
            new = {**made, **(values or {})}
            self.tables[name].append(new)
            self.changes += 1
            return self.key_of(name, new)

    def edit(self, name: str, key: Key, values: Row, undated: bool = False) -> None:
        """Change a row now; `undated` leaves its moment as it was."""
        with self.lock:
            found = self._find(name, key)
            found |= values
            self.changes += 1
            if not undated and name != "user_activity":
                found["updated_at" if name in TABLES else "updatedAt"] = self._now(name)

    def touch(self, name: str, keys: Sequence[Key], values: Row) -> None:
        """Change several rows at one moment."""
        for key in keys:
            self.edit(name, key, values)

    def undate(self, name: str, key: Key) -> None:
        """A row that does not say when it changed."""
        with self.lock:
            self._find(name, key)[changed_by(name)] = None
            self.changes += 1

    def copy(self, name: str, key: Key, values: Row | None = None, seconds: float = -60) -> None:
        """The key in another row, by default of a minute before the one that is there."""
        with self.lock:
            found = self._find(name, key)
            at = found[changed_by(name)]
            if at is None:
                return
            moved = datetime.fromisoformat(at).timestamp() + seconds
            other = {**found, **(values or {})}
            other[changed_by(name)] = stamp(datetime.fromtimestamp(moved).astimezone())
            place = self.tables[name].index(found)
            self.tables[name].insert(place if seconds < 0 else place + 1, other)
            self.changes += 1

    def delete(self, name: str, key: Key) -> None:
        """Every row of a key; nothing tells of it."""
        with self.lock:
            self._find(name, key)
            wanted = list(key)
            kept = [one for one in self.tables[name] if self.key_of(name, one) != wanted]
            self.tables[name] = kept
            self.changes += 1

    def half_write(self, name: str, share: float = 0.5) -> None:
        """Only so many of a table's rows are there, until it is `written`."""
        with self.lock:
            rows = self.tables[self._known(name)]
            self._held[name] = rows
            self.tables[name] = rows[: int(len(rows) * share)]

    def written(self, name: str) -> None:
        """All of its rows are there again."""
        with self.lock:
            self.tables[name] = self._held.pop(name)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes, described one line each."""
        rng = random.Random(f"{self._seed} salespro move {seed}")
        done = []
        for _ in range(n):
            act = rng.choices([*_DICE], [*_DICE.values()])[0]
            done.append(self._move(act, rng))
        return done

    def _move(self, act: str, rng: random.Random) -> str:
        names = [*FILES] if act == "export" else [*TABLES]
        name = "lead_results" if act == "fill_in" else rng.choice(names)
        with self.lock:
            if act == "create" or name == "user_activity" or not self.tables[name]:
                return f"create {name} {self.create(name, seed=rng.randrange(10**9))[0]}"
            key = self.key_of(name, rng.choice(self.tables[name]))
            if act == "purge":
                self.delete(name, key)
            elif act == "copy":
                self.copy(name, key)
            elif act == "fill_in":
                self.edit(name, key, {"lead_results": form(rng, self._pools, odd=False)})
            else:
                column = "company" if act == "export" else "company_id"
                self.edit(name, key, {column: None if act == "clear" else rng.choice("abc")})
            return f"{act} {name} {key[0]}"

    # -- what there is ---------------------------------------------------------------------------

    def key_of(self, name: str, found: Row) -> list[str | None]:
        return [found[column] for column in KEYS.get(name, ("objectId",))]

    def keys(self, name: str) -> list[list[str | None]]:
        """The keys of a table, each once."""
        return [self.key_of(name, one) for one in self.truth(name)]

    def truth(self, what: str) -> Iterator[Row]:
        """For each key of a table or a file the row that counts: the newest, of several the last.

        LookupError when there is no such table.
        """
        with self.lock:
            newest: dict[tuple[str | None, ...], Row] = {}
            for one in self.tables[self._known(what)]:
                key = tuple(self.key_of(what, one))
                before = newest.get(key)
                if before is None or self._moment(what, one) >= self._moment(what, before):
                    newest[key] = one
            return iter([dict(one) for one in newest.values()])

    def file(self, name: str) -> bytes:
        """A file of the export, as the knobs have it written."""
        knobs = self._knobs
        text = io.StringIO()
        writer = csv.writer(text, delimiter=knobs.salespro_delimiter)
        writer.writerow(FILES[name])
        with self.lock:
            for number, one in enumerate(self.tables[name]):
                cells = [one[column] or "" for column in FILES[name]]
                if number < knobs.salespro_moved:
                    del cells[1]
                writer.writerow(cells)
        return text.getvalue().encode(knobs.salespro_encoding, "replace")

    def _find(self, name: str, key: Key) -> Row:
        """The row of a key that counts."""
        wanted, best = list(key), None
        for one in self.tables[self._known(name)]:
            if self.key_of(name, one) == wanted and (
                best is None or self._moment(name, one) >= self._moment(name, best)
            ):
                best = one
        if best is None:
            raise LookupError(f"{name} has no {wanted}")
        return best

    def _moment(self, name: str, one: Mapping[str, str | None]) -> str:
        return one[changed_by(name) if name in TABLES else "updatedAt"] or ""

    def _now(self, name: str) -> str:
        return stamp(self.clock.now()) if name in TABLES else iso(self.clock.now())

    def _known(self, name: str) -> str:
        if name not in self.tables:
            raise LookupError(f"no table {name!r}, have {list(self.tables)}")
        return name


@lru_cache(maxsize=64)
def _first(name: str, seed: int, sizes: tuple[tuple[str, int], ...]) -> tuple[Row, ...]:
    """The rows of the beginning, made once: to be copied, as rows change."""
    rng, counts = random.Random(f"{seed} salespro {name}"), dict(sizes)
    return tuple(_new(name, n, rng, pools(seed), counts, None) for n in range(counts[name]))


def _new(
    name: str,
    number: int,
    rng: random.Random,
    people: Pools,
    sizes: Mapping[str, int],
    at: datetime | None,
) -> Row:
    made = row if name in TABLES else line
    found = made(name, number, rng, people, sizes)
    at = at or moment(rng)
    write = stamp if name in TABLES else iso
    for column in ("created_at", "updated_at", "createdAt", "updatedAt"):
        if column in found:
            found[column] = write(at)
    return found


def stamp(at: datetime) -> str:
    """2024-04-12 13:12:44.767, as Athena prints a moment."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")


def iso(at: datetime) -> str:
    """2024-04-12T13:12:44.767000Z, as the files have one."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
