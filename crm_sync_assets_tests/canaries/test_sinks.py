"""Canaries everywhere, and then every sink is searched for them.

Each test is a situation. It first makes sure that the situation came about: a run that did
nothing leaks nothing.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg import sql

from crm_sync_assets.cli import exits
from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets_tests.canaries.catalogue import (
    ALL,
    BY_NAME,
    DOUBLE,
    INVALID,
    REFUSED,
    SAID,
    STORED,
    UNREADABLE,
    Person,
)
from crm_sync_assets_tests.canaries.conftest import World
from crm_sync_assets_tests.canaries.sinks import command_lines, leaks
from crm_sync_assets_tests.mariadb import MariaDB

TOKEN = BY_NAME["HUBSPOT_TOKEN"].value
GITHUB = BY_NAME["ZIPCODES_GITHUB_TOKEN"].value
COOKIE = BY_NAME["a cookie"].value
OF_A_PAGE = BY_NAME["a token of a page"].value
SEARCH = "POST .*contacts/search|GET .*objects/contacts"

Situation = Callable[[World], None]
SITUATIONS: list[Situation] = []


def situation(function: Situation) -> Situation:
    SITUATIONS.append(function)
    return function


@pytest.mark.parametrize("happens", SITUATIONS, ids=lambda one: one.__name__)
def test_no_canary_is_in_any_sink(world: World, happens: Situation) -> None:
    happens(world)
    assert world.leaks() == []


def create(world: World, person: Person, **more: str) -> str:
    contact: Any = world.sandbox.hubspot.create("contacts", person.properties(**more))
    return str(contact)


def unencrypted(world: World) -> None:
    """Without encryption, so that the database meets the values, and may speak of them."""
    world.environment.delenv("CRM_SYNC_ENCRYPTION_KEYS")


def sync(world: World, *flags: str) -> tuple[int, str]:
    return world.run("hubspot", "contacts", "--no-progress", *flags)


# What goes well, more or less


@situation
def success(world: World) -> None:
    create(world, STORED)
    create(world, INVALID, email=f"{INVALID.email}@@", phone=f"{INVALID.phone}0000")
    create(world, UNREADABLE, price=f"what {UNREADABLE.tag} pays", lead_id="x")
    status, said = sync(world, "--debug")
    assert status == exits.SUCCESS, said
    assert "q***" in said
    assert "Failed to parse" in said
    for command in (
        ["history"], ["history", "--json"], ["health"], ["health", "--json"], ["doctor"],
        ["quarantine", "list"], ["entities"], ["migrate"],
    ):  # fmt: skip
        world.run(*command)
    assert world.rows("SELECT count(*) FROM hubspot_contact WHERE lastname_bidx IS NOT NULL") >= [
        (3,)
    ]
    assert world.rows("SELECT count(*) FROM hubspot_contact WHERE lastname LIKE '%last'") == [(0,)]


@situation
def oauth(world: World) -> None:
    world.environment.delenv("HUBSPOT_TOKEN")
    create(world, STORED)
    assert sync(world, "--debug")[0] == exits.SUCCESS
    ((access,),) = world.rows("SELECT access_token FROM ingestion_oauth_token")
    world.saw("the account's name", repr(world.rows("SELECT account FROM ingestion_oauth_token")))
    for name, (text, _) in world.all_sinks().items():
        assert access not in text or name.startswith("ingestion_oauth_token."), name


@situation
def partial(world: World) -> None:
    unencrypted(world)
    refuse_in_the_database(world)
    world.environment.setenv("CRM_SYNC_HUBSPOT__CONTACTS__MODE", "strict")
    create(world, STORED)
    create(world, DOUBLE)
    create(world, DOUBLE)
    create(world, REFUSED)
    create(world, INVALID, phone=f"{INVALID.phone}0000")
    create(world, UNREADABLE, price=f"what {UNREADABLE.tag} pays")
    status, said = sync(world)
    assert status == exits.PARTIAL, said
    assert world.run("dashboard", "--output", "board.html")[0] == exits.SUCCESS
    page = Path("board.html").read_text()
    assert "hubspot.contacts" in page
    assert "drabblux" not in page
    world.saw("the dashboard", page)
    reasons = world.rows("SELECT stage, count(*) FROM ingestion_quarantine GROUP BY 1 ORDER BY 1")
    assert dict(reasons)["load"] >= 2
    assert dict(reasons).keys() == {"parse", "validate", "load"}
    assert "drabblux" in repr(world.rows("SELECT payload FROM ingestion_quarantine"))
    assert world.run("quarantine", "list")[0] == exits.SUCCESS
    assert "violates check constraint" in world.run("quarantine", "list", "--json")[1]
    shown = world.run("quarantine", "show", "--crm=hubspot", "--limit=50", shows_records=True)
    assert REFUSED.tag in shown[1].lower()
    assert world.run("quarantine", "replay", "--crm=hubspot")[0] == exits.PARTIAL
    world.run("health")


@situation
def dry_run(world: World) -> None:
    unencrypted(world)
    refuse_in_the_database(world)
    create(world, REFUSED)
    status, said = sync(world, "--dry-run", "--debug")
    assert status == exits.PARTIAL, said
    assert world.rows("SELECT count(*) FROM hubspot_contact WHERE lastname LIKE '%last'") == [(0,)]


def refuse_in_the_database(world: World) -> None:
    """What a user may add to a table; PostgreSQL's DETAIL then quotes the row."""
    assert sync(world, "--quiet")[0] == exits.SUCCESS
    world.execute(
        sql.SQL("ALTER TABLE hubspot_contact ADD CHECK (lastname <> {}) NOT VALID").format(
            sql.Literal(REFUSED.name.split()[1])
        )
    )
    world.execute(
        sql.SQL("CREATE UNIQUE INDEX ON hubspot_contact (email) WHERE email = {}").format(
            sql.Literal(DOUBLE.email)
        )
    )


