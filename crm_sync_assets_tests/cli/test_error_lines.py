"""Whatever a person writes amiss is one line that names it and says what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]

TOKEN = "pat-na1-00000000-aaaa-bbbb-cccc-dddddddddddd"


def refused(run: Run, words: str) -> str:
    """The one line with which this command is refused."""
    status, out, err = run(*words.split())
    assert (status, out) == (exits.USAGE, ""), err
    [line] = err.splitlines()
    assert line.startswith("crm-sync: ")
    return line


SETTINGS = [
    ("LOG_LEVEL", "LOUD", "it has to be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("PARTITIONS", "year", "it should be 'month', 'week' or 'day' (it is 'year')"),
    ("FIRST_DAY", "yesterday", "it should be a valid date"),
    ("FIRST_DAY", "2999-01-01", "it lies in the future"),
    ("SCHEDULES", "perhaps", "it should be a valid boolean"),
    ("RETENTION_DAYS", "1", "it should be greater than or equal to 7 (it is '1')"),
    ("ALERT_REPEAT_HOURS", "often", "it should be a valid number"),
    ("ALERT_SILENCE_HOURS", "-1", "it should be greater than 0"),
    ("ALERT_RATE_LIMIT_HITS", "0", "greater than or equal to 1"),
    ("ALERT_FAILURE_RATE", "2", "it should be less than 1"),
    ("ALERT_FAILURE_SYNCS", "1", "greater than or equal to 2"),
    ("DASHBOARD_URL", "board.example.com", "it has to begin with http:// or https://"),
    ("ENCRYPTION_KEYS", "secret", "`crm-sync rotate-keys --new` prints a fresh one"),
    ("WAREHOUSE_URL", "mysql://me:hunter22@host/x", "begins with mysql://: a PostgreSQL is needed"),
    ("WAREHOUSE_URL", "localhost/x", "is no database URL: write postgresql://"),
    ("HUBSPOT__PAGE_SIZE", "many", "it should be a valid integer"),
    ("HUBSPOT__RATE_WINDOWS", "fast", 'write it as JSON, like [["burst", 190, 10]]'),
    ("HUBSPOT__MODE", "harsh", "it should be 'lenient' or 'strict'"),
    ("HUBSPOT__EXCLUDE", "contactz", "did you mean 'contacts'?"),
    ("HUBSPOT__SCHEDULE", "hourly", "is no cron schedule: write five fields in UTC"),
    ("HUBSPOT__CONTACTS__SCHEDULE", "off", "that is said of a whole CRM, CRM_SYNC_HUBSPOT__SCHED"),
    ("HUBSPOT__CONTACTS__RATE_RESERVE", "0.5", "a whole CRM, CRM_SYNC_HUBSPOT__RATE_RESERVE"),
    ("HUBSPOT__CONTACTS__MAX_ATTEMPTS", "2", "a whole CRM, CRM_SYNC_HUBSPOT__MAX_ATTEMPTS"),
]


@pytest.mark.parametrize(("setting", "value", "said"), SETTINGS, ids=[s for s, _, _ in SETTINGS])
def test_a_setting_that_cannot_be_meant(
    run: Run, environment: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    environment.setenv("HUBSPOT_TOKEN", TOKEN)
    environment.setenv(f"CRM_SYNC_{setting}", value)
    line = refused(run, "hubspot contacts")
    assert f"CRM_SYNC_{setting}" in line
    assert said in line
    assert "hunter22" not in line
    assert "value error" not in line.lower()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CRM_SYNC_WARHOUSE_URL", "CRM_SYNC_WAREHOUSE_URL"),
        ("CRM_SYNC_LOG_LEVL", "CRM_SYNC_LOG_LEVEL"),
        ("CRM_SYNC_ENCRYPTION_KEY", "CRM_SYNC_ENCRYPTION_KEYS"),
        ("crm_sync_encryption_keys", "CRM_SYNC_ENCRYPTION_KEYS"),
        ("CRM_SYNC_ALERT_URL", "CRM_SYNC_ALERT_URLS"),
        ("CRM_SYNC_WAREHOUSE_URL_FLE", "CRM_SYNC_WAREHOUSE_URL_FILE"),
    ],
)
def test_a_misspelt_variable_of_ours_is_refused_by_every_command(
    run: Run, environment: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """Left out, another warehouse would be read, and nobody would be told."""
    environment.delenv("CRM_SYNC_WAREHOUSE_URL")
    environment.setenv(name, "x")
    for words in ("history", "hubspot contacts", "migrate"):
        assert f"{name}: no variable is called that; did you mean {meant}?" in refused(run, words)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HUBSPOT_TOKN", "HUBSPOT_TOKEN"),
        ("hubspot_token", "HUBSPOT_TOKEN"),
        ("HUBSPOT_TOKEN_FIL", "HUBSPOT_TOKEN_FILE"),
        ("HUBSPOT_BASE_ULR", "HUBSPOT_BASE_URL"),
        ("HUBSPOT_PIPELINE_OBJECT", "HUBSPOT_PIPELINE_OBJECTS"),
        ("ZIPCODES_OWNR", "ZIPCODES_OWNER"),
    ],
)
def test_a_misspelt_variable_of_a_crm(
    run: Run, environment: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    if "TOK" not in meant:
        environment.setenv("HUBSPOT_TOKEN", TOKEN)
    environment.setenv(name, "somethingsecret")
    line = refused(run, "hubspot contacts")
    assert f"{name}: no variable is called that; did you mean {meant}?" in line
    status, out, _ = run("doctor", "hubspot")
    assert status == exits.FAILED
    assert f"did you mean {meant}?" in out
    assert "somethingsecret" not in line + out


def test_a_variable_whose_right_name_is_given_too_is_another_programs(
    run: Run, environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    environment.setenv("HUBSPOT_TOKENS", "x")
    assert run("hubspot", "owners", "--quiet")[0] == exits.SUCCESS


@pytest.mark.parametrize("name", ["HUBSPOT_ACCESS_TOKEN", "HUBSPTO_TOKEN", "HUBSPOT_PAT"])
def test_what_is_set_and_read_by_nobody_is_named_where_something_is_missing(
    run: Run, environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(name, TOKEN)
    line = refused(run, "hubspot contacts")
    assert "HUBSPOT_TOKEN is not set" in line
    assert f"nothing reads what is set: {name}" in line
    assert TOKEN not in line


@pytest.mark.parametrize("crm", registry.names())
def test_a_crm_whose_credentials_are_missing(run: Run, crm: str) -> None:
    line = refused(run, f"{crm} all")
    assert f"{crm.upper()}_" in line
    assert "is not set: give " in line
    assert "in the environment or in .env" in line


ADDRESSES = [
    (crm.name, variable.name)
    for crm in registry.crms().values()
    for variable in crm.variables
    # GitHub's are read by an entity alone.
    if variable.name.endswith(("_BASE_URL", "_OAUTH_URL")) and "GITHUB" not in variable.name
]


@pytest.mark.parametrize(("name", "address"), ADDRESSES, ids=[a for _, a in ADDRESSES])
@pytest.mark.parametrize("value", ["htp:/example.com", "ftp://example.com", "https://"])
def test_an_address_that_is_none(
    run: Run, environment: pytest.MonkeyPatch, name: str, address: str, value: str
) -> None:
    ways = ("", "OAuth") if address.endswith("_OAUTH_URL") else ("", "token")
    for variable in registry.crm(name).variables:
        if variable.required and variable.way in ways:
            environment.setenv(variable.name, "abc123abc123")
    environment.setenv(address, value)
    line = refused(run, f"{name} all")
    assert address in line
    assert "write it like " in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("contacts", "write `crm-sync five9 contacts` or `crm-sync hubspot contacts`"),
        ("deals", "write `crm-sync hubspot deals` or `crm-sync pipedrive deals`"),
        ("contcts", "did you mean `crm-sync five9 contacts` or `crm-sync hubspot contacts`"),
        ("hubspot.contacts", "write `crm-sync hubspot contacts`"),
        ("hubspot/contcts", "write `crm-sync hubspot contacts`"),
        ("dev --port=99999", "99999 is no port: give one up to 65535, 0 takes a free one"),
        ("sandbox --port=-1", "-1 is no port"),
        ("dashboard --port=99999", "99999 is no port"),
        ("verify contacts", "no CRM is called 'contacts': it is an entity of five9 and of hubspot"),
        ("verify hubspot", "say which entity of hubspot: "),
        ("refresh hubspot", "say which entity of hubspot: "),
        ("refresh hubspot contcts", "did you mean 'contacts'?"),
        ("entities contacts", "it is an entity of five9 and of hubspot"),
        ("doctor calls", "it is an entity of callrail and of hubspot"),
        ("health hubspto", "did you mean 'hubspot'?"),
        ("history --entity=contcts", "did you mean 'contacts'?"),
        ("blind-index hubspot contcts email", "did you mean 'contacts'?"),
        ("blind-index hubspot contacts emial", "has no sensitive column 'emial'"),
        ("quarantine list --entity=contcts", "did you mean 'contacts'?"),
        ("quarantine show --id=999", "the quarantine holds no record 999: `crm-sync quarantine"),
        ("quarantine replay --id=999", "the quarantine holds no record 999"),
        ("quarantine show --id=9 --crm=hubspot", "the quarantine holds no record 9 of hubspot"),
    ],
)
def test_a_name_that_there_is_not(run: Run, words: str, said: str) -> None:
    assert said in refused(run, words)


def test_the_number_of_an_entry_leads_to_its_record(run: Run, warehouse: Warehouse) -> None:
    """The list shows both numbers, and only one of them is the record's id."""
    with warehouse.connection() as connection, connection.transaction():
        connection.execute(
            "INSERT INTO ingestion_quarantine (crm_source, sync_type, record_id, stage, reason, "
            "payload) VALUES ('hubspot', 'emails', '4711', 'parse', 'why', '{}')"
        )
        [number] = connection.execute("SELECT id FROM ingestion_quarantine").fetchone() or [0]
    line = refused(run, f"quarantine show --id {number}")
    assert f"its entry {number} is about record 4711: --id 4711" in line
    assert run("quarantine", "list", "--id", str(number))[0] == exits.SUCCESS


