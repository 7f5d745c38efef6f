"""Is everything in place for a sync? Each finding says what was looked at and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

import psycopg

from crm_sync_assets import __version__
from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Cautious, Client, Probeable, Usage
from crm_sync_assets.declarations.crm import Crm, Shared, is_named
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import client_for, settings_for, unknown_overrides
from crm_sync_assets.declarations.unread import unread
from crm_sync_assets.declarations.variables import missing
from crm_sync_assets.engine.availability import not_available, was_here
from crm_sync_assets.errors import (
    FatalError,
    Forbidden,
    SyncError,
    TransientError,
    Unknown,
    UsageError,
)
from crm_sync_assets.keyring import VARIABLE, key_id
from crm_sync_assets.operations import channels
from crm_sync_assets.operations.diagnoses import Diagnosis, Grade
from crm_sync_assets.operations.webhook_doctor import examine_webhooks
from crm_sync_assets.settings import Environment, environment
from crm_sync_assets.told import words
from crm_sync_assets.warehouse import encryption, schemas, tables
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.postgres import sqlalchemy_url

MOST_CLOCK_SECONDS = 60.0
"""Two clocks further apart than this make timestamps of one hard to read next to the other's."""

LEAST_FREE_GB = 1.0


def examine(crms: Sequence[str] = ()) -> Iterator[Diagnosis]:
    """Findings as they are made, for these CRMs or all; never raises for what it finds."""
    try:
        env = environment()
    except UsageError as error:
        yield Diagnosis("settings", "wrong", str(error))
        return
    yield Diagnosis("version", "ok", f"crm_sync_assets {__version__}")
    yield from _settings()
    yield _disk(env)
    warehouse, findings = _warehouse(env)
    yield from findings
    yield from _alerts(env)
    reached = 0
    for name in crms or registry.names():
        for finding in _crm(name, env, warehouse, asked_for=bool(crms)):
            reached += finding.grade == "ok" and finding.what == registry.crm(name).title
            yield finding
    yield from examine_webhooks(crms or registry.names(), env, warehouse)
    if not reached and not crms:
        yield Diagnosis(
            "credentials", "wrong", "no CRM can be reached: put its credentials into .env "
            "(.env.example lists them), or try `crm-sync demo`",
        )  # fmt: skip
    if warehouse is not None:
        warehouse.close()


def _settings() -> Iterator[Diagnosis]:
    problems = unknown_overrides(registry.crms(), registry.all_entities())
    for crm in registry.crms().values():
        for entity in (None, *registry.entities(crm.name)):
            try:
                settings_for(crm, entity)
            except UsageError as error:
                if str(error) not in problems:
                    problems.append(str(error))
    if not problems:
        yield Diagnosis("settings", "ok", "every CRM_SYNC_ override names something that exists")
    for problem in problems:
        yield Diagnosis("settings", "wrong", problem)


def _alerts(env: Environment) -> Iterator[Diagnosis]:
    """Nothing where nobody wants any; no message is sent."""
    if not channels.configured():
        return
    try:
        wrong = channels.problems(env)
    except UsageError as error:
        wrong = [str(error)]
    for problem in wrong:
        yield Diagnosis("alerts", "wrong", problem)
    if not wrong:
        yield Diagnosis("alerts", "ok", "configured; `crm-sync alerts test` sends a message")


def _disk(env: Environment) -> Diagnosis:
    folder = env.home_folder
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        at = "" if folder == env.home_folder else f" or made: {folder} is in the way"
        return Diagnosis(
            "state folder",
            "wrong",
            f"{env.home_folder} cannot be written{at}: set CRM_SYNC_HOME to a folder that can",
        )
    free = shutil.disk_usage(folder).free / 1e9
    if free < LEAST_FREE_GB:
        return Diagnosis(
            "state folder",
            "wrong",
            f"{env.home_folder}: only {free:.1f} GB free: make room, or move CRM_SYNC_HOME",
        )
    return Diagnosis("state folder", "ok", f"{env.home_folder}, {free:.0f} GB free")


def _warehouse(env: Environment) -> tuple[Warehouse | None, list[Diagnosis]]:
    from crm_sync_assets.warehouse.embedded import warehouse_url

    kind = "server" if env.warehouse_url else "embedded PostgreSQL"
    try:
        keys = env.encryption_keys
    except UsageError as error:
        return None, [Diagnosis("encryption", "wrong", str(error))]
    try:
        url = warehouse_url(env)
        if missing_schemas := schemas.lacking(url):
            return None, [_not_made(missing_schemas)]
        warehouse = Warehouse(url, keys)
        with warehouse.connection() as connection:
            return warehouse, list(_postgresql(connection, warehouse, kind))
    except (SyncError, psycopg.Error) as error:
        return None, [Diagnosis("warehouse", "wrong", words(error))]


