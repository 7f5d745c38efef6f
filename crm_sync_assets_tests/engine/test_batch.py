"""The one way into a table, whoever takes it."""

from __future__ import annotations

from pathlib import Path

import crm_sync_assets

PACKAGE = Path(crm_sync_assets.__file__).parent
CALLS = (" load(", " soft_delete(", "quarantine.add(")
WAY_IN = {"engine/batch.py"}
OTHERS = {
    # What the source turned out not to have, marked at the end of a sync.
    "engine/ending.py": {" soft_delete("},
    # Where they are defined.
    "warehouse/loading.py": {" load("},
    "warehouse/deletions.py": {" soft_delete("},
    # What zeep calls it to fetch a document.
    "clients/soap/courier.py": {" load("},
}


def test_nobody_else_stores_sets_aside_or_marks() -> None:
    found = {
        str(path.relative_to(PACKAGE)): {call for call in CALLS if call in path.read_text()}
        for path in PACKAGE.rglob("*.py")
    }
    taken = {name: calls for name, calls in found.items() if calls and name not in WAY_IN}
    assert taken == OTHERS
    assert all(found[name] == set(CALLS) for name in WAY_IN)
