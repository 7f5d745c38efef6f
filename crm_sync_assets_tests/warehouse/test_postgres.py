"""A session on the warehouse is what we need, whatever URL, role, database and environment say."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.clients import limits
from crm_sync_assets.clients.oauth import TableStore
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.operations.doctor import examine
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.genius.crm import beside
from crm_sync_assets.warehouse import comments, embedded
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets_tests import conftest, scripted, truth
from crm_sync_assets_tests.encrypted import NEW

URL = "CRM_SYNC_WAREHOUSE_URL"

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")

_roles = itertools.count()

HOSTILE = {
    "statement_timeout": "'2ms'",
    "idle_in_transaction_session_timeout": "'1ms'",
    "idle_session_timeout": "'1ms'",
    "transaction_timeout": "'2ms'",
    "lock_timeout": "'1ms'",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "timezone": "'America/New_York'",
    "datestyle": "'German, DMY'",
    "intervalstyle": "'iso_8601'",
    "extra_float_digits": "-5",
    "bytea_output": "escape",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "client_encoding": "'LATIN1'",
    "synchronous_commit": "off",
    "quote_all_identifiers": "on",
    "temp_tablespaces": "'nowhere'",
    "work_mem": "'64kB'",
    "jit": "on",
    "enable_hashjoin": "off",
    "enable_indexscan": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "default_toast_compression": "pglz",
    "escape_string_warning": "off",
    "client_min_messages": "debug1",
}


def with_options(url: str, *options: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options={quote(' '.join(options))}"


def as_role(url: str, name: str, password: str = "") -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{name}:{password}@{rest.rpartition('@')[2]}"


@pytest.fixture
def role(server_url: str) -> Iterator[str]:
    """The name of a role that may log in."""
    name = f"role_{os.getpid()}_{next(_roles)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {name}")


class Pooler:
    """pgbouncer before the embedded server, as it is configured."""

    def __init__(self, folder: Path, socket_folder: str, **configuration: str) -> None:
        self.folder = folder
        (folder / "users").write_text('"postgres" ""\n')
        lines = [
            "[databases]",
            f"* = host={socket_folder} port=5432 user=postgres",
            "[pgbouncer]",
            f"unix_socket_dir = {folder}",
            "listen_port = 6432",
            "listen_addr =",
            "auth_type = any",
            f"auth_file = {folder}/users",
            f"logfile = {folder}/log",
            *(f"{name} = {value}" for name, value in configuration.items()),
        ]
        (folder / "ini").write_text("\n".join(lines))
        user = []
        if os.geteuid() == 0:
            # Its socket is where only its user may go.
            user = ["-u", Path(socket_folder).owner()]
            shutil.chown(folder, user[1])
        assert PGBOUNCER is not None
        self._process = subprocess.Popen(
            [PGBOUNCER, "-q", *user, str(folder / "ini")], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not (folder / ".s.PGSQL.6432").exists():
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)

    def url(self, database_url: str) -> str:
        name = database_url.partition("?")[0].rpartition("/")[2]
        return f"postgresql://postgres@/{name}?host={self.folder}&port=6432"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture
def pooler(server_url: str, database_url: str) -> Iterator[Callable[..., str]]:
    """Starts pgbouncer; the URL of the test's database through it."""
    if PGBOUNCER is None:
        message = "no pgbouncer here: apt-get install pgbouncer"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="pgb_", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        started: list[Pooler] = []
        socket_folder = server_url.partition("host=")[2].partition("&")[0]

        def start(**configuration: str) -> str:
            started.append(Pooler(Path(home), socket_folder, **configuration))
            return started[-1].url(database_url)

        yield start
        for one in started:
            one.stop()


def settings_of(connection: psycopg.Connection[object], *names: str) -> list[str]:
    found = []
    for name in names:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        assert isinstance(row, tuple)
        found.append(str(row[0]))
    return found


OURS = ("timezone", "datestyle", "statement_timeout", "lock_timeout", "array_nulls")
OUR_VALUES = ["UTC", "ISO, MDY", "0", "30s", "on"]


