"""Sets compared with their tables, record by record, and a life of them that ends in the truth."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.marketsharp.conftest import CRM, DAY, ENTITIES, Bench


def verified(bench: Bench, name: str, *, repair: bool = False) -> Verification:
    entity = bench.entity(name)
    return verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=repair)


@pytest.mark.parametrize(
    ("name", "column"), [("contacts", "first_name"), ("companies", "name")], ids=str
)
@pytest.mark.parametrize("guid", [False, True], ids=["", "company with a GUID"])
def test_what_is_missing_is_found_and_read_again(
    bench: Bench, name: str, column: str, guid: bool
) -> None:
    bench.sandbox.knobs.marketsharp_guid_company = guid
    bench.sync(name)
    assert verified(bench, name).findings == []
    table, kept = bench.entity(name).table, min(len(bench.rows(name)) - 1, 3)
    with bench.warehouse.connection() as connection:
        connection.execute(f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} LIMIT 3)")  # noqa: S608
        connection.commit()
    found = verified(bench, name, repair=True)
    assert {one.kind for one in found.findings} == {"missing"}
    assert len(found.findings) == max(kept, 1)
    assert guid or bench.wrong(name) == []
    assert all(row["deleted_at"] is None for row in bench.rows(name).values())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_life_is_the_truth_after_deltas_and_all_of_it_after_a_full_read(
    bench: Bench, seed: int
) -> None:
    for entity in ENTITIES:
        bench.sync(entity.sync_type)
    for turn in range(2):
        bench.pass_time(DAY / 3)
        bench.sandbox.crms["marketsharp"].move(40, seed=10 * seed + turn)
        for entity in ENTITIES:
            assert bench.sync(entity.sync_type).status == "success"
            deletions = not entity.tracks_changes
            assert bench.wrong(entity.sync_type, deletions=deletions) == []
    for entity in ENTITIES:
        assert bench.sync(entity.sync_type, full=True).status == "success"
        assert bench.wrong(entity.sync_type) == []
