"""A session on MySQL or MariaDB is ours whatever its server, its URL and its login are like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest
import sqlalchemy as sa

from crm_sync_assets.cli import exits, main
from crm_sync_assets.clients import mysql
from crm_sync_assets.clients.sql.database import Database, parsed_url
from crm_sync_assets.crms.genius.client import database_url
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.settings import environment as settings
from crm_sync_assets_tests.mariadb import MARIADBD, MariaDB, mariadb, mysql_database

__all__ = ["mariadb", "mysql_database"]

SETTINGS = SyncSettings(timeout_seconds=5, max_attempts=2)
Open = Callable[..., Database]


@pytest.fixture
def start() -> Iterator[Open]:
    databases: list[Database] = []

    def start(url: str) -> Database:
        databases.append(
            Database(url, SETTINGS, variable="GENIUS_DATABASE_URL", sleep=lambda _: None)
        )
        return databases[-1]

    yield start
    for database in databases:
        database.close()


@pytest.fixture
def reader(mariadb: MariaDB, mysql_database: str) -> str:
    """The URL of a user who is no administrator: what a server says at the start is for them."""
    mariadb.execute(
        "CREATE OR REPLACE USER reader IDENTIFIED BY 'pw'",
        f"GRANT SELECT ON {mysql_database}.* TO reader",
        "CREATE TABLE thing (id INT PRIMARY KEY, at TIMESTAMP NULL, name VARCHAR(9))",
        "INSERT INTO thing SELECT seq, '2025-01-01 10:00:00', 'é' FROM seq_1_to_200",
        database=mysql_database,
    )
    return mariadb.url(mysql_database, "reader", "pw")


def ask(database: Database, statement: str) -> Any:
    return database.rows(sa.text(statement), "test", Usage())


HOSTILE = [
    ("sql_mode", "'ANSI_QUOTES'"),
    ("sql_mode", "'MSSQL'"),
    ("sql_mode", "'ORACLE'"),
    ("sql_mode", "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE'"),
    ("sql_mode", "'TRADITIONAL,ONLY_FULL_GROUP_BY,NO_UNSIGNED_SUBTRACTION'"),
    ("time_zone", "'-07:00'"),
    ("sql_select_limit", "3"),
    ("max_join_size", "1"),
    ("sql_big_selects", "0"),
    ("group_concat_max_len", "4"),
    ("net_write_timeout", "1"),
    ("net_read_timeout", "1"),
    ("wait_timeout", "1"),
    ("interactive_timeout", "1"),
    ("max_statement_time", "0.001"),
    ("innodb_lock_wait_timeout", "1"),
    ("lock_wait_timeout", "1"),
    ("tx_isolation", "'SERIALIZABLE'"),
    ("tx_read_only", "1"),
    ("autocommit", "0"),
    ("completion_type", "CHAIN"),
    ("character_set_client", "latin1"),
    ("character_set_connection", "latin1"),
    ("character_set_results", "latin1"),
    ("collation_connection", "latin1_swedish_ci"),
    ("character_set_server", "latin1"),
    ("init_connect", "'SET NAMES latin1, sql_select_limit = 3'"),
    ("old_mode", "'ZERO_DATE_TIME_CAST'"),
    ("sql_safe_updates", "1"),
    ("sql_auto_is_null", "1"),
    ("div_precision_increment", "0"),
    ("max_allowed_packet", "1024"),
    ("max_sort_length", "64"),
    ("read_only", "1"),
    ("lc_time_names", "'de_DE'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_the_servers_settings_change_nothing(
    name: str, value: str, mariadb: MariaDB, reader: str, start: Open
) -> None:
    (before,) = mariadb.execute(f"SELECT @@GLOBAL.{name}")[0]
    mariadb.execute(f"SET GLOBAL {name} = {value}")
    try:
        database = start(reader)
        columns = database.columns("thing", "test", Usage())
        assert {c.name: c.type for c in columns.values()} == {
            "id": "int", "at": "timestamp", "name": "varchar",
        }  # fmt: skip
        table = sa.table("thing", sa.column("id"), sa.column("at"), sa.column("name"))
        statement = sa.select(table).where(table.c.name == "é").order_by(table.c.id)
        rows = database.rows(statement, "test", Usage())
        assert [row[0] for row in rows] == list(range(1, 201))
        assert {(str(row[1]), row[2]) for row in rows} == {("2025-01-01 10:00:00", "é")}
        assert ask(database, "SELECT @@sql_mode, @@time_zone, @@autocommit")[0] == (
            "", "+00:00", 1,
        )  # fmt: skip
        assert ask(database, "SELECT @@wait_timeout >= 600, @@max_sort_length >= 4096")[0] == (1, 1)
    finally:
        restored = f"'{before}'" if isinstance(before, str) else before
        mariadb.execute(f"SET GLOBAL {name} = {restored}")


# Passwords and logins


@pytest.mark.parametrize("password", ["pä$$", "пароль", "p@ss:/?#%", "日本 語", "100%"])
@pytest.mark.parametrize("plugin", ["mysql_native_password", "ed25519"])
def test_any_password_works(
    password: str, plugin: str, mariadb: MariaDB, mysql_database: str, start: Open
) -> None:
    if plugin == "ed25519":
        mariadb.execute("INSTALL PLUGIN IF NOT EXISTS ed25519 SONAME 'auth_ed25519'")
    mariadb.execute(
        f"CREATE OR REPLACE USER somebody IDENTIFIED VIA {plugin} USING PASSWORD('{password}')",
        f"GRANT SELECT ON {mysql_database}.* TO somebody",
    )
    encoded = mariadb.url(mysql_database, "somebody", quote(password, safe=""))
    assert ask(start(encoded), "SELECT CURRENT_USER()")[0][0] == "somebody@%"
    if password.isalpha():
        plain = mariadb.url(mysql_database, "somebody", password)
        assert ask(start(plain), "SELECT 1")[0][0] == 1
    with pytest.raises(FatalError, match="refuses the login"):
        ask(start(encoded.replace(":" + quote(password, safe=""), ":wrong")), "SELECT 1")


def test_a_password_of_its_own_variable_may_be_anything(
    mariadb: MariaDB, mysql_database: str, start: Open, environment: pytest.MonkeyPatch
) -> None:
    password = "пä$$@:/%41 #"
    mariadb.execute(
        f"CREATE OR REPLACE USER somebody IDENTIFIED BY '{password}'",
        f"GRANT SELECT ON {mysql_database}.* TO somebody",
    )
    for name, value in {
        "HOST": "127.0.0.1", "PORT": str(mariadb.port), "NAME": mysql_database,
        "USER": "somebody", "PASSWORD": password,
    }.items():  # fmt: skip
        environment.setenv(f"GENIUS_DB_{name}", value)
    assert ask(start(database_url(settings())), "SELECT CURRENT_USER()")[0][0] == "somebody@%"


def test_a_login_that_the_driver_has_not_is_named(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(**_: Any) -> Any:
        raise pymysql.OperationalError(
            2059, "Authentication plugin 'b'auth_gssapi_client'' not configured"
        )

    monkeypatch.setattr(pymysql, "connect", connect)
    with pytest.raises(FatalError, match="wants a login that this driver has not") as caught:
        ask(start("mysql://somebody:pw@host/db"), "SELECT 1")
    assert "auth_gssapi_client" in str(caught.value)
    assert "GENIUS_DATABASE_URL" in str(caught.value)


def test_a_missing_helper_library_is_named(
    mariadb: MariaDB, mysql_database: str, start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb.execute(
        "INSTALL PLUGIN IF NOT EXISTS ed25519 SONAME 'auth_ed25519'",
        "CREATE OR REPLACE USER somebody IDENTIFIED VIA ed25519 USING PASSWORD('pw')",
    )
    monkeypatch.setattr("pymysql._auth._nacl_bindings", False)
    for name in [n for n in sys.modules if n.partition(".")[0] == "nacl"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nacl", None)
    with pytest.raises(FatalError, match=r"pip install 'pymysql\[rsa,ed25519\]'") as caught:
        ask(start(mariadb.url(mysql_database, "somebody", "pw")), "SELECT 1")
    assert "GENIUS_DATABASE_URL" in str(caught.value)


# What a URL says


@pytest.mark.parametrize(
    "said",
    ["ssl-mode=REQUIRED", "ssl_mode=required", "sslMode=REQUIRED", "sslmode=require", "useSSL=true",
     "ssl=true", "ssl=1", "requireSSL=true", "tls=skip-verify", "SSL-MODE=Required"],
)  # fmt: skip
def test_required_is_understood_and_refused_by_a_server_without_tls(
    said: str, reader: str, start: Open
) -> None:
    with pytest.raises(FatalError, match="no encrypted connection to") as caught:
        ask(start(f"{reader}?{said}"), "SELECT 1")
    assert "ssl_mode" in str(caught.value)
    assert "GENIUS_DATABASE_URL" in str(caught.value)


@pytest.mark.parametrize(
    "said",
    ["ssl-mode=PREFERRED", "sslmode=prefer", "ssl-mode=DISABLED", "sslmode=disable",
     "useSSL=false", "ssl=0", "charset=latin1", "connect_timeout=3", "connectTimeout=3000",
     "characterEncoding=UTF-8", "useUnicode=true"],
)  # fmt: skip
def test_what_needs_no_tls_is_understood(said: str, reader: str, start: Open) -> None:
    assert ask(start(f"{reader}?{said}"), "SELECT 1")[0][0] == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("ssl_ca=/nowhere/ca.pem", "ssl_ca names the file /nowhere/ca.pem, which is not there"),
        ("ssl-cert=/nowhere/c.pem", "ssl-cert names the file"),
        ("sslkey=/nowhere/k.pem", "sslkey names the file"),
        (f"ssl_ca={__file__}", "the certificates of ca: "),
        ("ssl-mode=SOMETIMES", "ssl-mode is 'SOMETIMES', want DISABLED"),
        ("requireSSL=perhaps", "requireSSL is 'perhaps', want true or false"),
        ("connect_timeout=soon", "connect_timeout is 'soon', want a number"),
        ("allowPublicKeyRetrieval=true", "'allowPublicKeyRetrieval' is not understood"),
        ("serverTimezone=UTC", "'serverTimezone' is not understood"),
        ("init_command=DROP", "'init_command' is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(said: str, message: str) -> None:
    with pytest.raises(UsageError, match="GENIUS_DATABASE_URL") as caught:
        mysql.address(parsed_url(f"mysql://me:pw@h/db?{said}", "X"), "GENIUS_DATABASE_URL")
    assert message in str(caught.value)


def test_the_command_line_and_the_doctor_say_so_in_one_line(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("GENIUS_DATABASE_URL", "mysql://me:pw@h/db?ssl_ca=/nowhere/ca.pem")
    environment.setenv("GENIUS_TIME_ZONE", "UTC")
    assert main(["genius", "divisions"]) == exits.USAGE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "GENIUS_DATABASE_URL: ssl_ca names the file /nowhere/ca.pem" in said
    assert main(["doctor", "genius"]) == exits.FAILED
    out = capsys.readouterr().out
    assert "✗ Genius: not set up: GENIUS_DATABASE_URL: ssl_ca names the file" in out


# TLS


@pytest.fixture(scope="module")
def tls() -> Iterator[tuple[MariaDB, Path]]:
    """A MariaDB with a certificate for `localhost`, and the folder of its authority's."""
    openssl = shutil.which("openssl")
    if MARIADBD is None or openssl is None:
        message = "no mariadbd and openssl here"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="mariadb_tls_", ignore_cleanup_errors=True) as home:
        folder = Path(home)
        ca = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
        for command in (
            ["req", "-x509", *ca, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ours"],
            ["req", "-x509", *ca, "-keyout", "no.key", "-out", "no.pem", "-subj", "/CN=other"],
            ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", "s.key", "-out", "s.csr",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            ["x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "s.pem",
             "-days", "2", "-CAcreateserial", "-copy_extensions", "copy"],
        ):  # fmt: skip
            subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True)
        server = MariaDB(
            folder, MARIADBD, f"--ssl-cert={folder}/s.pem", f"--ssl-key={folder}/s.key"
        )
        try:
            server.start()
            server.execute("CREATE DATABASE genius")
            yield server, folder
        finally:
            server.stop()


