"""A role with a password for tools on this machine, in the embedded PostgreSQL."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import Unavailable
from crm_sync_assets.redaction import register_secret
from crm_sync_assets.warehouse import readers, schemas
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.embedded import SOCKET
from crm_sync_assets.warehouse.postgres import sqlalchemy_url

ROLE = "crm_sync_reader"
RULE = f"local all {ROLE} scram-sha-256"
"""Before the rule of pg_hba.conf that lets in whoever reaches the socket."""

PASSWORD_FILE = "reader.password"
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Access:
    """What a tool has to be told, beside host and port, and the socket that leads there."""

    socket: Path
    database: str
    user: str
    password: str = field(repr=False)


def prepare(warehouse: Warehouse, home: Path, entities: Iterable[Entity]) -> Access:
    """The role, with its password and rights; the password stays the same, in a file of `home`.

    Raises Unavailable when the server does not ask for it.
    """
    url = sqlalchemy_url(warehouse.url)
    folder = Path(str(url.query["host"]))
    password = _password(home / PASSWORD_FILE)
    with warehouse.connection() as connection:
        _make_role(connection, password, schemas.own_schema(warehouse.url))
        readers.grant(connection, ROLE, entities)
        _ask_for_the_password(connection, folder / "pg_hba.conf")
    access = Access(folder / SOCKET, str(url.database), ROLE, password)
    _prove(access)
    return access


def _password(path: Path) -> str:
    """That of the file, which is made for this user alone where it is missing."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(24))
    password = path.read_text().strip()
    register_secret(password)
    return password


def _make_role(connection: Connection, password: str, schema: str | None) -> None:
    role = sql.Identifier(ROLE)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    # As a hash: the server's log may quote statements.
    hidden = connection.pgconn.encrypt_password(
        password.encode(), ROLE.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT 20 PASSWORD {}").format(
            role, sql.Literal(hidden)
        )
    )
    connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
    where = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(
        role, sql.Identifier(connection.info.dbname)
    )
    path = (
        sql.SQL(" SET search_path = {}, {}").format(
            sql.Identifier(schema), sql.Identifier(schemas.internal(schema))
        )
        if schema
        else sql.SQL(" RESET search_path")
    )
    connection.execute(where + path)
    connection.commit()


def _ask_for_the_password(connection: Connection, rules: Path) -> None:
    text = rules.read_text()
    if RULE not in text.splitlines():
        # In place: the file belongs to whom the server runs as.
        with rules.open("r+") as file:
            file.write(f"{RULE}\n{text}")
    connection.execute("SELECT pg_reload_conf()")
    connection.commit()


def _prove(access: Access) -> None:
    """Wait until the server has read its rules: nobody gets in without the password."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _is_open(access):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the embedded PostgreSQL lets {access.user} in without a password: look at "
                f"pg_hba.conf in {access.socket.parent}. Nothing was opened"
            )
        time.sleep(0.05)


def _is_open(access: Access) -> bool:
    """Whether the server takes any password, and so asks for none."""
    try:
        with closing(
            psycopg.connect(
                host=str(access.socket.parent),
                port=5432,
                dbname=access.database,
                user=access.user,
                password="no password at all",
            )
        ):
            return True
    except psycopg.OperationalError as error:
        if "password" in str(error):
            return False
        raise Unavailable(f"the embedded PostgreSQL cannot be reached: {error}") from error
