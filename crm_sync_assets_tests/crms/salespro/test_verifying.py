"""SalesPro's tables held against their source, and mended; what the doctor asks."""

from __future__ import annotations

import pytest
from psycopg import sql

from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import BadRequest, FatalError, NotSet, Unauthorized, UsageError
from crm_sync_assets.operations.opening import open_client
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.salespro.conftest import CRM, ENTITIES, ORDERS, Bench


@pytest.mark.parametrize(
    "name", ["users", "customers", "lead_result_line_items", "user_activities"]
)
def test_a_row_that_is_missing_is_found_and_read_again(bench: Bench, name: str) -> None:
    bench.sync(name)
    entity = bench.entity(name)
    with bench.warehouse.connection() as connection:
        query = sql.SQL("DELETE FROM {0} WHERE ctid = (SELECT min(ctid) FROM {0})")
        connection.execute(query.format(sql.Identifier(entity.table)))
        connection.commit()
    told = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert [finding.kind for finding in told.findings] == ["missing"]
    assert bench.wrong(name) == []


def test_a_row_that_is_gone_is_found(bench: Bench) -> None:
    bench.sync("customers")
    entity, key = bench.entity("customers"), bench.world.keys("customer")[0]
    bench.world.delete("customer", key)
    told = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert [finding.kind for finding in told.findings] == ["extra"]
    assert bench.wrong("customers") == []


def test_the_jobs_of_a_form_that_cannot_be_read_are_not_repaired_away(bench: Bench) -> None:
    bench.sync("lead_result_line_items")
    entity = bench.entity("lead_result_line_items")
    estimate = next(iter(bench.rows(entity.sync_type).values()))["estimate_id"]
    bench.world.edit("lead_results", [estimate], {"lead_results": "no form"})
    told = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert told.findings == []
    assert all(row["deleted_at"] is None for row in bench.rows(entity.sync_type).values())


@pytest.mark.parametrize("name", ["offices", "users"])
def test_a_row_whose_line_has_moved_is_not_repaired_away(bench: Bench, name: str) -> None:
    bench.sync(name)
    entity = bench.entity(name)
    bench.turn(moved=1)
    told = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert told.findings == []
    assert all(row["deleted_at"] is None for row in bench.rows(name).values())


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_each_entity_is_probed_without_a_row(bench: Bench, entity: object) -> None:
    bench.turn(scanned=0)
    usage = Usage()
    bench.client.probe(entity, usage)
    assert usage.api_calls > 0


def test_a_column_that_is_missing_is_found_by_the_probe(bench: Bench) -> None:
    bench.environment.setenv("SALESPRO_CHANGED_BY", "customer=changed")
    bench.connect()
    with pytest.raises(BadRequest, match="'changed' cannot be resolved"):
        bench.client.probe(bench.entity("customers"), Usage())


def test_the_check_asks_athena_one_thing(bench: Bench) -> None:
    assert bench.client.check() == "Athena in us-east-1, database home_genius_db"
    assert bench.calls(ORDERS) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SALESPRO_ACCESS_KEY_ID": ""}, "SALESPRO_ACCESS_KEY_ID is not set"),
        ({"SALESPRO_SECRET_ACCESS_KEY": ""}, "SALESPRO_SECRET_ACCESS_KEY is not set"),
        ({"SALESPRO_S3_LOCATION": "bucket"}, "SALESPRO_S3_LOCATION is 'bucket'"),
        ({"SALESPRO_DATABASE": 'a"; DROP'}, "no name of a database"),
        ({"SALESPRO_SERVER_REGION": "evil.example/"}, "no AWS region"),
        ({"SALESPRO_CHANGED_BY": "customer"}, "no table=column"),
        ({"SALESPRO_CHANGED_BY": 'customer=a"b'}, "no table=column"),
        ({"SALESPRO_CHANGED_BY": "customers=created_at"}, "'customers' is no table that is read"),
        (
            dict.fromkeys(
                ("SALESPRO_S3_LOCATION", "SALESPRO_OFFICES_CSV", "SALESPRO_USERS_CSV"), ""
            ),
            "SALESPRO_S3_LOCATION is not set: give .*; or for files alone",
        ),
    ],
)
def test_what_is_set_amiss_is_one_line_before_anything_is_asked(
    bench: Bench, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        bench.environment.setenv(name, value)
    with pytest.raises(UsageError, match=said):
        open_client("salespro")
    assert bench.asked() == []


def test_files_alone_need_no_athena(bench: Bench) -> None:
    bench.environment.setenv("SALESPRO_S3_LOCATION", "")
    bench.environment.setenv("SALESPRO_SECRET_ACCESS_KEY", "")
    bench.connect()
    assert bench.sync("users").status == "success"
    assert "SALESPRO_USERS_CSV" in bench.client.check()
    with pytest.raises(NotSet, match="SALESPRO_S3_LOCATION is not set"):
        bench.sync("customers")


@pytest.mark.parametrize(
    "name", ["SALESPRO_SECRET_ACCESS_KEY", "SALESPRO_ACCESS_KEY_ID", "SALESPRO_SERVER_REGION"]
)
def test_a_signature_that_is_not_right_is_refused_and_no_secret_is_said(
    bench: Bench, name: str
) -> None:
    wrong = {"SALESPRO_SERVER_REGION": "us-west-2"}.get(name, "not-the-right-one-at-all")
    bench.environment.setenv(name, wrong)
    bench.connect()
    with pytest.raises(Unauthorized, match="check SALESPRO_SECRET_ACCESS_KEY") as caught:
        bench.sync("customers")
    assert "not-the-right-one" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SALESPRO_DATABASE", "elsewhere"),
        ("SALESPRO_CATALOG", "elsewhere"),
        ("SALESPRO_CHANGED_BY", "customer=created_at"),
    ],
)
@pytest.mark.parametrize("was_set", [False, True])
def test_a_setting_that_decides_what_rows_mean_does_not_change_under_them(
    bench: Bench, name: str, value: str, was_set: bool
) -> None:
    entity = bench.entity("customers")
    before, now = (value, "") if was_set else ("", value)
    bench.environment.setenv(name, before)
    bench.connect()
    told = [(one.name, one.value) for one in bench.client.meaning(entity)]
    bench.environment.setenv(name, now)
    bench.connect()
    again = [(one.name, one.value) for one in bench.client.meaning(entity)]
    assert [one for one, _ in told] == [one for one, _ in again]
    assert told != again


@pytest.mark.parametrize(
    ("name", "entity", "value"),
    [
        ("SALESPRO_DATABASE", "customers", "elsewhere"),
        ("SALESPRO_CATALOG", "customers", "elsewhere"),
        ("SALESPRO_CHANGED_BY", "customers", "customer=created_at"),
        ("SALESPRO_CHANGED_BY", "estimates", "estimate=created_at"),
    ],
)
def test_another_meaning_is_refused(bench: Bench, name: str, entity: str, value: str) -> None:
    bench.sync(entity)
    bench.environment.setenv(name, value)
    bench.connect()
    with pytest.raises(FatalError, match=name):
        bench.sync(entity)