def _not_made(names: Sequence[str]) -> Diagnosis:
    named, are = (names[0], "is") if len(names) == 1 else (" and ".join(names), "are")
    return Diagnosis(
        "warehouse",
        "note",
        f"{named} {are} not there yet: the first sync makes them, or `crm-sync migrate`",
    )


def _postgresql(connection: Connection, warehouse: Warehouse, kind: str) -> Iterator[Diagnosis]:
    from crm_sync_assets.warehouse.migrations import HEAD, revision

    where = sqlalchemy_url(warehouse.url).render_as_string(hide_password=True)
    number = connection.info.server_version
    version = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    yield Diagnosis("warehouse", "ok", f"{kind}, {version}: {where}")
    allowed = connection.execute(
        "SELECT has_schema_privilege(name, 'CREATE'), "
        "has_database_privilege(current_database(), 'TEMP'), name, current_user "
        "FROM unnest(ARRAY[current_schema()::text, %s]) AS name ORDER BY 1 LIMIT 1",
        (schemas.of_internals(connection),),
    ).fetchone()
    if allowed and not (allowed[0] and allowed[1]):
        yield Diagnosis(
            "warehouse rights",
            "wrong",
            f"{allowed[3]} may not create tables in schema {allowed[2]}, or temporary ones: "
            f"GRANT CREATE ON SCHEMA {allowed[2]} TO {allowed[3]}, and TEMP on the database",
        )
    at = revision(connection)
    if at == HEAD:
        yield Diagnosis("migrations", "ok", f"core tables at revision {at}")
    elif at is None:
        yield Diagnosis(
            "migrations", "note", "no core tables yet: the first sync, or `crm-sync migrate`, "
            "makes them",
        )  # fmt: skip
    else:
        yield Diagnosis(
            "migrations", "wrong", f"core tables at revision {at}, not {HEAD}: run "
            "`crm-sync migrate`, or install the version they belong to",
        )  # fmt: skip
    yield _encryption(connection, warehouse.encryption_keys)
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    if row:
        yield _clock("the database", row[0])


def _encryption(connection: Connection, keys: Sequence[str]) -> Diagnosis:
    known = encryption.registered(connection)
    try:
        encryption.refuse_missing(known, keys)
    except UsageError as error:
        return Diagnosis("encryption", "wrong", str(error))
    if not keys:
        return Diagnosis(
            "encryption", "note", f"off: sensitive columns are stored as they are, unless "
            f"{VARIABLE} is set (`crm-sync rotate-keys --new` prints a key)",
        )  # fmt: skip
    for entity in registry.all_entities().values():
        try:
            tables.refuse_half_encrypted(connection, entity)
        except FatalError as error:
            return Diagnosis("encryption", "wrong", str(error))
    several = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    return Diagnosis("encryption", "ok", f"on with {several}, the newest is {key_id(keys[0])}")


def _crm(
    name: str, env: Environment, warehouse: Warehouse | None, *, asked_for: bool
) -> Iterator[Diagnosis]:
    crm = registry.crm(name)
    # Nobody has all the CRMs; one that is not set up is wrong only if somebody means to use it.
    meant = asked_for or is_named(crm)
    if meant and crm.variables:
        yield _variables(crm)
    try:
        client = client_for(crm, env)
    except UsageError as error:
        yield Diagnosis(crm.title, "wrong" if meant else "note", f"not set up: {error}")
        return
    except SyncError as error:
        yield Diagnosis(crm.title, "wrong", str(error))
        return
    if warehouse is not None and _has_tables(warehouse):
        # With the warehouse it shares the account's rate budget and tokens with running syncs.
        client.close()
        client = client_for(crm, env, Shared(warehouse.url))
    try:
        answer, grade = _asked(client.check)
        yield Diagnosis(crm.title, grade, answer)
        if grade == "ok":
            yield from _cautions(crm, client)
            yield from _entities(crm, client, warehouse)
        now = client.source_time()
        if now is not None:
            yield _clock(crm.title, now)
    finally:
        client.close()


