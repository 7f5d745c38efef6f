"""Django's way: an async fetch, then `bulk_create(update_conflicts=True)` in batches of 500.

python benchmarks/peers/django_load.py full|delta
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django
import httpx  # noqa: TID251 - the pattern that is measured
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection, models

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks import records

BATCH = 500


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": options.get("host") or parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


settings.configure(
    DATABASES={"default": _database(os.environ["CRM_SYNC_WAREHOUSE_URL"])},
    INSTALLED_APPS=[],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()


def _field(name: str) -> models.Field[Any, Any]:
    if name in records.NUMBERS:
        return models.DecimalField(max_digits=20, decimal_places=4, null=True)
    if name in records.BOOLEANS:
        return models.BooleanField(null=True)
    if name in records.MOMENTS:
        return models.DateTimeField(null=True)
    return models.TextField(null=True)


Contact = type(
    "Contact",
    (models.Model,),
    {
        "__module__": __name__,
        "Meta": type("Meta", (), {"app_label": "bench", "db_table": "bench_django"}),
        "id": models.TextField(primary_key=True),
        **{name: _field(name) for name in records.NAMES},
        "archived": models.BooleanField(default=False),
    },
)


def _value(name: str, value: str | None) -> Any:
    if value is None or value == "":
        return None
    if name in records.NUMBERS:
        return Decimal(value)
    if name in records.BOOLEANS:
        return value == "true"
    if name in records.MOMENTS:
        return datetime.fromisoformat(value)
    return value


def _instance(record: dict[str, Any]) -> Any:
    values = {name: _value(name, record["properties"].get(name)) for name in records.NAMES}
    return Contact(id=record["id"], archived=record["archived"], **values)


async def _pages(since: datetime | None) -> AsyncIterator[list[dict[str, Any]]]:
    async with httpx.AsyncClient(base_url=os.environ["HUBSPOT_BASE_URL"], timeout=60) as client:
        after: str | None = "0"
        while after is not None:
            if since is None:
                wanted = {"limit": "100", "properties": ",".join(records.NAMES), "after": after}
                answer = await client.get("/crm/v3/objects/contacts", params=wanted)
            else:
                moment = str(int(since.timestamp() * 1000))
                bound = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": moment}
                answer = await client.post(
                    "/crm/v3/objects/contacts/search",
                    json={
                        "filterGroups": [{"filters": [bound]}],
                        "properties": list(records.NAMES),
                        "limit": 200,
                        "after": after,
                    },
                )
            answer.raise_for_status()
            body = answer.json()
            yield body["results"]
            after = body.get("paging", {}).get("next", {}).get("after")


def _save(batch: list[Any]) -> None:
    Contact.objects.bulk_create(
        batch,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*records.NAMES, "archived"],
    )


def _prepare(how: str) -> datetime | None:
    if Contact._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Contact)
    if how != "delta":
        return None
    newest = Contact.objects.aggregate(newest=models.Max("lastmodifieddate"))["newest"]
    assert newest is None or isinstance(newest, datetime)
    return newest


async def _main(how: str) -> int:
    since = await sync_to_async(_prepare)(how)
    done, batch = 0, []
    async for page in _pages(since):
        batch += [_instance(record) for record in page]
        while len(batch) >= BATCH:
            await sync_to_async(_save)(batch[:BATCH])
            done, batch = done + BATCH, batch[BATCH:]
    if batch:
        await sync_to_async(_save)(batch)
    return done + len(batch)


if __name__ == "__main__":
    print(asyncio.run(_main(sys.argv[1])))
