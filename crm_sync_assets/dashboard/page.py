"""The board as one page of HTML that needs nothing but itself.

The page that is served and the file that is shared are the same. Whatever comes from outside is
escaped by the template, or reaches the page as data that its script writes as text; only what is
written here may run (the policy names it by its hash).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from crm_sync_assets import __version__
from crm_sync_assets.dashboard.board import Board
from crm_sync_assets.dashboard.days import NUMBERS
from crm_sync_assets.dashboard.states import WORDS, State
from crm_sync_assets.declarations import registry
from crm_sync_assets.operations.findings import minute, shown

PERIODS = (7, 30, 90, 365)
"""Days. One that is not read yet is read when it is asked for."""
CHARTS = {
    "records": "Records a day",
    "syncs": "Syncs a day",
    "duration": "Duration of a sync",
    "requests": "API requests a day",
}
_STATIC = files(__package__) / "static"


@cache
def static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def page(board: Board, *, days_back: int, served: bool) -> str:
    """HTML, self-contained. A file offers no period that is not in it."""
    periods = [days for days in PERIODS if served or days < days_back]
    styles, chart, script = (static(n) for n in ("page.css", "chart.umd.min.js", "page.js"))
    words = Counter(state.word(board.now) for state in board.states)
    return _template().render(
        board=board,
        days_back=days_back,
        served=served,
        periods=sorted({*periods, days_back}),
        crms=_crms(board),
        words={word: words[word] for word in WORDS},
        synced=_synced(board),
        never=_never(board),
        charts=CHARTS,
        version=__version__,
        chart_version=re.search(r"Chart\.js v([\d.]+)", chart)[1],  # type: ignore[index]
        policy=_policy(styles, (chart, script)),
        css=Markup(styles),
        chart_js=Markup(chart),
        js=Markup(script),
        data=Markup(_data(board, days_back)),
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    filters: dict[str, Callable[[Any], str]] = {
        "iso": datetime.isoformat,
        "minute": minute,
        "ago": lambda since: ago(since.total_seconds()),
        "span": span,
        "number": number,
        "share": lambda value: f"{value:.1%}",
        "shown": shown,
    }
    environment.filters.update(filters)
    return environment.from_string(static("page.html"))


def number(value: float) -> str:
    """With one decimal where it is small and has some."""
    return f"{value:,.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def span(seconds: float) -> str:
    """In the unit that reads best: 40 s, 5 min, 3 h, 12 d."""
    for unit, size, least in (("d", 86400, 2), ("h", 3600, 2), ("min", 60, 2)):
        if seconds >= least * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(seconds: float) -> str:
    return f"in {span(-seconds)}" if seconds <= -1 else f"{span(seconds)} ago"


def _synced(board: Board) -> list[State]:
    """The worst first, else as they are ordered."""
    found = [state for state in board.states if state.status or state.is_running]
    return sorted(found, key=lambda state: WORDS.index(state.word(board.now)))


def _never(board: Board) -> list[str]:
    return [s.entity.name for s in board.states if not s.status and not s.is_running]


def _crms(board: Board) -> dict[str, str]:
    """Titles by name."""
    known = registry.names()
    names = dict.fromkeys(state.entity.crm for state in board.states)
    return {name: registry.crm(name).title if name in known else name for name in names}


def _data(board: Board, days_back: int) -> str:
    """What the script draws, as JSON that ends no script element."""
    names = [state.entity.name for state in board.states]
    place = {name: number for number, name in enumerate(names)}
    first = board.since.date()
    told = {
        "since": first.isoformat(),
        "days": days_back,
        "numbers": NUMBERS,
        "entities": names,
        "never": _never(board),
        "baselines": {
            state.entity.name: round(state.pace.baseline_seconds, 1)
            for state in board.states
            if state.pace is not None and state.pace.baseline_seconds is not None
        },
        "rows": [
            [
                (day.day - first).days,
                place[f"{day.crm}.{day.sync_type}"],
                *(round(getattr(day, name), 1) for name in NUMBERS),
            ]
            for day in board.days
        ],
    }
    text = json.dumps(told, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(style: str, scripts: tuple[str, ...]) -> str:
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
