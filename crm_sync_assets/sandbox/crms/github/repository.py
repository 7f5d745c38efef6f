"""The repository: one file, the zip codes, and the commits that changed it."""

import random
import threading
from collections.abc import Iterator
from typing import Any

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.github.knobs import GitHubKnobs
from crm_sync_assets.sandbox.people import DIVISIONS, END_MS, pools

OWNER, REPO, BRANCH, FILE = "example-home", "Zipcodes", "main", "zips.csv"
COLUMNS = ("zipcode", "division", "city", "county", "state")
_LFS = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 18432\n"
)

Row = dict[str, str]


def _rows(seed: int, count: int) -> list[Row]:
    rng, p = random.Random(f"{seed}/zips"), pools(seed)
    places = [(d, f"{d[5]}{n:02d}") for d in DIVISIONS for n in range(100)]
    rows = []
    for division, zipcode in sorted(
        rng.sample(places, min(count, len(places))), key=lambda x: x[1]
    ):
        city = rng.choice((rng.choice(p.cities), rng.choice(p.cities), "Peñasco", "Winston, Old"))
        county = rng.choice((rng.choice(p.last_names), "St. Mary's, Lower", ""))
        rows.append(
            dict(zip(COLUMNS, (zipcode, division[0], city, county, division[3]), strict=True))
        )
    return rows


def _quoted(value: str) -> str:
    if any(mark in value for mark in ',"\n\r'):
        return '"' + value.replace('"', '""') + '"'
    return value


class Repository:
    """The file. Operations change it by one commit each, the newest first; safe from any thread."""

    def __init__(self, stage: Stage, knobs: GitHubKnobs, zipcodes: int) -> None:
        self._clock = stage.clock
        self._knobs = knobs
        self._seed = stage.seed
        self._count = zipcodes
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """The file as it was in the beginning."""
        with self.lock:
            self._table = {row["zipcode"]: row for row in _rows(self._seed, self._count)}
            self._raw: bytes | None = None
            self.commits = [("Add zip codes", END_MS)]

    def truth(self) -> Iterator[dict[str, Any]]:
        """The rows of the file, one per zip code; the text of `replace` is not parsed."""
        with self.lock:
            rows = [dict(row) for row in self._table.values()]
        yield from rows

    def content(self) -> bytes:
        """The file's bytes, shaped by the `zip_` knobs."""
        knobs = self._knobs
        with self.lock:
            if self._raw is not None:
                return self._raw
            rows = [list(row.values()) for row in self._table.values()]
        if knobs.zip_lfs:
            return _LFS.encode()
        rows += [[row[0], f"{row[1]} (again)", *row[2:]] for row in rows[: knobs.zip_duplicates]]
        lines = [",".join(COLUMNS), *(",".join(map(_quoted, row)) for row in rows)]
        if knobs.zip_blank_lines:
            lines[3:3] = ["", ",,,,"]
        text = ("\r\n" if knobs.zip_crlf else "\n").join([*lines, ""])
        raw = text.encode("cp1252" if knobs.zip_cp1252 else "utf-8")
        return b"\xef\xbb\xbf" + raw if knobs.zip_bom else raw

    def put(self, zipcode: str, **values: str) -> None:
        """Add a row or change fields of one."""
        with self.lock:
            row = self._table.setdefault(zipcode, dict.fromkeys(COLUMNS, ""))
            row.update(values, zipcode=zipcode)
            self._commit(f"Update {zipcode}")

    def remove(self, zipcode: str) -> None:
        """Take a row out. LookupError when it is not there."""
        with self.lock:
            if zipcode not in self._table:
                raise LookupError(f"no zip code {zipcode!r}")
            del self._table[zipcode]
            self._commit(f"Remove {zipcode}")

    def replace(self, text: str | None) -> None:
        """Make the file any text; None goes back to the rows."""
        with self.lock:
            self._raw = None if text is None else text.encode()
            self._commit("Replace the file")

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random edits, additions and removals; what they were."""
        rng, p, done = random.Random(f"{self._seed}/{seed}/zips"), pools(self._seed), []
        for _ in range(n):
            zipcode, act = rng.choice(sorted(self._table)), rng.randrange(5)
            if act == 0:
                self.remove(zipcode)
            elif act == 1:
                zipcode = f"{rng.randrange(1_000, 99_999):05d}"
                self.put(zipcode, division=rng.choice(DIVISIONS)[0], city=rng.choice(p.cities))
            else:
                self.put(zipcode, city=rng.choice(p.cities), county=rng.choice(("", "Kent")))
            done.append(f"{('remove', 'add', 'edit')[min(act, 2)]} zipcode {zipcode}")
        return done

    def _commit(self, message: str) -> None:
        self.commits.insert(0, (message, self._clock.now_ms()))
