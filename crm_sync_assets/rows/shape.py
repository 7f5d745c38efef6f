"""Where an entity's values are in its records and rows, and which of them no column takes."""

from __future__ import annotations

import traceback
from typing import Any, Literal

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.declarations.postal import JUDGES, country_of

Stage = Literal["parse", "validate", "load"]
"""What refused a record: reading it, checking it, or the warehouse."""

Row = tuple[Any, ...]
"""Values in the order of the entity's columns, and last the row's issues, None if it has none."""

Issue = dict[str, str]
"""{"field": column name, "problem": what is odd}; holds no value of a sensitive column."""


class BadRecord(Exception):
    """A record that becomes no row."""

    def __init__(self, stage: Stage, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.stage, self.reason, self.field = stage, reason, field


class Misplaced(ValueError):
    """A step on a column's path is no object, so that what lies behind it cannot be found."""

    def __init__(self, name: str, found: Any) -> None:
        super().__init__(f"lies behind {name}, which is of type {type(found).__name__}")


_Taken = dict[str, "_Taken | None"]


class Shape:
    """Where an entity's values are in its records, and which of them no column takes."""

    def __init__(self, entity: Entity) -> None:
        self.columns = entity.columns
        self.root = entity.source.root
        self.steps = tuple(step for step in self.root.split(".") if step)
        self.position = {column.name: place for place, column in enumerate(entity.columns)}
        self.key_positions = tuple(self.position[column.name] for column in entity.key)
        self.countries = {
            column.name: country_of(column, entity.columns)
            for column in entity.columns
            if column.validate in JUDGES
        }
        self.rest = next((c for c in entity.columns if c.kind == "rest"), None)
        self.paths: dict[str, tuple[str, ...]] = {
            column.name: tuple(column.path(self.root).split("."))
            for column in entity.columns
            if column.kind != "rest" and not callable(column.at)
        }
        self.taken: _Taken = {}
        for path in self.paths.values():
            if path[: len(self.steps)] == self.steps:
                self._take(path[len(self.steps) :])

    def _take(self, path: tuple[str, ...]) -> None:
        level = self.taken
        for step in path[:-1]:
            below = level.setdefault(step, {})
            if below is None:
                return
            level = below
        if path:
            level[path[-1]] = None

    def raw(self, column: Column, record: Record) -> Any:
        """The value as sent, None if there is none. Raises Misplaced, BadRecord."""
        if callable(column.at):
            try:
                return column.at(record)
            except Exception as error:  # noqa: BLE001  it is the declaration's code
                problem = f"{column.name}: {column.path(self.root)}: {unexpected(error)}"
                raise BadRecord("parse", problem, column.name) from None
        path = self.paths[column.name]
        under_root = path[: len(self.steps)] == self.steps and len(path) > len(self.steps)
        place: Any = self.root_of(record) if under_root else record
        for depth, step in enumerate(path[:-1]):
            if under_root and depth < len(self.steps):
                continue
            place = place.get(step)
            if place is None:
                return None
            if not isinstance(place, dict):
                raise Misplaced(step, place)
        return place.get(path[-1])

    def root_of(self, record: Record) -> dict[str, Any]:
        """The object that holds the entity's fields. Raises BadRecord: without it nothing is known
        about the record, and a row of NULLs would say that everything was cleared."""
        place: Any = record
        for step in self.steps:
            place = place.get(step)
            if not isinstance(place, dict):
                raise BadRecord("parse", f"the record has no object {step}")
        return place  # type: ignore[no-any-return]  # isinstance above, or the record itself

    def left(self, record: Record, changes: set[str]) -> dict[str, Any] | None:
        """What no column takes, ready for jsonb; nulls are left out, as they say nothing."""
        left = _left(self.root_of(record), self.taken)
        return parsing.sanitise(left, changes) if left else None

    def second_look(self, column: Column, value: Any, problem: str, country: Any) -> str | None:
        """What is left of a check's objection to a value, with the country that it is of."""
        judge = JUDGES.get(column.validate) if column.validate else None
        return problem if judge is None else judge(value, country)

    def source_name(self, column: Column) -> str:
        """The column's name in the source, below the root."""
        if callable(column.at):
            return column.name
        return column.path(self.root).removeprefix(self.root)


def _left(place: dict[str, Any], taken: _Taken) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for name, value in place.items():
        if name not in taken:
            if value is not None:
                left[name] = value
            continue
        below = taken[name]
        if below is None or value is None:
            continue
        inner = _left(value, below) if isinstance(value, dict) else value
        if inner != {}:
            left[name] = inner
    return left


def unexpected(error: Exception) -> str:
    """The class and place of an exception; its text may quote the record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
