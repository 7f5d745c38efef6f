"""The environment, read in one place: credentials, addresses, and how each CRM is synced.

A secret NAME can also be given as NAME_FILE, a file that holds it. A setting of a CRM or an
entity is overridden by CRM_SYNC_<CRM>__<SETTING> or CRM_SYNC_<CRM>__<ENTITY>__<SETTING>.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crm_sync_assets import place
from crm_sync_assets.errors import NotSet, UsageError
from crm_sync_assets.given import cleaned, env_file, text_of
from crm_sync_assets.keyring import read_keys
from crm_sync_assets.nearest import misspelt
from crm_sync_assets.redaction import register_secret

PREFIX = "CRM_SYNC_"
PartitionUnit = Literal["month", "week", "day"]
WAREHOUSE_URL = "CRM_SYNC_WAREHOUSE_URL"
SCHEMA = "CRM_SYNC_SCHEMA"
BY_NAME = ("CRM_SYNC_ENCRYPTION_KEYS", "CRM_SYNC_ALERT_URLS", "CRM_SYNC_HEARTBEAT_URL", SCHEMA)
"""Variables of ours that are no field of `Environment`: they are asked for by name."""

INTERNAL = "_internal"
"""The end of the name of the schema beside it, which has the engine's own tables."""

_SCHEMA = re.compile(r"(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,53}")
"""What needs no quotation marks anywhere; with the end it has at most 63 characters."""


class SyncSettings(BaseModel):
    """How a CRM's or an entity's sync behaves; seconds are wall-clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page_size: int = Field(100, ge=1, le=10_000, description="records per page or chunk")
    load_rows: int = Field(5_000, ge=1, le=100_000, description="most rows of one upsert")
    prefetch_pages: int = Field(50, ge=1, le=1_000, description="pages fetched ahead of the load")
    max_attempts: int = Field(5, ge=1, le=20, description="tries of one request")
    timeout_seconds: float = Field(30.0, gt=0, le=600, description="of one request")
    budget_seconds: float = Field(900.0, gt=0, description="most waiting on limits and retries")
    lag_seconds: float = Field(0.0, ge=0, description="how late the source shows its changes")
    overlap_seconds: float = Field(
        0.0, ge=0, description="how far before the watermark a delta begins to read again"
    )
    keeps_days: float = Field(
        0.0, ge=0, description="after how many days a record is gone at the source, 0 for never"
    )
    bulk_rows: int = Field(
        50_000, ge=0, description="more rows are read by a bulk job, where there is one; 0: never"
    )
    most_scanned_mb: int = Field(
        0, ge=0, description="most megabytes that the queries of a sync may scan, 0 for any number"
    )
    rate_windows: tuple[tuple[str, int, float], ...] = Field(
        (), description="(name, requests, seconds) for each window of the account's budget"
    )
    requests_at_once: int = Field(
        0, ge=0, description="most requests of the account that run at the same time, 0 for any"
    )
    rate_reserve: float = Field(0.1, ge=0, lt=1, description="share left to the account's others")
    mode: Literal["lenient", "strict"] = Field(
        "lenient", description="strict sets aside a record whose value fails its check"
    )
    max_failed_share: float = Field(0.5, gt=0, le=1, description="more failures fail the sync")
    wait_seconds: float = Field(
        900.0, ge=0, description="how long a window waits for a running sync of its entity"
    )
    checkpoint_hours: float = Field(72.0, gt=0, description="an older checkpoint is dropped")
    fresh_hours: float = Field(26.0, gt=0, description="without a complete sync it is overdue")
    slow_factor: float = Field(3.0, gt=1, description="a sync of so many baselines is slow")
    slow_seconds: float = Field(60.0, ge=0, description="and of at least so many more seconds")
    expected_days: int = Field(
        7, ge=0, le=90, description="after so many days with records one without is odd; 0: never"
    )
    webhook_silence_hours: float = Field(
        6.0, ge=0, description="webhooks tell nothing for so long while syncs do; 0: never"
    )
    webhook_wait_hours: float = Field(
        2.0, ge=0, description="an event that waits for so long is told of; 0: never"
    )

    @field_validator("rate_windows", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        """A variable gives the windows as JSON: [["burst", 190, 10], ["search", 5, 1]]."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('write it as JSON, like [["burst", 190, 10]]') from None

    @property
    def lag(self) -> timedelta:
        return timedelta(seconds=self.lag_seconds)

    @property
    def overlap(self) -> timedelta:
        return timedelta(seconds=self.overlap_seconds)

    @property
    def keeps(self) -> timedelta | None:
        """For how long the source has a record; None for ever."""
        return timedelta(days=self.keeps_days) if self.keeps_days else None


