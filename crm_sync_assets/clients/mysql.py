"""How a session on somebody's MySQL or MariaDB begins, and what a URL may say of it.

The server's own settings decide how a statement is read, when it is cut short and what a value
looks like. All of that is set before anything is asked, so before SQLAlchemy looks at the server.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import sqlalchemy as sa

from crm_sync_assets.errors import FatalError, SyncError, UsageError
from crm_sync_assets.told import cause, setting_up

CONNECT_SECONDS = 10
_PATIENCE_SECONDS = 15
"""The server's own limit comes first and says so; this one is for a server that is silent."""

SESSION = (
    "SET NAMES utf8mb4",
    # 8 bytes of 1s: no row of an answer is left out. Idle times are long, as between two pages.
    "SET sql_mode = '', time_zone = '+00:00', sql_select_limit = 18446744073709551615, "
    "sql_big_selects = 1, sql_auto_is_null = 0, div_precision_increment = 4, "
    "max_sort_length = GREATEST(@@max_sort_length, 4096), "
    "net_read_timeout = 600, net_write_timeout = 600, wait_timeout = 28800",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
)

DISABLED, PREFERRED, REQUIRED = "disabled", "preferred", "required"
VERIFY_CA, VERIFY_IDENTITY = "verify_ca", "verify_identity"

_MODES = {
    "disabled": DISABLED, "disable": DISABLED,
    "preferred": PREFERRED, "prefer": PREFERRED, "allow": PREFERRED,
    "required": REQUIRED, "require": REQUIRED, "trust": REQUIRED, "skip_verify": REQUIRED,
    "verify_ca": VERIFY_CA,
    "verify_identity": VERIFY_IDENTITY, "verify_full": VERIFY_IDENTITY,
    "true": REQUIRED, "1": REQUIRED, "yes": REQUIRED, "on": REQUIRED,
    "false": DISABLED, "0": DISABLED, "no": DISABLED, "off": DISABLED,
}  # fmt: skip
_STRICTNESS = (DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY)

# Spellings without their _ and -, as MySQL, MariaDB, JDBC, SQLAlchemy, Django and Go have them.
_MODE = {"sslmode", "usessl", "ssl", "tls", "usetls"}
_SWITCHES = {
    "requiressl": REQUIRED, "ssldisabled": DISABLED,
    "verifyservercertificate": VERIFY_CA, "sslverifycert": VERIFY_CA,
    "sslverifyservercert": VERIFY_IDENTITY, "sslverifyidentity": VERIFY_IDENTITY,
    "sslcheckhostname": VERIFY_IDENTITY,
}  # fmt: skip
_FILES = {
    "sslca": "ca", "sslrootcert": "ca", "serversslcert": "ca",
    "sslcapath": "capath", "sslcert": "cert", "sslkey": "key",
}  # fmt: skip
_SOCKET = {"unixsocket", "socket", "localsocket"}
_IGNORED = {"charset", "characterencoding", "useunicode"}
"""The session is utf8mb4 whatever they say; the server translates."""

