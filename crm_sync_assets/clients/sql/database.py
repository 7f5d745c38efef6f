"""Rows from a SQL database somebody else owns: read-only sessions in UTC, retries, clear errors.

MySQL and MariaDB are what this is for; PostgreSQL works the same way. A statement runs on its own
(autocommit), takes no lock, and is asked again on a new connection when the old one breaks: the
caller's keyset says where to go on.
"""

from __future__ import annotations

import codecs
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from crm_sync_assets.clients import mysql
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import (
    FatalError,
    Forbidden,
    Unauthorized,
    Unavailable,
    Unknown,
    UsageError,
)
from crm_sync_assets.log import logger
from crm_sync_assets.redaction import redact
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.told import setting_up
from crm_sync_assets.warehouse import postgres

log = logger(__name__)

DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}

_MOST_WAIT_SECONDS = 30.0

# Error numbers of MySQL and MariaDB, SQLSTATEs of PostgreSQL.
_LOST = {2006, 2013, 2014, 2055, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1927}
_UNREACHABLE = {2001, 2002, 2003, 2004, 2005, 1040, 1129, 1203, 1226}
_AGAIN = {1205, 1213, 1317, 1412}
_TOO_LONG = {1969, 3024, 1028}
_DENIED_LOGIN = {1045, 1698, 1044, 1130, 1251, 1862, 1820, 3118}
_NO_PLUGIN = {2059, 2061}
_NOT_ENCRYPTED = {2026, 3159}
_NO_DATABASE = {1049}
_DENIED_TABLE = {1142, 1143, 1370}
_NO_TABLE = {1146, 1109}
_NO_COLUMN = {1054}
_NO_TEXT = "22021"
_STATES = {
    "28000": _DENIED_LOGIN, "28P01": _DENIED_LOGIN, "3D000": _NO_DATABASE,
    "42501": _DENIED_TABLE, "42P01": _NO_TABLE, "42703": _NO_COLUMN, "57014": _TOO_LONG,
    "40P01": _AGAIN, "40001": _AGAIN, "55P03": _AGAIN, "53300": _UNREACHABLE,
    "57P01": _LOST, "57P02": _LOST, "57P03": _UNREACHABLE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as the database has it: its own spelling, its data type in lower case."""

    name: str
    type: str

    @property
    def is_wall_clock(self) -> bool:
        """A date and time without a zone."""
        return self.type in ("datetime", "timestamp without time zone")

    @property
    def is_moment(self) -> bool:
        """A date and time that the database itself turns into the session's zone, UTC."""
        return self.type in ("timestamp", "timestamp with time zone")


class Database:
    """One database, and a pool of read-only sessions on it.

    `variable` is where the URL came from, for messages; the password is in none of them.
    `sleep` replaces the waiting between tries.
    """

    def __init__(
        self,
        url: str,
        settings: SyncSettings,
        *,
        variable: str = "the database's URL",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.variable = variable
        self.url = parsed_url(url, variable)
        self._settings = settings
        self._sleep = sleep
        with setting_up(variable):
            self.engine = sa.create_engine(
                self.url,
                isolation_level="AUTOCOMMIT",
                pool_size=5,
                max_overflow=20,
                pool_pre_ping=True,
                pool_recycle=1_800,
                creator=self._opener(),
            )
        self._columns: dict[str, dict[str, SourceColumn]] = {}
        self._looking = threading.Lock()
        self._ahead: timedelta | None = None

    @property
    def is_mysql(self) -> bool:
        return self.url.get_backend_name() == "mysql"

    @property
    def character_set(self) -> str:
        """What text is asked for in, whatever the columns are stored in."""
        return "UTF-8"

    @property
    def where(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    def rows(self, statement: sa.Executable, subject: str, usage: Usage) -> Sequence[Any]:
        """All rows of one bounded statement; `subject` begins every message about it.

        Raises FatalError for what another try would not change, and once tries are used up.
        """
        waited = 0.0
        for attempt in range(1, self._settings.max_attempts + 1):
            usage.add(api_calls=1)
            try:
                with self.engine.connect() as connection:
                    return connection.execute(statement).all()
            except SQLAlchemyError as error:
                code = _code(error)
                gone = code in _UNREACHABLE or code in _LOST or _is_disconnect(error)
                if not (gone or code in _AGAIN):
                    raise self._refusal(error, subject) from error
                wait = min(2.0**attempt * random.uniform(0.25, 0.5), _MOST_WAIT_SECONDS)
                waited += wait
                last = attempt == self._settings.max_attempts
                if last or waited > self._settings.budget_seconds:
                    raise Unavailable(
                        f"{subject}: the database {self.where} cannot be reached "
                        f"({_said(error)}), after {attempt} tries. Check {self.variable}, the "
                        "network and the server; the next sync goes on where this one stopped"
                    ) from error
                usage.add(retries=1)
                log.warning(
                    "%s: %s; trying again in %.1f s (try %d of %d)",
                    subject,
                    _said(error),
                    wait,
                    attempt + 1,
                    self._settings.max_attempts,
                )
                self._sleep(wait)
        raise AssertionError("unreachable")

    def columns(self, table: str, subject: str, usage: Usage) -> Mapping[str, SourceColumn]:
        """The table's columns by lower-case name, asked for once.

        Raises FatalError, saying what to grant, for a table that is missing or may not be read.
        """
        with self._looking:
            if table not in self._columns:
                # The database hides what may not be read; this says why it would.
                probe: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(
                    named_table(table)
                )
                self.rows(probe.limit(1), f"{subject}: table {table}", usage)
                found = self.rows(self._catalogue(table), subject, usage)
                self._columns[table] = {
                    str(_text(row[0])).lower(): SourceColumn(
                        str(_text(row[0])), str(_text(row[1])).lower()
                    )
                    for row in found
                }
            return self._columns[table]

    def note_clock(self, subject: str, usage: Usage) -> None:
        """Ask the database for its time, which `now` goes by from then on."""
        text = "SELECT UTC_TIMESTAMP(6)" if self.is_mysql else "SELECT clock_timestamp()"
        now = self.rows(sa.text(text), subject, usage)[0][0]
        moment = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
        # Counted from the end of the call: rather too early than too late.
        self._ahead = moment - datetime.now(UTC)

    def now(self) -> datetime | None:
        """The database's clock now, aware UTC; None before it was ever asked."""
        return None if self._ahead is None else datetime.now(UTC) + self._ahead

    def version(self, subject: str, usage: Usage) -> str:
        return str(_text(self.rows(sa.text("SELECT VERSION()"), subject, usage)[0][0]))

    def close(self) -> None:
        self.engine.dispose()

    # A session

    def _opener(self) -> Callable[[], Any]:
        """Opens a session of ours. Raises UsageError for what the URL says amiss."""
        seconds = self._settings.timeout_seconds
        if self.is_mysql:
            address = mysql.address(self.url, self.variable)

            def opened() -> Any:
                connection = address.connect(seconds)
                # What is no UTF-8 in a text column must not cost the whole chunk.
                connection.encoding = LENIENT
                return connection

            return opened
        url = postgres.sqlalchemy_url(self.url.render_as_string(False), self.variable)
        reading = postgres.reading(seconds)
        postgres.parameters(url, reading, variable=self.variable)
        return lambda: postgres.connect(url, reading, variable=self.variable)

    def _catalogue(self, table: str) -> sa.Select[Any]:
        schema = "DATABASE()" if self.is_mysql else "current_schema()"
        columns = sa.table(
            "columns",
            *map(sa.column, ("table_schema", "table_name", "column_name", "data_type")),
            schema="information_schema",
        )
        return sa.select(columns.c.column_name, columns.c.data_type).where(
            columns.c.table_schema == sa.literal_column(schema), columns.c.table_name == table
        )

    def _refusal(self, error: SQLAlchemyError, subject: str) -> FatalError:
        """What went wrong and what to do about it."""
        code, said = _code(error), _said(error)
        user, name = self.url.username or "the user", self.url.database or "the database"
        kind: type[FatalError] = FatalError
        if code in _DENIED_LOGIN:
            kind = Unauthorized
            advice = f"{self.where} refuses the login. Check user and password in {self.variable}"
        elif code in _NO_PLUGIN:
            advice = (
                f"{self.where} wants a login that this driver has not: give the user of "
                f"{self.variable} another plugin (caching_sha2_password, mysql_native_password, "
                "ed25519)"
            )
        elif code in _NOT_ENCRYPTED:
            advice = (
                f"no encrypted connection to {self.where} can be made. Check ssl_mode, ssl_ca, "
                f"ssl_cert and ssl_key in {self.variable}"
            )
        elif code in _NO_DATABASE:
            advice = f"{self.where} does not exist. Check the database's name in {self.variable}"
        elif code in _DENIED_TABLE:
            kind = Forbidden
            advice = f"it may not be read. GRANT SELECT ON {name}.* TO {user}, or on this table"
        elif code in _NO_TABLE:
            kind = Unknown
            advice = f"there is no such table in {self.where}. Check the name in {self.variable}"
        elif code in _NO_COLUMN:
            advice = "the table has changed; the declaration names a column it no longer has"
        elif code == _NO_TEXT:
            advice = (
                f"{self.where} holds text in an encoding that it does not name (SQL_ASCII): "
                "convert the database to UTF8"
            )
        elif code in _TOO_LONG:
            advice = (
                f"a query took longer than {self._settings.timeout_seconds:g} s. An index on the "
                "modified column makes it quick; CRM_SYNC_<CRM>__TIMEOUT_SECONDS allows more time"
            )
        else:
            advice = f"{self.where} refused a query"
        refusal = kind(f"{subject}: {advice} ({said})")
        if isinstance(refusal, Forbidden):
            refusal.grants = (f"GRANT SELECT ON {name}.* TO {user}",)
        return refusal


def parsed_url(url: str, variable: str) -> sa.URL:
    """The URL with the driver this project has. Raises UsageError for another database's."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(
            f"{variable} is no database URL: write mysql://user:password@host:3306/database, "
            "with @ : / in the password as %40 %3A %2F"
        ) from None
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise UsageError(
            f"{variable} begins with {parsed.drivername}://, which nothing here reads: "
            "write mysql://user:password@host:3306/database"
        )
    query = {k: v for k, v in parsed.query.items() if k != "charset"}
    return parsed.set(drivername=driver, query=query)


def named_table(name: str) -> sa.TableClause:
    """A table by its name, quoted whatever it is."""
    return sa.table(sa.quoted_name(name, quote=True))


def named_column(table: sa.FromClause, name: str) -> sa.ColumnClause[Any]:
    """A column of a table by its name, quoted whatever it is."""
    column: sa.ColumnClause[Any] = sa.column(sa.quoted_name(name, quote=True))
    column.table = table
    return column


def _original(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _code(error: BaseException) -> int | str | None:
    """MySQL's error number, or the one that PostgreSQL's SQLSTATE stands for."""
    original = _original(error)
    first = original.args[0] if original.args else None
    if isinstance(getattr(original, "original_exception", None), ssl.SSLError):
        return min(_NOT_ENCRYPTED)
    if isinstance(first, int):
        return first
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        numbers = _STATES.get(state) or (_LOST if state.startswith("08") else None)
        return min(numbers) if numbers else state
    text = str(original)
    if "authentication failed" in text or "no pg_hba.conf entry" in text:
        return min(_DENIED_LOGIN)
    if "does not exist" in text and "database" in text:
        return min(_NO_DATABASE)
    is_connecting = type(original).__name__ in ("OperationalError", "ConnectionTimeout")
    return min(_UNREACHABLE) if is_connecting else None


def _is_disconnect(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _said(error: BaseException) -> str:
    """The driver's words in one line, without the statement and its values."""
    original = _original(error)
    words = original.args[1] if len(original.args) > 1 else str(original)
    lines = str(words).strip().splitlines()
    number = original.args[0] if original.args and isinstance(original.args[0], int) else None
    text = redact(lines[0])[:300] if lines else type(original).__name__
    return f"{text} [{number}]" if number else text


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


LENIENT = "utf-8-lenient"
"""UTF-8 that reads a byte it does not know as half a surrogate pair, which parsing then notes."""


def _lenient(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != LENIENT:
        return None
    utf8 = codecs.lookup("utf-8")

    def decode(data: Any, _errors: str = "strict") -> tuple[str, int]:
        return utf8.decode(data, "surrogateescape")

    return codecs.CodecInfo(utf8.encode, decode, name=LENIENT)


codecs.register(_lenient)