class Environment(BaseSettings):
    """CRM_SYNC_* variables, and everything else by name through `get` and `require`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=None, env_ignore_empty=True, extra="ignore", frozen=True
    )

    warehouse_url: str | None = Field(None, repr=False)
    home: Path | None = None
    first_day: date = date(2024, 1, 1)
    partitions: PartitionUnit = "month"
    schedules: bool = False
    log_level: str = "INFO"
    dashboard_url: str | None = None
    webhooks_url: str | None = None
    retention_days: int | None = Field(None, ge=7)
    alert_repeat_hours: float = Field(24.0, gt=0)
    alert_silence_hours: float = Field(26.0, gt=0)
    alert_rate_limit_hits: int = Field(50, ge=1)
    alert_failure_rate: float = Field(0.05, gt=0, lt=1)
    alert_failure_syncs: int = Field(20, ge=2)
    alert_webhook_refusals: int = Field(10, ge=1)

    @field_validator("first_day")
    @classmethod
    def _past(cls, value: date) -> date:
        if value > datetime.now(UTC).date():
            raise ValueError("it lies in the future, so there would be no partition")
        return value

    @field_validator("dashboard_url", "webhooks_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and not re.match(r"(?i)https?://[^/]", value):
            raise ValueError("it has to begin with http:// or https://, and name a host")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        if value.upper() not in levels:
            raise ValueError(f"it has to be one of {', '.join(levels)}")
        return value

    @property
    def home_folder(self) -> Path:
        """The state folder, absolute: embedded PostgreSQL, Dagster's storage, logs.

        Unless CRM_SYNC_HOME says otherwise it is in the project's folder.
        """
        return (self.home or place.project_folder() / place.STATE).expanduser().resolve()

    def made_home(self) -> Path:
        """The state folder, made where it is missing. Raises UsageError where it cannot be."""
        folder = self.home_folder
        is_new = not folder.exists()
        made_folder(folder, "CRM_SYNC_HOME", "the state folder")
        if is_new and self.home is None:
            place.tell_of_new_home(folder)
        return folder

    @property
    def encryption_keys(self) -> tuple[str, ...]:
        """The keys of sensitive values, the newest first. Raises UsageError for what is no key."""
        return read_keys(self.get("CRM_SYNC_ENCRYPTION_KEYS"))

    @property
    def data_schema(self) -> str | None:
        """The schema of the data's tables; None leaves it to the database.

        Raises UsageError for a name that cannot be used.
        """
        name = self.get(SCHEMA)
        if name and (not _SCHEMA.fullmatch(name) or name.endswith(INTERNAL)):
            raise UsageError(
                f"{SCHEMA} is {name!r}: give a name of small letters, digits and _ with at most 54 "
                f"characters, which does not begin with pg_ or end with {INTERNAL}"
            )
        return name

    def get(self, name: str, default: str | None = None) -> str | None:
        """The variable, or the content of the file that NAME_FILE points to, or `default`."""
        value = variables().get(name)
        path = variables().get(f"{name}_FILE")
        if not value and path:
            value = text_of(Path(path).expanduser(), f"{name}_FILE points to {path}, which")
            if not value.strip():
                raise UsageError(f"{name}_FILE points to {path}, which is empty")
        if not value:
            return default
        _keep_secret(name, value)
        value = cleaned(name, value)
        _keep_secret(name, value)
        return value or default

    def require(self, name: str, what: str) -> str:
        """The variable's value; UsageError says what it is for when it is not set."""
        value = self.get(name)
        if not value:
            raise NotSet(f"{name} is not set: give {what}, in the environment or in .env")
        return value


