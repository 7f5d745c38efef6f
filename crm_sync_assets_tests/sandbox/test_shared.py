"""The shared part of the sandbox knows no CRM: it finds them by name."""

import re
from pathlib import Path

import pytest

from crm_sync_assets import sandbox as package
from crm_sync_assets.sandbox.crm import entries
from crm_sync_assets.sandbox.knobs import Common, Knobs

SHARED = sorted(Path(package.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", SHARED, ids=lambda module: module.stem)
def test_no_shared_module_names_a_crm(module: Path) -> None:
    names = "|".join(entry.name for entry in entries())
    assert "hubspot" in names
    assert not re.findall(names, module.read_text(), re.IGNORECASE)


def test_a_package_that_is_no_crm_is_named() -> None:
    with pytest.raises(ValueError, match=r"sandbox\.\w+: CRM must be an Entry"):
        entries(["crm_sync_assets_tests.sandbox"])


def test_a_knob_belongs_to_one_crm() -> None:
    with pytest.raises(ValueError, match="'index_lag'"):
        Knobs(Common())


def test_a_knob_that_is_unknown_is_no_attribute() -> None:
    knobs = Knobs()
    assert not hasattr(knobs, "github_limit")
    with pytest.raises(ValueError, match="unknown knobs"):
        knobs.github_limit = 1
