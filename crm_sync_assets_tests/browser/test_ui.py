"""What a person does in Dagster's UI, and whether it is true in PostgreSQL afterwards."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import httpx
import pytest
from playwright.sync_api import Page, expect

from crm_sync_assets.orchestration.asset_checks import CHECKS
from crm_sync_assets.orchestration.partitions import partitions
from crm_sync_assets_tests.browser.conftest import FIRST_DAY, PATIENCE, Project

KEYS = list(partitions("month", FIRST_DAY).get_partition_keys())

# Three processes and a browser have to start, on a machine that may be busy.
pytestmark = pytest.mark.timeout(300)


def materialize(page: Page, project: Project, asset: str, *, keys: str | None = None) -> None:
    """Click through the asset's dialog: the latest partition, or the keys given."""
    page.goto(f"{project.url}/assets/{asset}", wait_until="domcontentloaded")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    if keys is None:
        dialog.get_by_role("button", name="Latest", exact=True).click()
    else:
        # The dialog begins with those of the last 90 days.
        dialog.get_by_text("Show all partitions").click()
        dialog.get_by_role("textbox").first.fill(keys)
        dialog.get_by_role("textbox").first.press("Enter")
    dialog.get_by_role("button", name="Launch").click()


def asked(project: Project, query: str, **variables: Any) -> Any:
    """What Dagster's API answers, which is what its pages show."""
    body = {"query": query, "variables": variables}
    answer = httpx.post(f"{project.url}/graphql", json=body, timeout=60).json()
    assert "errors" not in answer, answer
    return answer["data"]


def node(project: Project, asset: str, fields: str) -> Any:
    query = f"""query($path: [String!]!) {{
      assetNodeOrError(assetKey: {{path: $path}}) {{ ... on AssetNode {{ {fields} }} }} }}"""
    return asked(project, query, path=asset.split("/"))["assetNodeOrError"]


def filled(project: Project, asset: str) -> list[str]:
    """The partitions that the catalogue shows as materialized."""
    found = node(
        project,
        asset,
        "partitionKeys assetPartitionStatuses { "
        "... on TimePartitionStatuses { ranges { status startKey endKey } } }",
    )
    ranges = [
        (one["startKey"], one["endKey"])
        for one in found["assetPartitionStatuses"]["ranges"]
        if one["status"] == "MATERIALIZED"
    ]
    return [key for key in found["partitionKeys"] if any(a <= key <= b for a, b in ranges)]


def shown(page: Page, name: str) -> str:
    """The value of a metadata entry on the page."""
    row = page.get_by_role("row").filter(has=page.get_by_text(name, exact=True))
    return row.get_by_role("cell").nth(1).inner_text().strip()


def test_materialize_in_the_ui_fills_the_table_it_shows(page: Page, project: Project) -> None:
    materialize(page, project, "hubspot/divisions")
    (row,) = project.history("sync_type = 'divisions' AND status <> 'running'")
    assert row["status"] == "success"
    assert row["watermark"] is not None
    page.goto(f"{project.url}/runs/{row['run_id']}", wait_until="domcontentloaded")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    page.goto(f"{project.url}/assets/hubspot/divisions?view=events", wait_until="domcontentloaded")
    expect(page.get_by_text("dagster/row_count")).to_be_visible()
    ((stored,),) = project.rows("SELECT count(*) FROM hubspot_division WHERE deleted_at IS NULL")
    assert stored > 0
    assert shown(page, "dagster/row_count") == str(stored)
    assert shown(page, "records_processed_by_this_run") == str(row["records_processed"])
    expect(page.get_by_text(f"{datetime.now(UTC):%Y-%m-01}").first).to_be_visible()
    # The first sync read everything, so no partition is missing.
    assert filled(project, "hubspot/divisions") == KEYS


