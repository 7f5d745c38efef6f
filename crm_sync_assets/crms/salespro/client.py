"""SalesPro's client: tables that Athena is asked for, and files from where they are said to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from crm_sync_assets.clients import addresses
from crm_sync_assets.clients.athena.account import Athena
from crm_sync_assets.clients.athena.dialect import AthenaDialect
from crm_sync_assets.clients.athena.service import Settings
from crm_sync_assets.clients.athena.signing import Keys, Signed
from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.clients.athena.sql import is_name
from crm_sync_assets.clients.csvfiles import reading as csv
from crm_sync_assets.clients.csvfiles.places import File, is_address, opened
from crm_sync_assets.clients.csvfiles.source import CsvFile
from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.limits import Budget, account_key
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.crms.salespro import variables
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import NotSet, UsageError
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets.settings import Environment, SyncSettings

RESULTS = "athena-results/"
PATH = "path"
CATALOG = "AwsDataCatalog"
"""Athena's own, which counts where none is named."""
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


class SalesPro(RestAccount):
    """Pages of the tables and files that the environment names. The options are those of
    `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("salespro", environment, settings, **options)
        get = environment.get
        region = get("SALESPRO_SERVER_REGION") or str(variables.REGION.default)
        if not _REGION.fullmatch(region):
            raise UsageError(f"SALESPRO_SERVER_REGION is '{region[:80]}', which is no AWS region")
        usual = f"https://athena.{region}.amazonaws.com"
        base = addresses.base_url(environment, "SALESPRO_BASE_URL", usual)
        output, files = get("SALESPRO_S3_LOCATION"), ("SALESPRO_OFFICES_CSV", "SALESPRO_USERS_CSV")
        if not output and not any(map(get, files)):
            raise NotSet(
                f"SALESPRO_S3_LOCATION is not set: give {variables.S3_LOCATION.about}; or for "
                f"files alone {' and '.join(files)}, in the environment or in .env"
            )
        self._athena = self._opened_athena(base, region, output) if output else None

    # -- reading ---------------------------------------------------------------------------------

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of a query's result, or of a file's lines."""
        source = read.entity.source
        if isinstance(source, Table):
            return self._tables(read.entity).pages(read, source, usage)
        return self._lines(read, usage)

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every row with its key and when it changed; every line of a file."""
        source = read.entity.source
        if isinstance(source, Table):
            return self._tables(read.entity).outline(read, source, usage)
        return self._lines(_of_everything(read), usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These records as they are now; a file is read whole for it."""
        source = read.entity.source
        if isinstance(source, Table):
            return self._tables(read.entity).by_key(read, source, keys, usage)
        return asked_for(self._lines(_of_everything(read), usage), read.entity, keys)

    def probe(self, entity: Entity, usage: Usage) -> None:
        """Ask a table for its columns and for no row; open a file and look at its headers."""
        source = entity.source
        if isinstance(source, Table):
            self._tables(entity).probe(entity, source, usage)
            return
        file_source = _file_source(entity)
        with self._file(entity, file_source, None, usage) as file:
            csv.probe(entity, file_source, file)

    def _lines(self, read: Read, usage: Usage) -> Iterator[Page]:
        source, given = _file_source(read.entity), read.options.get(PATH)
        with self._file(read.entity, source, given, usage) as file:
            yield from csv.pages(read, source, file)

    @contextmanager
    def _file(
        self, entity: Entity, source: CsvFile, given: str | None, usage: Usage
    ) -> Iterator[File]:
        setting = PATH if given else source.variable
        place = given or self._environment.require(source.variable, _about(source.variable))
        with opened(place, source.word, setting, entity.name, self._server, usage) as file:
            yield file

    # -- reaching --------------------------------------------------------------------------------

    def _tables(self, entity: Entity) -> Athena:
        if self._athena is None:
            raise NotSet(
                f"{entity}: SALESPRO_S3_LOCATION is not set: give {variables.S3_LOCATION.about}, "
                "in the environment or in .env"
            )
        return self._athena

    def _opened_athena(self, base: str, region: str, output: str) -> Athena:
        keys = self._keys()
        auth = Signed.with_credentials(region, variables.SECRET_ACCESS_KEY.name, keys)
        account = account_key(self.name, base, keys.access_key if keys else "")
        http = self.open(
            base,
            auth,
            budget=self.budget(account, self._settings.rate_windows),
            dialect=AthenaDialect(),
        )
        self._apis.append(http)
        where = self._where(region, output.rstrip("/"))
        return Athena(http, where, self._settings, self._spelled())

    def _keys(self) -> Keys | None:
        """None where neither the key nor its secret is given. Raises NotSet for one of them."""
        get = self._environment.get
        access_key, secret = get("SALESPRO_ACCESS_KEY_ID"), get("SALESPRO_SECRET_ACCESS_KEY")
        if access_key and secret:
            return Keys(access_key, secret, get("SALESPRO_SESSION_TOKEN"))
        if access_key or secret:
            missing = "SECRET_ACCESS_KEY" if access_key else "ACCESS_KEY_ID"
            raise NotSet(
                f"SALESPRO_{missing} is not set, and the other half of the credentials is: give "
                "both, in the environment or in .env"
            )
        return None

    def _where(self, region: str, output: str) -> Settings:
        get = self._environment.get
        if not output.startswith("s3://") or not output.removeprefix("s3://"):
            raise UsageError(
                f"SALESPRO_S3_LOCATION is '{output[:80]}': give an address in S3, like s3://bucket/"
            )
        database = get("SALESPRO_DATABASE") or str(variables.DATABASE.default)
        if not is_name(database):
            raise UsageError(
                f"SALESPRO_DATABASE is '{database[:80]}', which is no name of a database"
            )
        workgroup = get("SALESPRO_WORKGROUP") or str(variables.WORKGROUP.default)
        return Settings(region, database, workgroup, f"{output}/{RESULTS}", get("SALESPRO_CATALOG"))

    def _spelled(self) -> Mapping[str, Mapping[str, str]]:
        """What columns are called in tables that call them otherwise: table → our name → theirs."""
        found: dict[str, dict[str, str]] = {}
        sources = (entity.source for entity in registry.entities(self.name))
        ours = {one.name: one.modified for one in sources if isinstance(one, Table)}
        given = self._environment.get("SALESPRO_CHANGED_BY") or ""
        for pair in filter(None, map(str.strip, given.split(","))):
            table, _, column = map(str.strip, pair.partition("="))
            if not is_name(table) or not is_name(column):
                raise UsageError(
                    f"SALESPRO_CHANGED_BY: '{pair[:80]}' is no table=column: write it like "
                    "customer=sync_updated_at"
                )
            modified = ours.get(table)
            if modified is None:
                raise UsageError(
                    f"SALESPRO_CHANGED_BY: '{table[:80]}' is no table that is read: give one of "
                    f"{', '.join(sorted(ours))}"
                )
            found[table] = {modified: column}
        return found

    def _server(self, address: str) -> Http:
        """The client for a server that has a file, opened once."""
        for http in self._opened:
            if http.base_url == address and http.auth is None:
                return http
        return self.open(address, None, budget=Budget({}), is_live=False)

    def meaning(self, entity: Entity) -> list[Meant]:
        """The database and where it is, and what orders versions; of a file nothing: it may be
        anywhere."""
        source = entity.source
        if not isinstance(source, Table):
            return []
        tables = self._tables(entity)
        settings, modified = tables.settings, source.modified or ""
        changed_by = tables.spelled.get(source.name, {}).get(modified, modified)
        return [
            Meant("database", settings.database, "SALESPRO_DATABASE"),
            Meant("region", settings.region, "SALESPRO_SERVER_REGION"),
            Meant("catalog", settings.catalog or CATALOG, "SALESPRO_CATALOG"),
            Meant("changed_by", changed_by, "SALESPRO_CHANGED_BY"),
        ]

    def record_url(self, entity: Entity, key: Key) -> str | None:  # noqa: ARG002  no web page
        return None

    def list_url(self, entity: Entity) -> str | None:
        """The address of a file that has one."""
        if isinstance(entity.source, CsvFile):
            place = self._environment.get(entity.source.variable) or ""
            return place.partition("?")[0] if is_address(place) else None
        return None

    def check(self) -> str:
        """Whether Athena answers; without it, which files are named."""
        if self._athena is not None:
            return self._athena.check("salespro: asking who answers")
        files = (variables.OFFICES, variables.USERS)
        named = [one.name for one in files if self._environment.get(one.name)]
        return f"files only: {' and '.join(named)}"


def _file_source(entity: Entity) -> CsvFile:
    if not isinstance(entity.source, CsvFile):
        raise UsageError(f"{entity}: nothing here reads a {type(entity.source).__name__}")
    return entity.source


def _about(name: str) -> str:
    return next(one.about for one in variables.VARIABLES if one.name == name)


def _of_everything(read: Read) -> Read:
    return replace(read, strategy=Strategy("full"), cursor=None, state={}, memory={}, limit=0)
