"""Settings: who overrides whom, and what a mistake is answered with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crm_sync_assets.declarations.overrides import settings_for, unknown_overrides
from crm_sync_assets.errors import UsageError
from crm_sync_assets.redaction import redact
from crm_sync_assets.settings import SyncSettings, environment
from crm_sync_assets_tests.scripted import CRM, PEOPLE, THINGS


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRM_SYNC_WAREHOUSE_URL", raising=False)


def test_the_more_specific_wins_and_the_environment_beats_the_declaration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crm = replace(CRM, settings={"page_size": 10, "load_rows": 10, "max_attempts": 2})
    entity = replace(PEOPLE, settings={"load_rows": 20})
    found = settings_for(crm, entity)
    assert (found.page_size, found.load_rows, found.max_attempts) == (10, 20, 2)
    monkeypatch.setenv("CRM_SYNC_TEST__LOAD_ROWS", "30")
    monkeypatch.setenv("CRM_SYNC_TEST__PAGE_SIZE", "31")
    assert settings_for(crm, entity).load_rows == 30
    monkeypatch.setenv("CRM_SYNC_TEST__PEOPLE__LOAD_ROWS", "40")
    found = settings_for(crm, entity)
    assert (found.page_size, found.load_rows, found.max_attempts) == (31, 40, 2)
    assert settings_for(crm, THINGS).load_rows == 30
    assert settings_for(crm).load_rows == 30


def test_an_override_of_one_crm_leaves_a_crm_with_a_longer_name_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRM_SYNC_TESTING__PAGE_SIZE", "7")
    assert settings_for(CRM).page_size == 100


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("CRM_SYNC_TEST__PAGESIZE", "CRM_SYNC_TEST__PAGESIZE: .* did you mean 'page_size'"),
        (
            "CRM_SYNC_TEST__PEOPLE__LOADROWS",
            "CRM_SYNC_TEST__PEOPLE__LOADROWS: .* did you mean 'load_rows'",
        ),
        ("CRM_SYNC_TEST__XYZZY", "there are: budget_seconds"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(UsageError, match=said):
        settings_for(CRM, PEOPLE)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CRM_SYNC_TEST__PAGE_SIZE", "many"),
        ("CRM_SYNC_TEST__PAGE_SIZE", "0"),
        ("CRM_SYNC_TEST__LAG_SECONDS", "-1"),
        ("CRM_SYNC_TEST__LAG_SECONDS", "nan"),
        ("CRM_SYNC_TEST__MODE", "relaxed"),
        ("CRM_SYNC_TEST__RATE_WINDOWS", "190 per 10"),
        ("CRM_SYNC_TEST__RATE_WINDOWS", '[["burst", "x", 10]]'),
        ("CRM_SYNC_TEST__PEOPLE__MAX_FAILED_SHARE", "2"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_it_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"{variable} cannot be used") as caught:
        settings_for(CRM, PEOPLE)
    assert value.strip('[]" ')[:4] in str(caught.value) or "x" in str(caught.value)


def test_rate_windows_are_given_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_SYNC_TEST__RATE_WINDOWS", '[["burst", 190, 10], ["day", 5, 86400]]')
    assert settings_for(CRM).rate_windows == (("burst", 190, 10.0), ("day", 5, 86400.0))


def test_overrides_that_name_nothing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CRM_SYNC_TSET__PAGE_SIZE",
        "CRM_SYNC_TEST__PEOPEL__PAGE_SIZE",
        "CRM_SYNC_TEST__PEOPLE__PAGE_SIEZ",
        "CRM_SYNC_TEST__PAGE_SIZE",
        "CRM_SYNC_TEST__PEOPLE__PAGE_SIZE",
    ):
        monkeypatch.setenv(name, "5")
    found = "\n".join(sorted(unknown_overrides({"test": CRM}, {"test.people": PEOPLE})))
    assert found.splitlines() == [
        "CRM_SYNC_TEST__PEOPEL__PAGE_SIZE: test has no entity 'peopel'; did you mean 'people'?",
        "CRM_SYNC_TEST__PEOPLE__PAGE_SIEZ: there is no setting 'page_siez'; "
        "did you mean 'page_size'?",
        "CRM_SYNC_TSET__PAGE_SIZE: no CRM is called 'tset'; did you mean 'test'?",
    ]


def test_a_secret_comes_from_the_variable_or_from_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("from-the-file\n")
    monkeypatch.setenv("TEST_TOKEN_FILE", str(tmp_path / "token"))
    assert environment().get("TEST_TOKEN") == "from-the-file"
    assert environment().require("TEST_TOKEN", "a token") == "from-the-file"
    monkeypatch.setenv("TEST_TOKEN", "from-the-variable")
    assert environment().get("TEST_TOKEN") == "from-the-variable"
    monkeypatch.setenv("TEST_TOKEN", "")
    assert environment().get("TEST_TOKEN") == "from-the-file"


def test_of_several_secrets_in_one_variable_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_WEBHOOK_KEY", "of-the-first,of-the-second,short")
    assert environment().get("TEST_WEBHOOK_KEY")
    assert redact("a of-the-first b of-the-second c short") == "a *** b *** c short"


def test_a_secret_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN_FILE", "/nowhere/token")
    with pytest.raises(UsageError, match="TEST_TOKEN_FILE points to /nowhere/token"):
        environment().get("TEST_TOKEN")


def test_a_missing_secret_says_what_to_give() -> None:
    with pytest.raises(UsageError, match="TEST_TOKEN is not set: give the token of an app"):
        environment().require("TEST_TOKEN", "the token of an app")


def test_the_environment_beats_the_dotenv_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "TEST_TOKEN=from-env\nCRM_SYNC_LOG_LEVEL=DEBUG\nCRM_SYNC_TEST__PAGE_SIZE=9\n"
    )
    assert environment().get("TEST_TOKEN") == "from-env"
    assert environment().log_level == "DEBUG"
    assert settings_for(CRM).page_size == 9
    monkeypatch.setenv("TEST_TOKEN", "from-the-environment")
    monkeypatch.setenv("CRM_SYNC_TEST__PAGE_SIZE", "11")
    assert environment().get("TEST_TOKEN") == "from-the-environment"
    assert settings_for(CRM).page_size == 11


def test_a_bad_variable_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_SYNC_FIRST_DAY", "the first")
    with pytest.raises(UsageError, match="CRM_SYNC_FIRST_DAY cannot be used"):
        environment()


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        SyncSettings().page_size = 5  # type: ignore[misc]


def test_the_environment_is_read_anew_when_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment()
    assert environment() is before
    monkeypatch.setenv("CRM_SYNC_LOG_LEVEL", "DEBUG")
    assert environment().log_level == "DEBUG"
    monkeypatch.delenv("CRM_SYNC_LOG_LEVEL")
    assert environment().log_level == before.log_level