def test_what_was_synced_is_fresh_checked_and_in_a_graph(page: Page, project: Project) -> None:
    materialize(page, project, "hubspot/companies")
    project.history("sync_type = 'companies' AND status = 'success'")
    info = "freshnessStatusInfo { freshnessStatus }"
    deadline = time.monotonic() + PATIENCE
    while True:
        seen = node(project, "hubspot_tables/companies", info)["freshnessStatusInfo"]
        if seen and seen["freshnessStatus"] == "HEALTHY":
            break
        assert time.monotonic() < deadline, seen
        time.sleep(0.5)
    page.goto(f"{project.url}/assets/hubspot/companies?view=checks", wait_until="domcontentloaded")
    for name in CHECKS:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    checks = node(
        project,
        "hubspot/companies",
        "assetChecksOrError { ... on AssetChecks { checks { "
        "name executionForLatestMaterialization { status } } } }",
    )["assetChecksOrError"]["checks"]
    assert {one["name"] for one in checks} == set(CHECKS)
    endings = {one["executionForLatestMaterialization"]["status"] for one in checks}
    assert endings == {"SUCCEEDED"}
    page.goto(f"{project.url}/assets/hubspot/deals?view=lineage", wait_until="domcontentloaded")
    for group in ("hubspot_crm", "hubspot_reference"):
        expect(page.get_by_text(group).first).to_be_visible()
    parents = node(project, "hubspot/deals", "dependencyKeys { path }")["dependencyKeys"]
    assert {"/".join(one["path"]) for one in parents} == {
        "hubspot_api/deals",
        "hubspot_tables/owners",
    }


def test_a_failed_step_leads_with_our_reason(page: Page, project: Project) -> None:
    day = "2026-13-45"
    started = asked(
        project,
        """mutation($selector: JobOrPipelineSelector!, $config: RunConfigData!) {
          launchRun(executionParams: {selector: $selector, runConfigData: $config}) {
            __typename ... on LaunchRunSuccess { run { runId } } } }""",
        selector={
            "repositoryName": "__repository__",
            "repositoryLocationName": node(
                project, "hubspot/deals", "repository { location { name } }"
            )["repository"]["location"]["name"],
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": ["hubspot", "deals"]}],
        },
        config={"ops": {"hubspot__deals": {"config": {"start_date": day}}}},
    )["launchRun"]
    page.goto(f"{project.url}/runs/{started['run']['runId']}", wait_until="domcontentloaded")
    said = page.get_by_text(f"hubspot.deals: '{day}' is not a date: write it as YYYY-MM-DD")
    expect(said.filter(visible=True).first).to_be_visible(timeout=1000 * PATIENCE)


def test_a_backfill_of_several_months_is_one_run_over_a_window(
    page: Page, project: Project
) -> None:
    first, second, end = KEYS[-3:]
    materialize(page, project, "hubspot/tickets", keys=f"[{first}...{second}]")
    (row,) = project.history("sync_type = 'tickets' AND status <> 'running'")
    assert (row["status"], row["watermark"]) == ("success", None)
    given = row["configuration"]
    assert (given["start_date"], given["end_date"]) == (first, end)
    outside = project.rows(
        "SELECT count(*) FROM hubspot_ticket WHERE hs_lastmodifieddate < %s "
        "OR hs_lastmodifieddate >= %s",
        first,
        end,
    )
    assert outside == [(0,)]
    assert filled(project, "hubspot/tickets") == [first, second]


def test_the_daemons_sensor_mirrors_a_report_from_outside(project: Project) -> None:
    with dg.DagsterInstance.from_config(str(project.dagster_home)) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(dg.AssetKey(["hubspot", "products"]))
        )
    (row,) = project.history("sync_type = 'products'")
    assert (row["endpoint"], row["status"], row["watermark"]) == ("mirrored", "success", None)


def test_the_dashboard_runs_beside_it_and_shows_what_was_synced(
    page: Page, project: Project
) -> None:
    materialize(page, project, "hubspot/line_items")
    project.history("sync_type = 'line_items' AND status = 'success'")
    page.goto(f"{project.board_url}/#hubspot/line_items", wait_until="domcontentloaded")
    expect(page.get_by_role("status")).to_have_text("Shown: hubspot.line_items, 1 synced, 30 days.")
    row = page.get_by_role("region", name="Entities").get_by_role("row", name="hubspot.line_items")
    expect(row).to_contain_text("fresh")
