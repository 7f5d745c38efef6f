"""docs/downstream.md: what it shows is what works, run as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import psycopg
import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from crm_sync_assets.cli import exits
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.downstream import synced
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]

PAGE = Path(__file__).parents[1] / "docs" / "downstream.md"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.S | re.M)
    assert found
    return [str(block) for block in found]


@pytest.fixture
def synced_account(sandbox: Sandbox, run: Run) -> Sandbox:
    """An account some of whose contacts are archived, in the warehouse."""
    for contact in sandbox.hubspot.ids("contacts")[:5]:
        sandbox.hubspot.archive("contacts", contact)
    words = ["contacts", "deals", "associations_contact_deal"]
    assert run("hubspot", *words, "--quiet")[0] == exits.SUCCESS
    return sandbox


def python_of_the_page() -> dict[str, Any]:
    """What the page's project defines. Dagster reads annotations at run time, as they are there."""
    names: dict[str, Any] = {"__name__": "their_project"}
    (code,) = blocks("python")
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def test_the_page_holds(synced_account: Sandbox, run: Run, database_url: str) -> None:
    """One warehouse for all of it: a sync takes longer than what is asked of it."""
    questions, (role,) = blocks("sql")[:-1], blocks("sql")[-1:]
    answers = [_asked(run, question) for question in questions]
    live = len(synced_account.hubspot.ids("contacts"))
    assert sum(row["people"] for row in answers[0]) == live
    assert len(answers[1]) == 10
    assert all(row["email"] for row in answers[1])
    assert {row["sync_type"] for row in answers[3]} >= {"contacts", "deals"}
    gone = [row["id"] for row in _asked(run, questions[4], "--limit=1000") if row["is_gone"]]
    assert set(gone) == set(synced_account.hubspot.ids("contacts", "archived"))
    _the_pandas_asset(live)
    _the_dbt_model(run, live)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(role.encode())
        try:
            (grant, *_) = [one for one in blocks("bash") if "--grant" in one]
            assert run(*grant.split()[1:])[0] == exits.SUCCESS
            with psycopg.connect(database_url, user="metabase") as theirs:
                found = theirs.execute("SELECT count(*) FROM hubspot_contact_live").fetchone()
                assert found == (live,)
        finally:
            connection.execute("DROP OWNED BY metabase")
            connection.execute("DROP ROLE metabase")


def _asked(run: Run, question: str, *options: str) -> list[dict[str, Any]]:
    status, out, err = run("sql", question, "--json", *options)
    assert status == exits.SUCCESS, (question, err)
    rows: list[dict[str, Any]] = json.loads(out)
    return rows


def _the_pandas_asset(live: int) -> None:
    defs: dg.Definitions = python_of_the_page()["defs"]
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance)
    assert result.success
    made = result.output_for_node("people_by_month")
    assert isinstance(made, pd.DataFrame)
    assert list(made.columns) == ["createdate", "lifecyclestage", "people"]
    assert set(made["lifecyclestage"]) == {"lead", "customer"}
    assert 0 < made["people"].sum() < live


def _the_dbt_model(run: Run, live: int) -> None:
    sources = yaml.safe_load(run("entities", "--dbt")[1])["sources"]

    def source(name: str, table: str) -> str:
        (found,) = [one for one in sources if one["name"] == name]
        assert table in [one["name"] for one in found["tables"]]
        return f"{found['schema']}.{table}"

    (model,) = blocks("jinja")
    query = Environment(undefined=StrictUndefined, autoescape=False).from_string(model)
    assert len(_asked(run, query.render(source=source), "--limit=1000")) == live


def test_commands_of_the_page_are_commands() -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert lines == ["crm-sync migrate --grant metabase", "crm-sync sql --tcp"]


def test_an_entity_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'contacts'"):
        synced("hubspot.contact")