def made_folder(folder: Path, variable: str, what: str) -> Path:
    """The folder, made where it is missing and writable. Raises UsageError naming its variable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    except OSError as error:
        at = "" if error.filename in (None, str(folder)) else f" at {error.filename}"
        raise UsageError(
            f"{what} {folder} cannot be made or written ({error.strerror}{at}): set {variable} to "
            "a folder that can"
        ) from error
    return folder


_read: tuple[Mapping[str, str], Environment] | None = None
"""The variables as they were read last, and what was made of them."""


def environment() -> Environment:
    """The current environment. Raises UsageError for a CRM_SYNC_ value that cannot be read."""
    global _read
    given = variables()
    if _read is None or _read[0] != given:
        _read = given, _environment()
    return _read[1]


def _environment() -> Environment:
    keep_secrets()
    _refuse_misspelt()
    try:
        found = Environment(**_of_env_file())
        if not found.warehouse_url:
            found = found.model_copy(update={"warehouse_url": found.get(WAREHOUSE_URL)})
        _keep_secret("WAREHOUSE_URL", found.warehouse_url or "")
        _keep_secret("ENCRYPTION_KEYS", variables().get("CRM_SYNC_ENCRYPTION_KEYS") or "")
        return found
    except ValidationError as error:
        raise UsageError(first_problem(error, lambda name: PREFIX + name.upper())) from None


def _refuse_misspelt() -> None:
    """Raises UsageError for a variable of ours that nobody reads, and that is meant for another.

    One whose nearest name is given, too, or that is like none, may be somebody else's.
    """
    given = variables()
    fields = {PREFIX + name.upper() for name in Environment.model_fields}
    known = {*fields, *BY_NAME, *(f"{name}_FILE" for name in (WAREHOUSE_URL, *BY_NAME))}
    for name in given:
        if not name.upper().startswith(PREFIX) or "__" in name or name.upper() in fields:
            continue
        close = misspelt(name, PREFIX, known)
        if close is not None and close not in given:
            raise UsageError(f"{name}: no variable is called that; did you mean {close}?")


def _of_env_file() -> dict[str, Any]:
    """Fields as .env has them, where the environment itself has nothing."""
    given = {name.upper() for name in os.environ}
    fields = {f"{PREFIX}{field.upper()}": field for field in Environment.model_fields}
    return {
        fields[name.upper()]: value
        for name, value in _dotenv(place.project_folder() / place.DOTENV).items()
        if value and name.upper() in fields and name.upper() not in given
    }


SECRET_ENDINGS = ("_TOKEN", "_SECRET", "_PASSWORD", "_KEY", "_KEYS", "_SERVICE_ACCOUNT")
LEAST_SECRET = 8
"""Characters. A shorter value of any variable with such a name may be a word of its own."""
_SECRET_PARAMETERS = ("password", "passwd", "secret", "token", "apikey", "api_key")


def keep_secrets() -> None:
    """Keep what the environment holds out of messages that quote what was typed or set amiss."""
    for name, value in variables().items():
        if len(value) >= LEAST_SECRET:
            _keep_secret(name, value)


def _keep_secret(name: str, value: str) -> None:
    """Keep a secret, or what is secret in a URL, out of every log line from here on."""
    if name.endswith(SECRET_ENDINGS):
        register_secret(value)
        for part in (one.strip() for one in value.split(",")):
            if name.endswith("_KEYS") or len(part) >= LEAST_SECRET:
                register_secret(part)
    elif "://" in value:
        rest = value.split("://", 1)[1]
        heads = [rest.split("/", 1)[0]]
        if name.endswith(("DATABASE_URL", "WAREHOUSE_URL")):
            # A slash or a question mark in the password, though it ought to be quoted.
            heads += [rest, rest.rpartition("?")[0]]
        for head in heads:
            user, _, password = head.rpartition("@")[0].partition(":")
            if password != user:
                register_secret(password)
                register_secret(unquote(password))
        for parameter, given in parse_qsl(rest.partition("?")[2]):
            if parameter.lower().endswith(_SECRET_PARAMETERS):
                register_secret(given)


def variables() -> Mapping[str, str]:
    """Environment variables over the values of .env."""
    return {**_dotenv(place.project_folder() / place.DOTENV), **os.environ}


@lru_cache(maxsize=8)
def _dotenv(path: Path) -> dict[str, str]:
    return env_file(path)


def first_problem(error: ValidationError, variable: Any) -> str:
    """The first of what is wrong, by the name that `variable` makes of a field's."""
    problem = error.errors()[0]
    name = variable(str(problem["loc"][0]))
    secret = name.endswith((*SECRET_ENDINGS, "_URL"))
    found = "" if secret else f" (it is {problem['input']!r})"
    wrong = problem["msg"].removeprefix("Value error, ")
    if wrong.startswith("Input should "):
        wrong = f"it should {wrong.removeprefix('Input should ')}"
    return f"{name} cannot be used: {wrong[:1].lower()}{wrong[1:]}{found}"