# What a source may answer


@situation
def wrong_credentials(world: World) -> None:
    echo = f'{{"message": "Bearer {TOKEN} of {SAID.email} is unknown", "category": "AUTH"}}'
    world.sandbox.faults.add("", "all", status=401, body=echo)
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "check HUBSPOT_TOKEN" in said
    assert "is unknown" in said
    assert world.run("doctor", "hubspot")[0] == exits.FAILED
    assert world.run("hubspot", "all", "--quiet")[0] == exits.FAILED
    world.run("health")
    world.run("history", "--json")


@situation
def a_refused_refresh_token(world: World) -> None:
    world.environment.delenv("HUBSPOT_TOKEN")
    refresh = BY_NAME["HUBSPOT_REFRESH_TOKEN"].value
    secret = quote(BY_NAME["HUBSPOT_CLIENT_SECRET"].value)
    said = f"{refresh} of {SAID.email} is no match for {secret}"
    body = f'{{"error": "invalid_grant", "error_description": "{said}"}}'
    world.sandbox.faults.add("oauth", "all", status=400, body=body)
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "refused to refresh the OAuth token" in said
    assert "is no match for" in said


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "json"), (403, "page"), (404, "text"), (500, "json"), (503, "page")]
)
def test_no_canary_of_an_error_body_is_in_any_sink(world: World, status: int, kind: str) -> None:
    body = {
        "page": f"<html><head><script>var t='{OF_A_PAGE}'</script><title>Oops</title></head>"
        f"<body><!-- {OF_A_PAGE} --><input value='{OF_A_PAGE}'>Sorry {SAID.email} {SAID.phone}, "
        f"{quote(TOKEN)} {TOKEN.lower()}</body></html>",
        "json": f'{{"message": "{SAID.email} ({SAID.phone}) sent Bearer {TOKEN}", "context": '
        f'{{"name": ["{SAID.name}"], "address": "77 {SAID.tag}lane", "set-cookie": "{COOKIE}"}}}}',
        "text": f"x-api-key: {OF_A_PAGE}; cookie: a={COOKIE}; b={COOKIE}\n{'x' * 150}{TOKEN}",
    }[kind]
    headers = {"Set-Cookie": f"sid={COOKIE}; Path=/"}
    if kind == "page":
        headers["Content-Type"] = "text/html"
    world.sandbox.faults.add(SEARCH, "all", status=status, body=body, headers=headers)
    assert sync(world, "--debug")[0] == exits.FAILED
    ((said,),) = world.rows("SELECT error_message FROM ingestion_sync_history")
    assert str(status) in said
    assert {"page": "Sorry", "json": "sent", "text": "xxx"}[kind] in said
    assert world.leaks() == []


@situation
def a_page_of_records_cut_short(world: World) -> None:
    page = json.dumps({"results": [{"id": "1", "properties": STORED.properties()}]})
    world.sandbox.faults.add(SEARCH, "all", status=200, body=page[:-20])
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "JSON that cannot be read" in said


@situation
def a_login_page(world: World) -> None:
    page = f"<html><body>Welcome back. <a href='?token={OF_A_PAGE}'>Sign in</a></body></html>"
    world.sandbox.faults.add(
        SEARCH, "all", status=200, body=page, headers={"Content-Type": "text/html"}
    )
    status, said = sync(world)
    assert status == exits.FAILED
    assert "Welcome back" in said


@situation
def a_limit_that_names_people(world: World) -> None:
    body = f'{{"message": "{SAID.email} used it up with {TOKEN}", "policyName": "DAILY"}}'
    world.sandbox.faults.add(SEARCH, "all", status=429, body=body, retry_after=86_400)
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "deferred until" in said
    assert "used it up" in said


