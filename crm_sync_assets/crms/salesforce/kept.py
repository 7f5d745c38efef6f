"""What objects look like that the environment names, kept where no network is needed to read it.

Definitions are loaded often, and must not ask anybody. So whoever asks an org what such an object
has (a sync, doctor) keeps the answer in the state folder, and an entity is made of that.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from crm_sync_assets.crms.salesforce.described import Described, Field
from crm_sync_assets.crms.salesforce.variables import OBJECTS
from crm_sync_assets.errors import UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import environment

log = logger(__name__)

_NAME: Final = re.compile(r"[A-Za-z]\w{0,79}")


def named() -> tuple[str, ...]:
    """The objects that the environment names, as it spells them.

    Raises UsageError for what is no name of an object.
    """
    given = environment().get("CRM_SYNC_SALESFORCE_OBJECTS") or ""
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{OBJECTS.name} names {name!r}: give API names, like Invoice__c,Asset"
            )
    return tuple({name.lower(): name for name in names}.values())


def text_of(name: str) -> str | None:
    """What is kept of an object, as it stands in its file; None before it was described."""
    try:
        return _file(name).read_text()
    except FileNotFoundError:
        return None


def read(text: str) -> Described:
    """What such a text says."""
    said = json.loads(text)
    fields = [Field(**one) for one in said["fields"]]
    return Described(said["name"], {one.name.lower(): one for one in fields})


def keep(described: Described) -> None:
    """Keep what the org says of an object that the environment names.

    A field that is hidden now stays, and so does the type that its column has: a table is not
    changed behind anybody's back.
    """
    if described.name.lower() not in {name.lower() for name in named()}:
        return
    before = text_of(described.name)
    fields = dict(read(before).fields) if before else {}
    for name, field in described.fields.items():
        type_ = fields[name].type if name in fields else field.type
        fields[name] = replace(field, type=type_)
    after = _text(described.name, fields.values())
    if after == before:
        return
    _write(_file(described.name), after)
    log.info(
        "salesforce: what %s has is kept in %s: its columns are these from the next start on",
        described.name,
        _file(described.name),
    )


def _text(name: str, fields: Iterable[Field]) -> str:
    said: Mapping[str, object] = {"name": name, "fields": [asdict(one) for one in fields]}
    return json.dumps(said, indent=1)


def _file(name: str) -> Path:
    return environment().home_folder / "salesforce" / f"{name.lower()}.json"


def _write(file: Path, text: str) -> None:
    """Whole or not at all, whoever else writes it."""
    environment().made_home()
    file.parent.mkdir(exist_ok=True)
    aside = file.with_suffix(f".{os.getpid()}")
    aside.write_text(text)
    aside.replace(file)
