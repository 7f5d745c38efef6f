"""A sheet compared with its table, row by row, and what is missing read again."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import FatalError, Refused
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.gsheet.conftest import CRM, LEADS, Bench


def verified(bench: Bench, *, repair: bool = False) -> Verification:
    entity = bench.entity(LEADS)
    settings = settings_for(CRM, entity)
    return verify(bench.warehouse, entity, bench.client, settings, repair=repair)


def test_what_is_missing_or_too_much_is_found_and_mended(bench: Bench) -> None:
    bench.sync(LEADS)
    assert verified(bench).findings == []
    with bench.warehouse.connection() as connection:
        connection.execute(
            "DELETE FROM gsheet_marketing_lead WHERE year = 2024 AND sheet_row_number < 5"
        )
        connection.execute(
            "UPDATE gsheet_marketing_lead SET row_key = '2025-nobody' "
            "WHERE year = 2025 AND sheet_row_number = 9"
        )
        connection.commit()
    found = verified(bench, repair=True)
    assert sorted(one.kind for one in found.findings) == ["extra", *["missing"] * 4]
    assert bench.wrong(LEADS) == []


def test_a_sheet_that_cannot_be_read_proves_nothing(bench: Bench) -> None:
    bench.sync(LEADS)
    bench.world.set("2024", is_trashed=True)
    with pytest.raises(FatalError, match="in the trash"):
        verified(bench, repair=True)
    assert not [row for row in bench.rows(LEADS).values() if row["deleted_at"] is not None]


def test_a_year_whose_variable_is_gone_proves_nothing(bench: Bench) -> None:
    # So few rows that a repair may delete them.
    for id in bench.world.ids(LEADS)[4:30]:
        bench.world.delete(id)
    bench.sync(LEADS)
    before = bench.rows(LEADS)
    bench.environment.delenv("GSHEET_2024_MARKETING_LEADS_ID")
    bench.connect()
    with pytest.raises(Refused, match=r"2024 .*the variable is set no more"):
        verified(bench, repair=True)
    assert bench.rows(LEADS) == before
    key = next(key for key in before if key.startswith("2024-"))
    with pytest.raises(Refused, match=r"no variable names the spreadsheet of 2024"):
        bench.by_key(bench.entity(LEADS), key)