@situation
def a_redirect_to_another_host(world: World) -> None:
    token = BY_NAME["a token in a redirect"].value
    where = f"https://user:{token}@login.example/x?token={token}&code={token}#{token}"
    world.sandbox.faults.add(SEARCH, "all", status=302, body="", headers={"Location": where})
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "redirected to https://login.example" in said


@situation
def a_redirect_with_a_token_in_its_query(world: World) -> None:
    token = BY_NAME["a token in a query"].value
    where = f"/hubspot/elsewhere?access_token={token}&x={quote(TOKEN)}"
    world.sandbox.faults.add(SEARCH, "all", status=302, body="", headers={"Location": where})
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "/hubspot/elsewhere answered 404" in said


@situation
def a_token_that_is_no_header(world: World) -> None:
    world.environment.setenv("HUBSPOT_TOKEN", f"{TOKEN}\n{GITHUB}")
    status, said = sync(world, "--debug")
    assert status == exits.USAGE
    assert "HUBSPOT_TOKEN holds a line end" in said


@situation
def a_refused_file(world: World) -> None:
    world.sandbox.faults.add("github", "all", status=401, body=f'{{"message": "bad {GITHUB}"}}')
    status, said = world.run("hubspot", "zipcodes", "--debug", "--no-progress")
    assert status == exits.FAILED
    assert "ZIPCODES_GITHUB_TOKEN" in said
    assert "bad ***" in said


# Databases that refuse


@situation
def an_unreachable_warehouse(world: World) -> None:
    password = BY_NAME["CRM_SYNC_WAREHOUSE_URL"].value
    for url in (
        f"postgresql://me:{quote(password, safe='')}@127.0.0.1:1/x",
        # Not quoted as it ought to be.
        f"postgresql://me:{password}@127.0.0.1:1/x",
        f"postgresql://127.0.0.1:1/x?user=me&sslpassword={quote(password)}",
        f"postgresql//me:{password}@127.0.0.1/x",
        f"postgresql://me:{password}@127.0.0.1:{password}/x",
    ):
        world.environment.setenv("CRM_SYNC_WAREHOUSE_URL", url)
        for command in (
            ["hubspot", "contacts", "--debug"], ["doctor"], ["health"], ["history", "--json"],
            ["quarantine", "list"], ["migrate"],
        ):  # fmt: skip
            status, said = world.run(*command)
            assert status in (exits.FAILED, exits.USAGE), said
            assert "CRM_SYNC_WAREHOUSE_URL" in said


@situation
def a_trigger_of_the_user(world: World) -> None:
    unencrypted(world)
    assert sync(world, "--quiet")[0] == exits.SUCCESS
    world.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'no % % here', NEW.email, NEW.lastname; END $$"
    )
    world.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON hubspot_contact "
        "FOR EACH ROW WHEN (NEW.address LIKE '77 %') EXECUTE FUNCTION refuse()"
    )
    create(world, REFUSED)
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "a function in the database refused it" in said
    assert "[P0001]" in said


@pytest.mark.parametrize("how", ["password", "host", "scheme", "port", "parts"])
def test_no_canary_is_in_any_sink_when_genius_refuses(
    world: World, mariadb: MariaDB, mysql_database: str, how: str
) -> None:
    password = BY_NAME["GENIUS_DATABASE_URL"].value
    quoted = quote(password, safe="")
    mariadb.execute(f"CREATE OR REPLACE USER canary@'%' IDENTIFIED BY '{password}-not'")
    where = f"127.0.0.1:{mariadb.port}/{mysql_database}"
    url = {
        "password": f"mysql://canary:{quoted}@{where}",
        "host": f"mysql://canary:{quoted}@127.0.0.1:1/{mysql_database}",
        "scheme": f"oracle://canary:{password}@{where}",
        "port": f"mysql://canary:{quoted}@127.0.0.1:{quoted}/x",
    }
    if how == "parts":
        parts = {"HOST": "127.0.0.1", "PORT": str(mariadb.port), "NAME": mysql_database}
        for name, value in {**parts, "USER": "canary", "PASSWORD": password}.items():
            world.environment.setenv(f"GENIUS_DB_{name}", value)
    else:
        world.environment.setenv("GENIUS_DATABASE_URL", url[how])
    world.environment.setenv("GENIUS_TIME_ZONE", "UTC")
    world.environment.setenv("CRM_SYNC_GENIUS__MAX_ATTEMPTS", "1")
    for command in (["genius", "divisions", "--debug", "--no-progress"], ["doctor", "genius"]):
        status, said = world.run(*command)
        assert status in (exits.FAILED, exits.USAGE), said
        assert "GENIUS_DATABASE_URL" in said
        if how in ("password", "parts"):
            assert "Access denied for user 'canary'" in said
    assert world.leaks() == []


