"""What is asked before several entities are synced: whether the CRM answers, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]


def requests(sandbox: Sandbox) -> Counter[str]:
    return Counter(entry.path for entry in sandbox.ledger.select())


def test_several_entities_cost_one_request_more_than_each_alone(run: Run, sandbox: Sandbox) -> None:
    for name in ("owners", "pipelines"):
        assert run("hubspot", name, "--quiet", "--full")[0] == exits.SUCCESS
    alone = requests(sandbox)
    assert run("hubspot", "owners", "pipelines", "--quiet", "--full")[0] == exits.SUCCESS
    both = requests(sandbox) - alone
    # Both share what is known of the account.
    account = next(path for path in alone if "account-info" in path)
    assert both[account] == 2
    assert both.total() <= alone.total() + 1
    assert not any("/objects/" in path for path in both), both


def test_crms_are_asked_side_by_side(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    """One that does not answer is named; it kept no other waiting."""
    sandbox.knobs.turn({"latency": 0.2})
    environment.delenv("SALESRABBIT_TOKEN")
    environment.setenv("CALLRAIL_API_KEY", "not-the-right-one")
    environment.setenv("CRM_SYNC_ARRIVY__ENTITIES", "groups,entities")
    environment.setenv("CRM_SYNC_PIPEDRIVE__ENTITIES", "stages,pipelines")
    environment.setenv("CRM_SYNC_HUBSPOT__ENTITIES", "owners,pipelines")
    for name in ("SALESRABBIT_BASE_URL", "SALESRABBIT_TOKEN"):
        environment.delenv(name, raising=False)
    status, _, err = run("all", "--quiet")
    assert status == exits.FAILED
    assert err.startswith("crm-sync: callrail: ")
    assert "CALLRAIL_API_KEY" in err
    [first, second, *_] = sandbox.ledger.select()
    assert first.crm != second.crm
