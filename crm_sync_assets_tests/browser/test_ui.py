"""What a person does in Dagster's UI, and whether it is true in PostgreSQL afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import httpx
import pytest
from playwright.sync_api import Page, expect

from crm_sync_assets.orchestration.partitions import partitions
from crm_sync_assets_tests.browser.conftest import FIRST_DAY, Project

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


def filled(project: Project, asset: str) -> list[str]:
    """The partitions that the catalogue shows as materialized."""
    query = """
    query($path: [String!]!) { assetNodeOrError(assetKey: {path: $path}) { ... on AssetNode {
      assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } }
      partitionKeys } } }"""
    answer = httpx.post(
        f"{project.url}/graphql",
        json={"query": query, "variables": {"path": asset.split("/")}},
        timeout=60,
    )
    node = answer.json()["data"]["assetNodeOrError"]
    ranges = [
        (one["startKey"], one["endKey"])
        for one in node["assetPartitionStatuses"]["ranges"]
        if one["status"] == "MATERIALIZED"
    ]
    return [key for key in node["partitionKeys"] if any(a <= key <= b for a, b in ranges)]


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