# Mistakes of ours, and of whoever types


@situation
def a_mistake_in_a_client(world: World) -> None:
    def broken(*_: Any) -> Any:
        try:
            raise KeyError(REFUSED.email)
        except KeyError as error:
            error.add_note(f"while reading {SAID.name}")
            raise ValueError(f"{SAID.name} of 77 {SAID.tag}lane with {TOKEN}") from error

    world.environment.setattr(HubSpot, "pages", broken)
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "ValueError at test_sinks.py:" in said


@situation
def a_mistake_in_the_command_line(world: World) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{SAID.name} with {TOKEN}")

    world.environment.setattr("crm_sync_assets.orchestration.launch.launch", broken)
    world.environment.setattr("crm_sync_assets.cli.sync.launch", broken)
    status, said = sync(world, "--debug")
    assert status == exits.FAILED
    assert "Traceback" in said
    assert "RuntimeError at test_sinks.py:" in said


@situation
def what_should_not_have_been_typed(world: World) -> None:
    for words in (
        ["hubspot", TOKEN],
        ["hubspot", "contacts", f"--start-date={TOKEN}"],
        ["hubspot", "contacts", f"--batch-size={GITHUB}"],
        ["hubspot", "contacts", f"--token={TOKEN}"],
        [TOKEN],
    ):
        assert world.run(*words)[0] == exits.USAGE
    for name in ("CRM_SYNC_FIRST_DAY", "CRM_SYNC_HUBSPOT__PAGE_SIZE", "CRM_SYNC_LOG_LEVEL"):
        with pytest.MonkeyPatch.context() as wrong:
            wrong.setenv(name, TOKEN)
            assert sync(world)[0] != exits.SUCCESS, name
            world.run("doctor")


# A process of its own


def test_no_canary_is_in_any_sink_of_a_process_that_is_terminated(
    world: World, tmp_path: Path
) -> None:
    create(world, STORED)
    world.sandbox.knobs.turn({"latency": 0.5})
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "crm_sync_assets.cli", "hubspot", "contacts", "--debug"],
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 60
            while not world.rows("SELECT 1 FROM ingestion_sync_history WHERE status = 'running'"):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.1)
            sessions = world.rows("SELECT application_name, query FROM pg_stat_activity")
            world.saw("pg_stat_activity while it runs", repr(sessions))
            world.saw("command lines", "\n".join(command_lines(process.pid)))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == exits.CANCELLED
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        world.saw("what it printed", said.read())
    (row,) = world.rows("SELECT status, error_message FROM ingestion_sync_history")
    assert row[0] == "failed"
    assert row[1].startswith("cancelled")
    assert any("crm_sync_assets" in text for text, _ in world.sinks.values())
    assert world.leaks() == []


def test_a_sandbox_prints_no_credential_of_the_environment(secrets: None) -> None:
    from crm_sync_assets.sandbox.process import sandbox

    with sandbox("--contacts", "5") as running:
        printed = f"{running.url} {running.env} {running.ask('ledger')}"
        shown = "\n".join(command_lines(running.process.pid))
    assert "crm_sync_assets.sandbox" in shown
    assert leaks({"printed": (printed, ALL), "command lines": (shown, ALL)}) == []


# The search itself


def test_what_leaks_is_found_wherever_it_is(world: World) -> None:
    """A search that finds nothing proves nothing unless it would have found something."""
    assert sync(world, "--quiet")[0] == exits.SUCCESS
    secret = BY_NAME["HUBSPOT_CLIENT_SECRET"].value
    world.execute(
        sql.SQL(
            "UPDATE ingestion_sync_history SET error_message = {}, configuration = "
            "jsonb_build_object('x', {})"
        ).format(sql.Literal(f"seen: {SAID.email}"), sql.Literal(secret))
    )
    (world.home / "dagster" / "a file").write_text(f"call {SAID.phone} about {quote(TOKEN)}")
    world.saw("a word", f"Basic {base64.b64encode(f'me:{TOKEN}'.encode()).decode()}")
    report = "\n".join(world.leaks())
    for sink, canary in (
        ("ingestion_sync_history.error_message", "email of snerkwold"),
        ("ingestion_sync_history.configuration", "HUBSPOT_CLIENT_SECRET"),
        ("dagster/a file", "phone of snerkwold"),
        ("dagster/a file", "HUBSPOT_TOKEN"),
        ("a word", "HUBSPOT_TOKEN"),
    ):
        assert f"{sink}: {canary}: …" in report
    assert SAID.tag not in report.replace(f"of {SAID.tag}", "")
    assert "hsKx7qWv" not in report
    names = set(world.all_sinks())
    assert {"pg_stat_activity", "the server's log", "ingestion_quarantine.reason"} <= names
    assert any(name.endswith("runs.db, as text") for name in names)
