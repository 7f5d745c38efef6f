"""The variables of a CRM are data, and they are all that its code reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from crm_sync_assets.cli.entities import read_from_environment, with_crms
from crm_sync_assets.clients.csvfiles.source import CsvFile
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.gsheet.sources import Sheet
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import is_named
from crm_sync_assets.declarations.variables import Variable, missing, optional
from crm_sync_assets.operations.doctor import examine
from crm_sync_assets.settings import SECRET_ENDINGS
from crm_sync_assets_tests.scripted import CRM

ROOT = Path(__file__).parents[2]
READS = {"get", "require", "base_url"}
A_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")

VARIABLES = (
    Variable("TEST_TOKEN", "A token …", secret=True, way="token"),
    Variable("TEST_USER", "… or a user.", way="user"),
    Variable("TEST_PASSWORD", "… or a user.", secret=True, way="user"),
    Variable("ZONE_OF_IT", "Its zone.", example="America/New_York"),
    optional("TEST_BASE_URL", "Where it is.", "https://test.example"),
)
OWN = replace(CRM, variables=VARIABLES)


def read_by(crm: str) -> Iterator[str]:
    """The names that the code of a CRM gives to what reads the environment, or declares."""
    declared = f"crm_sync_assets.crms.{crm}.api"
    for one in vars(import_module(declared)).values() if find_spec(declared) else ():
        if isinstance(one, Api):
            yield from (variable.name for variable in one.variables)
    if (webhooks := registry.crm(crm).webhooks) is not None:
        yield from (variable.name for variable in webhooks.variables)
        yield from (variable.name for group in webhooks.setup.needs for variable in group)
    for entity in registry.entities(crm):
        if isinstance(entity.source, Rest) and entity.source.each and entity.source.each.only:
            yield entity.source.each.only
        if isinstance(entity.source, Sheet):
            yield entity.source.spreadsheet
        if isinstance(entity.source, CsvFile):
            yield entity.source.variable
    named = _named(crm)
    for path in (ROOT / "crm_sync_assets" / "crms" / crm).rglob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Name) and path.stem != "variables" and call.id in named:
                yield named[call.id]
            if not isinstance(call, ast.Call):
                continue
            if getattr(call.func, "attr", getattr(call.func, "id", None)) not in READS:
                continue
            for argument in call.args:
                value = (
                    constants.get(argument.id)
                    if isinstance(argument, ast.Name)
                    else getattr(argument, "value", None)
                )
                if isinstance(value, str) and A_VARIABLE.fullmatch(value):
                    yield value


def _named(crm: str) -> dict[str, str]:
    """The variables that a CRM's code asks for by the name of their declaration."""
    declared = f"crm_sync_assets.crms.{crm}.variables"
    found = vars(import_module(declared)) if find_spec(declared) else {}
    return {name: one.name for name, one in found.items() if isinstance(one, Variable)}


@pytest.mark.parametrize("crm", registry.names())
def test_a_crm_declares_what_its_code_reads_and_nothing_else(crm: str) -> None:
    assert set(read_by(crm)) == {variable.name for variable in registry.crm(crm).variables}


@pytest.mark.parametrize("crm", registry.names())
def test_what_is_secret_is_known_to_the_redaction_by_its_name(crm: str) -> None:
    known = (*SECRET_ENDINGS, "_DATABASE_URL")
    for variable in registry.crm(crm).variables:
        assert variable.name.endswith(known) is variable.secret, variable.name


def test_the_example_environment_is_what_the_declarations_make_of_it() -> None:
    text = (ROOT / ".env.example").read_text()
    crms = list(registry.crms().values())
    assert with_crms(text, crms) == text
    changed = with_crms(text, [*crms, OWN])
    assert changed != text
    assert "# … or a user.\n#TEST_USER=\n#TEST_PASSWORD=\n# Its zone." in changed
    assert "#ZONE_OF_IT=America/New_York\n" in changed
    assert "#TEST_BASE_URL=https://test.example\n" in changed
    assert with_crms(changed, crms) == text


def test_the_page_of_entities_lists_them() -> None:
    lines = read_from_environment(OWN)
    assert "| `TEST_TOKEN` | A token … | required with token |" in lines
    assert "| `ZONE_OF_IT` | Its zone. | required |" in lines
    assert "| `TEST_BASE_URL` | Where it is. | `https://test.example` |" in lines
    assert read_from_environment(CRM) == []


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ((), ["TEST_TOKEN", "ZONE_OF_IT"]),
        (("TEST_TOKEN",), ["ZONE_OF_IT"]),
        (("TEST_TOKEN_FILE", "ZONE_OF_IT"), []),
        (("TEST_USER",), ["TEST_PASSWORD", "ZONE_OF_IT"]),
        (("TEST_USER", "TEST_PASSWORD", "ZONE_OF_IT"), []),
        (("TEST_USER", "TEST_TOKEN", "ZONE_OF_IT"), []),
    ],
)
def test_one_way_is_enough(
    monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], lacking: list[str]
) -> None:
    for name in given:
        monkeypatch.setenv(name, "x")
    assert [variable.name for variable in missing(VARIABLES)] == lacking


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("TEST_TOKEN", True),
        ("TEST_TOKEN_FILE", True),
        ("ZONE_OF_IT", True),
        ("TEST_BASE_URL", True),
        ("TEST_TOKN", True),
        ("TESTING", False),
    ],
)
def test_a_crm_is_named_by_what_it_requires_and_by_all_that_bears_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, named: bool
) -> None:
    assert not is_named(OWN)
    monkeypatch.setenv(name, "x")
    assert is_named(OWN) is named


def test_the_doctor_says_which_are_set_and_which_are_missing_and_no_value(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("GENIUS_DB_HOST", "db.example")
    environment.setenv("GENIUS_DB_PASSWORD", "hunter22")
    found = {finding.what: finding for finding in examine(["genius"])}["Genius variables"]
    assert (found.grade, found.detail) == (
        "wrong",
        "set: GENIUS_DB_HOST, GENIUS_DB_PASSWORD; "
        "missing: GENIUS_DB_NAME, GENIUS_DB_USER, GENIUS_TIME_ZONE",
    )
    assert "hunter22" not in str(found)
