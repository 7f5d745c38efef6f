"""Entities are switched off by the environment, for everybody who asks which there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for, unknown_overrides
from crm_sync_assets.errors import UsageError
from crm_sync_assets.operations.health import examine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]


def names(crm: str = "hubspot") -> list[str]:
    return [entity.sync_type for entity in registry.active(crm)]


def problems() -> list[str]:
    return unknown_overrides(registry.crms(), registry.all_entities())


@pytest.mark.parametrize("crm", registry.names())
def test_an_entity_of_any_crm_is_left_out_and_the_order_stays(
    crm: str, environment: pytest.MonkeyPatch
) -> None:
    every = names(crm)
    environment.setenv(f"CRM_SYNC_{crm.upper()}__EXCLUDE", f"{every[0]}, {every[-1].upper()}")
    if len(every) <= 2:
        with pytest.raises(UsageError, match="leave no entity"):
            names(crm)
        return
    assert names(crm) == every[1:-1]
    assert f"{crm}.{every[0]}" not in registry.all_active()
    assert f"{crm}.{every[0]}" in registry.all_entities()
    assert problems() == []
    settings_for(registry.crm(crm))


def test_only_what_is_named_is_synced(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__ENTITIES", "deals,contacts,associations")
    environment.setenv("CRM_SYNC_HUBSPOT__EXCLUDE", "associations_contact_division,contacts")
    associations = set(registry.crm("hubspot").groups["associations"])
    assert set(names()) == {"deals", *associations} - {"associations_contact_division"}
    assert registry.selection("hubspot") == registry.active("hubspot")
    assert len(registry.selection("hubspot", "associations")) == len(associations) - 1


@pytest.mark.parametrize(
    ("variable", "given", "message"),
    [
        ("EXCLUDE", "tikets", "CRM_SYNC_HUBSPOT__EXCLUDE: hubspot has no entity 'tikets'; did "
         "you mean 'tickets'?"),
        ("ENTITIES", "assocations", "did you mean 'associations'?"),
        ("ENTITES", "deals", "there is no setting 'entites'; did you mean 'entities'?"),
        ("CONTACTS__EXCLUDE", "deals", "that is said of a whole CRM"),
    ],
)  # fmt: skip
def test_what_is_misspelt_is_refused_with_the_nearest(
    variable: str, given: str, message: str, run: Run, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-something")
    environment.setenv(f"CRM_SYNC_HUBSPOT__{variable}", given)
    assert any(message in problem for problem in problems()), problems()
    status, _, err = run("hubspot", "all")
    assert (status, len(err.splitlines())) == (exits.USAGE, 1)
    assert message in err


def test_nothing_left_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__ENTITIES", "deals")
    environment.setenv("CRM_SYNC_HUBSPOT__EXCLUDE", "deals")
    with pytest.raises(UsageError, match="leave no entity of hubspot"):
        registry.active("hubspot")


@pytest.mark.parametrize(
    ("switch", "given"), [("EXCLUDE", "associations,tickets"), ("ENTITIES", "deals")]
)
@pytest.mark.parametrize("name", ["tickets", "associations", "associations_contact_deal"])
def test_what_is_off_is_refused_by_name_and_says_what_switches_it(
    switch: str, given: str, name: str, run: Run, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-something")
    environment.setenv(f"CRM_SYNC_HUBSPOT__{switch}", given)
    status, _, err = run("hubspot", name)
    assert status == exits.USAGE
    assert f"hubspot.{name} is switched off by CRM_SYNC_HUBSPOT__{switch}" in err


def test_zip_codes_leave_a_run_of_all_without_their_variable(
    environment: pytest.MonkeyPatch,
) -> None:
    zipcodes = registry.entity("hubspot.zipcodes")
    assert zipcodes not in registry.selection("hubspot")
    assert [(str(e), [v.name for v in unset]) for e, unset in registry.left_out("hubspot")] == [
        ("hubspot.zipcodes", ["ZIPCODES_OWNER"])
    ]
    assert registry.selection("hubspot", "zipcodes") == (zipcodes,)
    environment.setenv("ZIPCODES_OWNER", "acme")
    assert zipcodes in registry.selection("hubspot")
    assert registry.left_out("hubspot") == []


def test_health_asks_only_for_what_is_on_and_knows_what_was(
    warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    with warehouse.connection() as connection:
        for name in ("tickets", "deals"):
            connection.execute(
                "INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, "
                "status, error_message, reason) VALUES "
                "('hubspot', %s, now(), now(), 'failed', 'no', 'other')",
                (name,),
            )
        connection.commit()
        environment.setenv("CRM_SYNC_HUBSPOT__EXCLUDE", "tickets")
        report = examine(connection, registry.all_active(), crm=None, now=datetime.now(UTC))
    assert [str(problem) for problem in report.problems] == [
        "hubspot.deals: its newest sync failed (other): no"
    ]


def test_dagster_is_given_what_is_on(environment: pytest.MonkeyPatch) -> None:
    from crm_sync_assets.definitions import build

    environment.setenv("CRM_SYNC_HUBSPOT__EXCLUDE", "tickets")
    repository = build().get_repository_def()
    synced = {key.path[1] for key in repository.asset_graph.materializable_asset_keys
              if key.path[0] == "hubspot"}  # fmt: skip
    assert synced == {e.sync_type for e in registry.active("hubspot")}
    job = repository.get_job("hubspot_all")
    steps = {key.path[1] for key in job.asset_layer.executable_asset_keys}
    assert steps == {e.sync_type for e in registry.selection("hubspot")}
    assert not {"tickets", "zipcodes"} & steps