def test_a_state_folder_that_cannot_be_made(run: Run, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("CRM_SYNC_WAREHOUSE_URL")
    for folder in ("/proc/crm_sync", "/etc/hostname"):
        environment.setenv("CRM_SYNC_HOME", folder)
        line = refused(run, "history")
        assert f"the state folder {folder} cannot be made or written" in line
        assert "set CRM_SYNC_HOME to a folder that can" in line


def test_a_working_folder_that_is_gone(
    run: Run, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    environment.chdir(gone)
    gone.rmdir()
    for words in ("history", "hubspot contacts", "doctor"):
        status, out, err = run(*words.split())
        assert status in (exits.USAGE, exits.FAILED)
        assert "the working folder cannot be told" in out + err, words
        assert "unexpected" not in out + err


def test_an_address_without_its_scheme_where_nobody_speaks_tls(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HUBSPOT_BASE_URL", sandbox.env()["HUBSPOT_BASE_URL"].split("//")[1])
    status, _, err = run("hubspot", "owners", "--quiet")
    assert status == exits.FAILED
    assert "Nobody speaks TLS there: if that is right, the base URL is http://" in err


@pytest.mark.parametrize("words", ["hubspot zipcodes", "hubspot owners zipcodes"])
def test_what_an_entity_of_its_own_needs_is_missing(
    run: Run, environment: pytest.MonkeyPatch, warehouse: Warehouse, words: str
) -> None:
    """Nothing is read or written, and no other entity is synced before it is found out."""
    environment.setenv("HUBSPOT_TOKEN", TOKEN)
    assert "hubspot.zipcodes: ZIPCODES_OWNER is not set: give " in refused(run, words)
    with warehouse.connection() as connection:
        rows = connection.execute("SELECT count(*) FROM ingestion_sync_history").fetchone()
    assert rows == (0,)


@pytest.mark.parametrize("words", ["callrail tags", "callrail tags users"])
def test_an_account_that_the_key_does_not_see(
    run: Run, sandbox: Sandbox, environment: pytest.MonkeyPatch, words: str
) -> None:
    environment.setenv("CALLRAIL_ACCOUNT_IDS", "ACC0")
    status, _, err = run(*words.split(), "--quiet")
    assert status == exits.USAGE
    [line] = err.splitlines()
    assert "CALLRAIL_ACCOUNT_IDS names ACC0, which these credentials do not see: there are" in line


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CRM_SYNC_HUBSPOT__SCHEDULE", "99 * * * *", "is no cron schedule"),
        ("CRM_SYNC_HUBSPOT__CONTACTS__PAGE_SIEZ", "1", "did you mean 'page_size'?"),
    ],
)
def test_dev_refuses_what_its_processes_would_fail_on(
    run: Run, environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv(name, value)
    line = refused(run, "dev")
    assert name in line
    assert said in line
