"""Is everything in place for webhooks? Lines for the CRMs whose secret is set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import psycopg

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.errors import UsageError
from crm_sync_assets.operations.diagnoses import Diagnosis, Grade
from crm_sync_assets.settings import Environment
from crm_sync_assets.warehouse import webhook_tallies
from crm_sync_assets.warehouse.connection import Connection, Warehouse, message_of
from crm_sync_assets.warehouse.history import STALE_AFTER

TABLES = (
    "ingestion_webhook_event",
    "ingestion_webhook_heard",
    "ingestion_webhook_refusal",
    "ingestion_webhook_receiver",
)


def examine_webhooks(
    names: Sequence[str], env: Environment, warehouse: Warehouse | None
) -> Iterator[Diagnosis]:
    """Of these CRMs; nothing where nobody wants any."""
    expected = [
        (crm, crm.webhooks)
        for crm in map(registry.crm, names)
        if crm.webhooks is not None and crm.webhooks.is_expected
    ]
    if not expected:
        return
    yield _address(env)
    for crm, webhooks in expected:
        yield from _proof(crm, webhooks, env)
    if warehouse is not None:
        try:
            with warehouse.connection() as connection:
                yield from _received(connection, [crm for crm, _ in expected], datetime.now(UTC))
        except psycopg.Error as error:
            yield Diagnosis("webhooks", "wrong", message_of(error))


def _address(env: Environment) -> Diagnosis:
    if env.webhooks_url:
        return Diagnosis("webhooks", "ok", f"senders have the address {env.webhooks_url}")
    return Diagnosis(
        "webhooks",
        "note",
        "secrets are set and CRM_SYNC_WEBHOOKS_URL is not: set it to the address that senders have "
        "(https://…). HubSpot signs that address: behind a proxy its deliveries are refused",
    )


def _proof(crm: Crm, webhooks: Webhooks, env: Environment) -> Iterator[Diagnosis]:
    """Only what is wrong: that the rest can be proven is seen by what was received."""
    try:
        lacking = webhooks.lacking(webhooks.given(env))
    except UsageError as error:
        lacking = str(error)
    if lacking is not None:
        yield Diagnosis(f"{crm.title} webhooks", "wrong", f"no delivery can be proven: {lacking}")


def _received(connection: Connection, crms: Sequence[Crm], now: datetime) -> Iterator[Diagnosis]:
    lacking = connection.execute(
        "SELECT name, to_regclass('ingestion_schema_version') IS NULL "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS n(name, place) "
        "WHERE to_regclass(name) IS NULL ORDER BY place",
        (list(TABLES),),
    ).fetchall()
    if lacking:
        # In a new warehouse nothing is there yet, and whatever comes first makes it.
        is_new = lacking[0][1]
        tables = ", ".join(name for name, _ in lacking)
        yield Diagnosis(
            "webhooks",
            "note" if is_new else "wrong",
            f"{tables} {'is' if len(lacking) == 1 else 'are'} missing in the warehouse, so nothing "
            "can be received: run `crm-sync migrate`",
        )
        return
    heard = webhook_tallies.heard(connection)
    receivers = webhook_tallies.receivers(connection)
    connection.commit()
    for crm in crms:
        receiver = receivers.get(crm.name)
        last = max((one.last for one in heard.get(crm.name, ())), default=None)
        is_up = receiver is not None and now - receiver.seen <= STALE_AFTER
        if last is not None:
            told = f"the last delivery came {_ago(now, last)} ago"
        else:
            told = "nothing was received yet"
        if receiver is None:
            told += "; no receiver was ever up for it: `crm-sync webhooks` is one"
        elif not is_up:
            told += f"; no receiver is up, the last one was {_ago(now, receiver.seen)} ago: "
            told += "start `crm-sync webhooks`"
        elif last is None:
            told += f", and a receiver is up since {_ago(now, receiver.since)}: does {crm.title} "
            told += "have the webhooks and this address?"
        grade: Grade = "ok" if last is not None and is_up else "note"
        yield Diagnosis(f"{crm.title} webhooks", grade, told)


def _ago(now: datetime, moment: datetime) -> str:
    """How long ago, in the largest unit of which there are two."""
    seconds = max((now - moment).total_seconds(), 0.0)
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