def cipher(database: Database) -> str:
    return str(ask(database, "SHOW STATUS LIKE 'Ssl_cipher'")[0][1])


@pytest.mark.parametrize(
    ("host", "said", "encrypted"),
    [
        ("127.0.0.1", "ssl-mode=REQUIRED", True),
        ("127.0.0.1", "useSSL=true", True),
        ("127.0.0.1", "ssl_mode=VERIFY_CA&ssl_ca={ca}", True),
        ("127.0.0.1", "ssl-mode=REQUIRED&ssl-ca={ca}", True),
        ("127.0.0.1", "ssl_ca={ca}&ssl_check_hostname=false", True),
        ("localhost", "sslmode=verify-full&sslrootcert={ca}", True),
        ("localhost", "ssl_ca={ca}", True),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "ssl-mode=PREFERRED", True),
        ("127.0.0.1", "ssl-mode=DISABLED", False),
    ],
)
def test_what_is_asked_for_is_so(
    host: str, said: str, encrypted: bool, tls: tuple[MariaDB, Path], start: Open
) -> None:
    server, folder = tls
    asked = said.format(ca=folder / "ca.pem")
    database = start(f"mysql://root@{host}:{server.port}/genius?{asked}")
    assert bool(cipher(database)) == encrypted


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "ssl-mode=VERIFY_CA&ssl_ca={no}"),
        ("127.0.0.1", "ssl-mode=VERIFY_CA"),
        ("127.0.0.1", "ssl-mode=VERIFY_IDENTITY&ssl_ca={ca}"),
        ("127.0.0.1", "ssl_ca={ca}"),
    ],
)
def test_a_certificate_that_does_not_prove_it_is_refused(
    host: str, said: str, tls: tuple[MariaDB, Path], start: Open
) -> None:
    server, folder = tls
    asked = said.format(ca=folder / "ca.pem", no=folder / "no.pem")
    with pytest.raises(FatalError, match="no encrypted connection") as caught:
        ask(start(f"mysql://root@{host}:{server.port}/genius?{asked}"), "SELECT 1")
    assert "certificate verify failed" in str(caught.value)