_KNOWN = "ssl_mode, ssl_ca, ssl_cert, ssl_key, unix_socket, connect_timeout, charset"


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says, as `pymysql.connect` takes it."""

    arguments: Mapping[str, Any]
    variable: str
    where: str

    def connect(self, seconds: float) -> Any:
        """A session for reading, whose statements may take so long.

        Raises pymysql.Error, and FatalError where no server or network is to blame.
        """
        try:
            connection = pymysql.connect(
                **self.arguments,
                read_timeout=seconds + _PATIENCE_SECONDS,
                write_timeout=seconds + _PATIENCE_SECONDS,
            )
        except (pymysql.Error, SyncError):
            raise
        except Exception as error:
            said = cause(error)
            helped = ". Install it with: pip install 'pymysql[rsa,ed25519]'"
            missing = "package is required" in said
            raise FatalError(
                f"{self.where} cannot be connected to: {said}{helped if missing else ''}. "
                f"Check {self.variable}"
            ) from error
        try:
            _begin(connection, seconds)
        except BaseException:
            connection.close()
            raise
        return connection


def _begin(connection: Any, seconds: float) -> None:
    with connection.cursor() as cursor:
        if "mariadb" in str(connection.get_server_info()).lower():
            cursor.execute("SET max_statement_time = %s", (seconds,))
        else:
            cursor.execute("SET max_execution_time = %s", (int(seconds * 1_000),))
        for statement in SESSION:
            cursor.execute(statement)


def address(url: sa.URL, variable: str) -> Address:
    """Raises UsageError for a parameter that is not known, or names a file that is not there."""
    arguments: dict[str, Any] = {
        "host": url.host,
        "port": url.port or 3306,
        "user": url.username,
        # As text the driver would take it for Latin-1.
        "password": (str(url.password) if url.password is not None else "").encode(),
        "database": url.database,
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "program_name": "crm_sync_assets",
        "autocommit": True,
    }
    modes: list[str] = []
    files: dict[str, str] = {}
    for name, given in url.query.items():
        value = given if isinstance(given, str) else given[-1]
        key = name.lower().replace("_", "").replace("-", "")
        setting = f"{variable}: {name}"
        if key in _MODE:
            modes.append(_mode(value, setting))
        elif key in _SWITCHES:
            modes += [_SWITCHES[key]] if _is_on(value, setting) else []
            if key == "sslcheckhostname" and not _is_on(value, setting):
                modes.append(VERIFY_CA)
        elif key in _FILES:
            files[_FILES[key]] = _path(value, setting)
        elif key in _SOCKET:
            arguments["unix_socket"] = value
        elif key == "connecttimeout":
            # JDBC's is in milliseconds.
            arguments["connect_timeout"] = _seconds(value, setting, 1_000 if "T" in name else 1)
        elif key not in _IGNORED:
            raise UsageError(f"{variable}: '{name}' is not understood; there are: {_KNOWN}")
    arguments |= _encryption(modes, files, variable)
    return Address(arguments, variable, url.render_as_string(hide_password=True))


def _encryption(modes: list[str], files: Mapping[str, str], variable: str) -> dict[str, Any]:
    if not modes and not files:
        # What the driver does by itself: encrypted where the server can.
        return {}
    if DISABLED in modes:
        return {"ssl_disabled": True}
    trusts = "ca" in files or "capath" in files
    mode = max(modes, key=_STRICTNESS.index) if modes else VERIFY_IDENTITY
    if mode == PREFERRED and not files:
        return {}
    if trusts and mode in (PREFERRED, REQUIRED):
        mode = VERIFY_CA
    elif not trusts and not modes:
        mode = REQUIRED
    with setting_up(f"{variable}: the certificates of {', '.join(files) or mode}"):
        context = ssl.create_default_context(cafile=files.get("ca"), capath=files.get("capath"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == VERIFY_IDENTITY
        if mode == REQUIRED:
            context.verify_mode = ssl.CERT_NONE
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"))
    return {"ssl": context}


def _mode(value: str, setting: str) -> str:
    mode = _MODES.get(value.lower().replace("-", "_"))
    if mode is None:
        raise UsageError(
            f"{setting} is '{value}', want DISABLED, PREFERRED, REQUIRED, VERIFY_CA or "
            "VERIFY_IDENTITY"
        )
    return mode


def _is_on(value: str, setting: str) -> bool:
    if value.lower() not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        raise UsageError(f"{setting} is '{value}', want true or false")
    return value.lower() in ("true", "1", "yes", "on")


def _path(value: str, setting: str) -> str:
    path = Path(value).expanduser()
    if not path.exists():
        raise UsageError(f"{setting} names the file {value}, which is not there")
    return str(path)


def _seconds(value: str, setting: str, parts: int) -> float:
    try:
        seconds = int(value) / parts
    except ValueError:
        raise UsageError(f"{setting} is '{value}', want a number") from None
    return max(1.0, seconds)
