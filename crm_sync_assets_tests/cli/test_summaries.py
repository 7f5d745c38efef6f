"""Odd values at the end of a sync: a line per field, and one value a line only with --debug."""

from __future__ import annotations

import re

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]


@pytest.fixture
def odd(sandbox: Sandbox) -> Sandbox:
    """At least twenty contacts whose phone numbers are none."""
    for one in sandbox.hubspot.ids("contacts")[:20]:
        sandbox.hubspot.edit("contacts", one, {"phone": "12"})
    return sandbox


def test_odd_values_are_one_line_per_field(run: Run, odd: Sandbox) -> None:
    status, _, err = run("hubspot", "contacts", "--no-progress")
    assert status == exits.SUCCESS, err
    [line] = [line for line in err.splitlines() if ": phone: " in line]
    assert "has too few digits" in line
    found = re.search(r"hubspot.contacts: phone: (\d+) odd values in 3\d\d records, e.g. rec", line)
    assert found, line
    assert 20 <= int(found[1]) < 60
    assert "'12'" not in err
    assert err.count("sync_issues FROM hubspot_contact") == 1
    status, out, _ = run("sql", "SELECT id FROM hubspot_contact WHERE sync_issues IS NOT NULL")
    assert status == exits.SUCCESS
    assert len(out.splitlines()) > 20


def test_debug_has_a_line_for_each_too(run: Run, odd: Sandbox) -> None:
    status, _, err = run("hubspot", "contacts", "--no-progress", "--debug", "--dry-run")
    assert status == exits.SUCCESS, err
    assert err.count("Validation warning for field 'phone'") == 20
    assert re.search(r": phone: \d+ odd values in 3\d\d records", err)
    assert "sync_issues FROM" not in err, "a dry run has no row to look at"


def test_quiet_has_none(run: Run, odd: Sandbox) -> None:
    assert run("hubspot", "contacts", "--quiet")[2] == ""
