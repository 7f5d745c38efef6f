"""Variables that look like a CRM's, and that nothing reads: misspelt, or somebody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.variables import YEAR
from crm_sync_assets.errors import UsageError
from crm_sync_assets.nearest import misspelt, nearest
from crm_sync_assets.settings import variables

ALMOST = 0.9
"""How alike two whole names are where even the CRM's is misspelt: HUBSPTO_TOKEN."""


def refuse_misspelt(crm: Crm) -> None:
    """Raises UsageError for a variable that is meant for one of the CRM's, which is not given.

    Where that one is given, too, be it empty, the other is another program's.
    """
    given, known = variables(), _known(crm)
    for name in given:
        for head in _heads(crm):
            spelled = _without_its_year(name)
            close = misspelt(spelled, head, known) if name.upper().startswith(head) else None
            if close is not None and close not in given:
                raise UsageError(f"{name}: no variable is called that; did you mean {close}?")


def unread(crm: Crm) -> list[str]:
    """Variables that are set, that nothing reads, and that somebody may mean for the CRM's."""
    known = _known(crm)
    set_ones = (name for name, value in variables().items() if value)
    others = [name for name in set_ones if _without_its_year(name) not in known]
    heads = tuple(_heads(crm))
    return [one for one in others if one.startswith(heads) or nearest(one, known, ALMOST)]


def _without_its_year(name: str) -> str:
    """As a variable is declared of which there is one for each year."""
    return re.sub(r"(?<=_)\d{4}(?=_)", YEAR, name)


def _known(crm: Crm) -> list[str]:
    return [name for v in crm.variables for name in (v.name, f"{v.name}_FILE")]


def _heads(crm: Crm) -> Iterator[str]:
    """How the names of variables begin that are this CRM's alone; GITHUB_ is everybody's."""
    yield f"{crm.name.upper()}_"
    for entity in sorted({name for variable in crm.variables for name in variable.needed_by}):
        yield f"{entity.upper()}_"