def _cautions(crm: Crm, client: Client) -> Iterator[Diagnosis]:
    """What the credentials keep from being seen."""
    if not isinstance(client, Cautious):
        return
    try:
        lacking = list(client.cautions())
    except Exception as error:  # noqa: BLE001  the doctor goes on to the next patient
        yield Diagnosis(crm.title, "wrong", _told(error))
        return
    for caution in lacking:
        yield Diagnosis(crm.title, "note", caution)


def _entities(crm: Crm, client: Client, warehouse: Warehouse | None) -> Iterator[Diagnosis]:
    """A line for each entity that a run of the whole CRM takes, and what is to be granted."""
    if not isinstance(client, Probeable):
        return
    try:
        wanted = registry.selection(crm.name)
    except UsageError as error:
        yield Diagnosis(crm.title, "wrong", str(error))
        return
    grants: dict[str, None] = {}
    answers = in_order(partial(_answer, client, entity) for entity in wanted)
    refusals: list[BaseException | None] = []
    for entity, refusal in zip(wanted, answers, strict=True):
        refusals.append(refusal)
        yield _availability(entity, refusal, warehouse)
        if isinstance(refusal, Forbidden):
            grants |= dict.fromkeys(refusal.grants)
    for entity, unset in registry.left_out(crm.name):
        names = ", ".join(variable.name for variable in unset)
        yield Diagnosis(entity.name, "note", f"left out, for {names} is not set")
    for kind in dict.fromkeys(entity.source.kind for entity in wanted):
        of_kind = [r for e, r in zip(wanted, refusals, strict=True) if e.source.kind == kind]
        if all(isinstance(refusal, Forbidden | Unknown) for refusal in of_kind):
            yield Diagnosis(crm.title, "wrong", "lets us read nothing of all this")
    if grants:
        between = "; " if any(" " in grant for grant in grants) else " "
        yield Diagnosis(f"{crm.title}, to grant", "note", between.join(sorted(grants)))


def _answer(client: Probeable, entity: Entity) -> BaseException | None:
    """What the source has against the entity's being read; None for nothing."""
    try:
        client.probe(entity, Usage())
    except Exception as error:  # noqa: BLE001  the doctor goes on to the next patient
        return error
    return None


def _availability(
    entity: Entity, error: BaseException | None, warehouse: Warehouse | None
) -> Diagnosis:
    if error is None:
        return Diagnosis(entity.name, "ok", "available")
    had = warehouse is not None and _has_tables(warehouse) and was_here(warehouse, entity, entity)
    absent = not_available(entity, error, was_here=had)
    if absent is not None:
        return Diagnosis(entity.name, "note", str(absent).removeprefix(f"{entity} is "))
    why = _told(error).removeprefix(f"{entity}: ")
    return Diagnosis(entity.name, "wrong", f"failing: {why}")


def _variables(crm: Crm) -> Diagnosis:
    """Which are set and which are missing; never what they hold."""
    lacking = [variable.name for variable in missing(crm.variables)]
    found = [variable.name for variable in crm.variables if variable.is_set]
    told = f"set: {', '.join(found) or 'none'}"
    if lacking:
        told += f"; missing: {', '.join(lacking)}"
    if others := unread(crm):
        told += f"; set, and read by nobody: {', '.join(others)}"
    return Diagnosis(f"{crm.title} variables", "wrong" if lacking else "ok", told)


def _asked(check: Callable[[], str]) -> tuple[str, Grade]:
    try:
        return check(), "ok"
    except Exception as error:  # noqa: BLE001  the doctor goes on to the next patient
        return _told(error), "wrong"


def _told(error: BaseException) -> str:
    if isinstance(error, TransientError):
        said = str(error).rstrip(".")
        return f"{said}. Check the address and the network, or try again later"
    return str(error) if isinstance(error, SyncError) else words(error)


def _has_tables(warehouse: Warehouse) -> bool:
    with warehouse.connection() as connection:
        found = connection.execute("SELECT to_regclass('ingestion_oauth_token')").fetchone()
    return bool(found and found[0])


def _clock(whose: str, now: datetime) -> Diagnosis:
    apart = (now - datetime.now(UTC)).total_seconds()
    if abs(apart) <= MOST_CLOCK_SECONDS:
        return Diagnosis("clock", "ok", f"{whose} and this machine are {abs(apart):.0f} s apart")
    return Diagnosis(
        "clock",
        "note",
        f"{whose} is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine. "
        "Watermarks follow the source's clock, so nothing is lost; synchronise this machine's "
        "(NTP) to make the history's times comparable",
    )
