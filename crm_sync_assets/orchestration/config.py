"""SyncConfig: the flags as Dagster's run config; a CRM with flags of its own has its own kind."""

from collections.abc import Callable
from functools import cache
from typing import Any

import dagster as dg
from pydantic import Field

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.flags import OLD_NAMES, Flag, Flags, with_own
from crm_sync_assets.errors import UsageError
from crm_sync_assets.log import logger

log = logger(__name__)


class SyncConfig(Flags, dg.Config):
    """The flags, and the names they had before; an old name is accepted with a warning."""

    since: str | None = Field(None, description="Old name of start_date.")
    test: bool = Field(False, description="Old name of dry_run.")
    verbose: bool = Field(False, description="Old name of debug.")
    force_overwrite: bool = Field(False, description="Old name of force.")

    def flags(self, kind: type[Flags] = Flags) -> Flags:
        """The flags under their present names.

        Raises UsageError when an old name and its new one disagree.
        """
        values = self.model_dump(exclude=set(OLD_NAMES))
        for old, new in OLD_NAMES.items():
            given = getattr(self, old)
            if given:
                log.warning("%s is now called %s; please use that name", old, new)
                if values[new] and values[new] != given:
                    raise UsageError(
                        f"{old} is {given} and {new} is {values[new]}: {old} is the old name of "
                        f"{new}, so give only {new}"
                    )
                values[new] = given
        return kind(**values)


def config_of(crm: Crm) -> type[SyncConfig]:
    """The run config of a CRM's entities."""
    return _config_of(crm.name, crm.flags)


@cache
def _config_of(name: str, own: tuple[Flag, ...]) -> type[SyncConfig]:
    return with_own(SyncConfig, f"{name.capitalize()}Config", own)


def configured_by(kind: type[SyncConfig]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a function that becomes an asset: its `config` is of this kind, as Dagster sees it."""

    def annotate(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__annotations__["config"] = kind
        return function

    return annotate