@pytest.fixture
def in_schema(database_url: str, environment: pytest.MonkeyPatch) -> str:
    """A database whose only schema is `crm`; the environment's URL says so."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA crm")
        connection.execute("DROP SCHEMA public CASCADE")
    url = with_options(database_url, "-csearch_path=crm")
    environment.setenv(URL, url)
    return url


def commands(*lines: str) -> None:
    for line in lines:
        assert main(line.split()) == exits.SUCCESS, line


def test_the_search_path_of_the_url_holds_everywhere(
    in_schema: str, sandbox: Sandbox, environment: pytest.MonkeyPatch, database_url: str
) -> None:
    environment.setenv(URL, in_schema)
    environment.setenv("CRM_SYNC_HUBSPOT__PREFETCH_PAGES", "1")
    commands("hubspot all --quiet")
    sandbox.move(40, seed=3)
    commands("hubspot all --quiet", "hubspot contacts --full --quiet")
    environment.setenv("CRM_SYNC_ENCRYPTION_KEYS", NEW)
    commands(
        "rotate-keys", "verify hubspot contacts", "history", "history prune --older-than 30 --yes"
    )
    environment.delenv("CRM_SYNC_ENCRYPTION_KEYS")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relname ~ '^(hubspot|ingestion)_'"
        ).fetchall()
    assert rows == [("crm",)]


def test_the_rate_budget_and_the_tokens_follow_the_search_path(in_schema: str) -> None:
    warehouse = Warehouse(in_schema)
    migrate(warehouse)
    budget = limits.shared_budget("me", [("burst", 10, 10)], reserve=0, database_url=in_schema)
    assert budget.take(["burst"]) == 0
    budget.close()
    with TableStore(in_schema, "me", "first").locked() as slot:
        assert slot.tokens.refresh == "first"


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("pgbouncer=true", "no parameter 'pgbouncer'"),
        ("schema=crm", "options=-csearch_path%3Dcrm"),
        ("connection_limit=5", "no parameter 'connection_limit'"),
        ("pool_timeout=3", "no parameter 'pool_timeout'"),
        ("currentSchema=crm", "no parameter 'currentSchema'"),
        ("service=mine", "'service' cannot be used"),
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert names the file /nowhere/ca.pem"),
        ("client_encoding=latin1", "client_encoding, which has to be UTF8"),
        ("options=-ctimezone%3DEurope/Berlin", "timezone to Europe/Berlin, which has to be UTC"),
        ("options=-B%2010", "'-B' in its options is not understood"),
    ],
)
@pytest.mark.parametrize("command", ["migrate", "hubspot owners", "history"])
def test_a_parameter_that_postgresql_has_not_is_refused_by_name(
    parameter: str,
    said: str,
    command: str,
    database_url: str,
    sandbox: Sandbox,
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.setenv(URL, f"{database_url}&{parameter}")
    assert main(command.split()) == exits.USAGE
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert URL in err


def test_another_database_s_url_is_refused() -> None:
    with pytest.raises(UsageError, match=f"{URL} begins with mysql://"):
        Warehouse("mysql://me@host/db").checkout()


def test_limits_in_the_url_are_meant_and_kept(database_url: str) -> None:
    warehouse = Warehouse(with_options(database_url, "-c", r"work_mem=7MB", "--lock-timeout=5s"))
    with warehouse.connection() as connection:
        assert settings_of(connection, "work_mem", "lock_timeout") == ["7MB", "5s"]


def test_options_are_read_as_the_server_reads_them(database_url: str) -> None:
    warehouse = Warehouse(with_options(database_url, r"-c search_path=\"$user\",\ public"))
    with warehouse.connection() as connection:
        assert settings_of(connection, "search_path") == ['"$user", public']


def test_a_server_that_is_too_old_is_named(
    database_url: str, environment: pytest.MonkeyPatch
) -> None:
    def connect(**_: Any) -> Any:
        raise psycopg.OperationalError(
            'FATAL:  unrecognized configuration parameter "idle_session_timeout"'
        )

    with environment.context() as patched:
        patched.setattr(psycopg, "connect", connect)
        with pytest.raises(UsageError, match=r"too old: 14 or newer is needed"):
            Warehouse(database_url).checkout()


def test_the_sandbox_s_genius_beside_it_has_schemas_of_its_own(in_schema: str) -> None:
    found = beside(in_schema, "beside_it")
    with psycopg.connect(found) as connection:
        assert settings_of(connection, "search_path") == ['"$user", public']
    with psycopg.connect(in_schema, autocommit=True) as connection:
        connection.execute("DROP DATABASE beside_it WITH (FORCE)")


def test_a_search_path_without_a_schema_is_named(database_url: str) -> None:
    with pytest.raises(UsageError, match=r"no schema of the search_path \(nowhere\)"):
        Warehouse(with_options(database_url, "-csearch_path=nowhere")).checkout()


def test_the_environment_does_not_change_what_values_mean(
    database_url: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("PGTZ", "America/New_York")
    environment.setenv("PGDATESTYLE", "German")
    environment.setenv("PGCLIENTENCODING", "LATIN1")
    environment.setenv("PGOPTIONS", "-c statement_timeout=0 -c work_mem=9MB -c timezone=Asia/Tokyo")
    with Warehouse(database_url).connection() as connection:
        assert settings_of(connection, *OURS) == OUR_VALUES
        assert settings_of(connection, "work_mem", "client_encoding") == ["9MB", "UTF8"]


def test_a_service_that_does_not_exist_is_named(
    database_url: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("PGSERVICE", "nowhere")
    with pytest.raises(FatalError, match="nowhere"):
        Warehouse(database_url).checkout()


def test_what_database_and_role_set_neither_stops_nor_shifts_a_sync(
    database_url: str, sandbox: Sandbox, environment: pytest.MonkeyPatch, server_url: str
) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        name = database_url.partition("?")[0].rpartition("/")[2]
        for setting, value in HOSTILE.items():
            connection.execute(f"ALTER DATABASE {name} SET {setting} = {value}")
    hubspot = truth.HubSpotSyncs()
    try:
        hubspot.all()
        sandbox.move(40, seed=3)
        hubspot.all()
        assert truth.differences(sandbox, hubspot.warehouse, purges_seen=False) == []
        with hubspot.warehouse.connection() as session:
            assert settings_of(session, *OURS) == OUR_VALUES
            assert settings_of(session, "transaction_timeout", "synchronous_commit") == ["0", "on"]
    finally:
        hubspot.close()


@pytest.mark.parametrize("setting", ["statement_timeout = '2ms'", "transaction_timeout = '2ms'"])
def test_a_role_s_time_limit_is_lifted(
    setting: str, database_url: str, role: str, server_url: str
) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {role} SET {setting}")
    with Warehouse(as_role(database_url, role)).connection() as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(0.05)").fetchone() == (1,)


def test_a_role_that_may_not_create_is_told_what_it_lacks(
    database_url: str,
    role: str,
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    environment.setenv(URL, as_role(database_url, role))
    assert main(["migrate"]) == exits.FAILED
    err = capsys.readouterr().err
    assert "permission denied for schema public" in err
    assert "unexpected" not in err
    found = {finding.what: finding.detail for finding in examine(["hubspot"])}
    assert f"GRANT CREATE ON SCHEMA public TO {role}" in found["warehouse rights"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")


def test_a_role_that_does_not_own_a_table_syncs_into_it_and_leaves_what_it_says(
    database_url: str,
    role: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(comments, "_refused", set())
    with contextlib.closing(Warehouse(database_url)) as owners:
        scripted.sync(owners, scripted.FakeClient([scripted.person(1)]))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("COMMENT ON COLUMN test_people.name IS 'what its owner says'")
        for kind in ("TABLES", "SEQUENCES"):
            connection.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {role}")
    with contextlib.closing(Warehouse(as_role(database_url, role))) as theirs:
        for number in (2, 3):
            client = scripted.FakeClient([scripted.person(number, at=number)])
            assert scripted.sync(theirs, client).status == "success"
        assert len(scripted.people(theirs)) == 3
        assert scripted.rows(
            theirs,
            "SELECT col_description(attrelid, attnum) FROM pg_attribute "
            "WHERE attrelid = 'test_people'::regclass AND attname = 'name'",
        ) == [("what its owner says",)]
    told = [r.getMessage() for r in caplog.records if "comments of test_people" in r.getMessage()]
    assert len(told) == 1
    assert "must be owner of relation test_people" in told[0]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")


def test_a_role_whose_connections_are_used_up_is_said(
    database_url: str, role: str, server_url: str
) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    with pytest.raises(FatalError, match=r"cannot be reached: .*too many connections for role"):
        Warehouse(as_role(database_url, role)).checkout()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1252"])
def test_a_database_that_cannot_hold_every_character_is_refused(
    encoding: str, server_url: str
) -> None:
    name = f"enc_{encoding.lower()}_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE_PROVIDER libc "
            "LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
        try:
            warehouse = Warehouse(conftest.database(server_url, name))
            with pytest.raises(UsageError, match=f"is encoded as {encoding}") as caught:
                warehouse.checkout()
            assert "ENCODING 'UTF8'" in str(caught.value)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_rows_that_a_policy_hides_are_an_error(
    database_url: str, role: str, environment: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE seen (id int)")
        connection.execute("ALTER TABLE seen ENABLE ROW LEVEL SECURITY")
        connection.execute(f"GRANT ALL ON seen TO {role}")
    with (
        Warehouse(as_role(database_url, role)).connection() as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
    ):
        session.execute("SELECT count(*) FROM seen")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")


def test_the_embedded_server_heeds_nothing_that_the_environment_says_of_another(
    environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment.setenv("PGPORT", "9")
    environment.setenv("PGHOST", "nowhere.invalid")
    environment.setenv("PGDATABASE", "nowhere")
    environment.setenv("PGDATA", "/nowhere")
    environment.setenv("PGSSLMODE", "verify-full")
    environment.setenv("PGTZ", "Asia/Tokyo")
    environment.setenv("PGDATESTYLE", "German")
    with tempfile.TemporaryDirectory(prefix="crm_sync_tests_", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        with Warehouse(embedded.start(Path(home) / "postgres")).connection() as connection:
            assert settings_of(connection, *OURS) == OUR_VALUES


def test_a_pooler_that_refuses_what_a_session_says_is_explained(
    pooler: Callable[..., str],
) -> None:
    with pytest.raises(UsageError, match="ignore_startup_parameters") as caught:
        Warehouse(pooler(pool_mode="session")).checkout()
    assert "PostgreSQL's own address" in str(caught.value)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused(
    mode: str,
    pooler: Callable[..., str],
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.setenv(URL, pooler(pool_mode=mode, ignore_startup_parameters="options"))
    assert main(["migrate"]) == exits.USAGE
    err = capsys.readouterr().err
    assert "gives each transaction another session" in err
    assert URL in err


def test_a_pool_in_session_mode_works_although_it_drops_options(
    pooler: Callable[..., str],
    database_url: str,
    sandbox: Sandbox,
    environment: pytest.MonkeyPatch,
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA crm")
        connection.execute("DROP SCHEMA public CASCADE")
    url = pooler(pool_mode="session", ignore_startup_parameters="options")
    environment.setenv(URL, with_options(url, "-csearch_path=crm"))
    with Warehouse(os.environ[URL]).connection() as session:
        names = (*OURS, "search_path")
        assert settings_of(session, *names) == [*OUR_VALUES, "crm"]
    hubspot = truth.HubSpotSyncs()
    try:
        hubspot.all()
        sandbox.move(40, seed=3)
        hubspot.all()
        assert truth.differences(sandbox, hubspot.warehouse, purges_seen=False) == []
    finally:
        hubspot.close()
