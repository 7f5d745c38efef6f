"""How a CRM or one entity is synced: what is declared, and what the environment overrides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, Shared
from crm_sync_assets.declarations.switches import SWITCHES, switched_on
from crm_sync_assets.declarations.timetable import TIMINGS, cron_of
from crm_sync_assets.declarations.unread import refuse_misspelt, unread
from crm_sync_assets.errors import NotSet, UsageError
from crm_sync_assets.nearest import meant
from crm_sync_assets.told import setting_up

if TYPE_CHECKING:
    from crm_sync_assets.declarations.contract import Client
    from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.settings import (
    PREFIX,
    Environment,
    SyncSettings,
    first_problem,
    variables,
)

OF_A_CRM = (*SWITCHES, *TIMINGS)
"""What is said of a whole CRM beside its settings, and of no entity alone."""

OF_AN_ACCOUNT = (
    *("max_attempts", "timeout_seconds", "budget_seconds"),
    *("rate_windows", "rate_reserve", "requests_at_once"),
)
"""Settings of the requests of an account, which all of its entities share."""


def settings_for(crm: Crm, entity: Entity | None = None) -> SyncSettings:
    """Declared settings, the entity's over the CRM's, with the environment's overrides on top.

    Raises UsageError for a setting that does not exist, naming the one that was probably meant.
    """
    values: dict[str, Any] = {**crm.settings, **(entity.settings if entity else {})}
    head = f"{PREFIX}{crm.name.upper()}__"
    heads = [head, f"{head}{entity.sync_type.upper()}__"] if entity else [head]
    came_from = dict.fromkeys(values, head)
    for of in heads:
        for variable, value in variables().items():
            name = variable[len(of) :].lower()
            if of == head and name in OF_A_CRM:
                continue
            if variable.startswith(of) and "__" not in name:
                values[name], came_from[name] = value, of
    for name in values:
        if name not in SyncSettings.model_fields or _is_misplaced(came_from[name], name):
            raise UsageError(_unknown_setting(came_from[name], name))
    try:
        return SyncSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(first_problem(error, lambda n: came_from[n] + n.upper())) from None


def refuse_unknown_crms() -> None:
    """Raises UsageError for an override of a CRM that there is not: nobody would ever read it."""
    for problem in _of_no_crm(registry.names()):
        raise UsageError(problem)


def _of_no_crm(known: Collection[str]) -> Iterator[str]:
    """What is wrong with the variables that begin as if they were of a CRM, and are of none."""
    for variable in variables():
        if not variable.startswith(PREFIX):
            continue
        name, of_crm, _ = variable[len(PREFIX) :].lower().partition("__")
        if of_crm and name not in known:
            yield f"{variable}: no CRM is called '{name}'{meant(name, known)}"
        crm = "" if of_crm else name.partition("_")[0]
        own = {one.name for one in registry.crm(crm).variables} if crm in known else set()
        if crm in known and name.partition("_")[2] and variable not in own:
            right = f"{PREFIX}{crm}__{name.partition('_')[2]}".upper()
            yield f"{variable}: two underscores follow the CRM's name; did you mean {right}?"


def client_for(
    crm: Crm,
    environment: Environment,
    shared: Shared | None = None,
    *,
    patience_seconds: float | None = None,
) -> Client:
    """The CRM's client with its settings; without `shared` it shares nothing.

    It waits on limits and retries no longer than its patience, where that is given.
    UsageError says what is wrong with its variables.
    Whatever a library finds wrong with them is told with its text: no record was read yet.
    """
    settings = settings_for(crm)
    if patience_seconds is not None:
        least = min(settings.budget_seconds, patience_seconds)
        settings = settings.model_copy(update={"budget_seconds": least})
    refuse_misspelt(crm)
    try:
        with setting_up(f"{crm.title} cannot be set up from its {crm.name.upper()}_ variables"):
            return crm.client(environment, settings, shared or Shared())
    except NotSet as error:
        others = ", ".join(unread(crm))
        if not others:
            raise
        raise NotSet(f"{error} (nothing reads what is set: {others})") from error


def unknown_overrides(crms: Mapping[str, Crm], entities: Mapping[str, Entity]) -> list[str]:
    """Override variables that name no CRM, entity or setting, each with what was probably meant."""
    problems = list(_of_no_crm(crms))
    for variable in variables():
        if not (variable.startswith(PREFIX) and "__" in variable):
            continue
        crm, *path = variable[len(PREFIX) :].lower().split("__")
        if crm not in crms:
            continue
        if len(path) == 2 and f"{crm}.{path[0]}" not in entities:
            names = [e.partition(".")[2] for e in entities if e.startswith(f"{crm}.")]
            problems.append(f"{variable}: {crm} has no entity '{path[0]}'{meant(path[0], names)}")
        elif len(path) == 1 and path[0] in OF_A_CRM:
            problems += _unusable(crms[crm], path[0], entities)
        elif path[-1] not in SyncSettings.model_fields or _is_misplaced(variable, path[-1]):
            problems.append(_unknown_setting(variable[: -len(path[-1])], path[-1]))
    return problems


def _unusable(crm: Crm, name: str, entities: Mapping[str, Entity]) -> list[str]:
    """What is wrong with a variable that switches this CRM's entities, or says when it is due."""
    try:
        if name in SWITCHES:
            switched_on(crm, [entity for entity in entities.values() if entity.crm == crm.name])
        else:
            cron_of(crm, name)  # type: ignore[arg-type]  # one of TIMINGS
    except UsageError as error:
        return [str(error)]
    return []


def _is_misplaced(variable: str, name: str) -> bool:
    """Whether a variable says of one entity what its account has in common."""
    is_of_an_entity = "__" in variable.removeprefix(PREFIX).partition("__")[2]
    return is_of_an_entity and name in OF_AN_ACCOUNT


def _unknown_setting(head: str, name: str) -> str:
    crm, entity, _ = head.removeprefix(PREFIX).partition("__")
    if entity and name in (*OF_A_CRM, *OF_AN_ACCOUNT):
        return f"{head}{name.upper()}: that is said of a whole CRM, {PREFIX}{crm}__{name.upper()}"
    said = meant(name, [*SyncSettings.model_fields, *OF_A_CRM])
    return f"{head}{name.upper()}: there is no setting '{name}'{said}"
