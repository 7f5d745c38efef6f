"""Genius as a part of the sandbox: a database instead of endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from starlette.routing import BaseRoute

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crm import Crm, NoKnobs, Stage
from crm_sync_assets.sandbox.crms.genius.world import World

_OPERATIONS = ("insert", "edit", "edit_undated", "delete", "bulk", "move", "keys")


class Genius(Crm):
    """The tables in the database `url` names, made anew at once."""

    name = "genius"
    pace = 4

    def __init__(
        self, url: str, clock: Clock, seed: int, prospects: int = 300, zone: str = "US/Pacific"
    ) -> None:
        self.world = World(url, clock, seed, prospects, zone)
        self.world.reset()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        """None: its clients speak SQL to the database."""
        return {}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        """Of the world."""
        return {name: getattr(self.world, name) for name in _OPERATIONS}

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes of the world."""
        return self.world.move(n, seed)

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The rows of a table as text, numbers and nothing else."""
        for row in self.world.truth(what):
            yield {name: _plain(value) for name, value in row.items()}

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  no endpoint
        """Where the database is, and the zone of its clock."""
        return {
            "GENIUS_DATABASE_URL": self.world.url.render_as_string(hide_password=False),
            "GENIUS_TIME_ZONE": self.world.zone.key,
        }

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        self.world.reset()

    def close(self) -> None:
        """Give the connections back."""
        self.world.engine.dispose()


def play(
    stage: Stage, _knobs: NoKnobs, genius_url: str | None, genius_prospects: int
) -> Genius | None:
    """Genius in the database of that URL; without one there is none."""
    return Genius(genius_url, stage.clock, stage.seed, genius_prospects) if genius_url else None


def beside(server_url: str, name: str = "genius") -> str:
    """The URL of a database of that name on the same PostgreSQL, made if it is not there."""
    url = sa.make_url(server_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            query = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(query, {"name": name}).first() is None:
                quoted = engine.dialect.identifier_preparer.quote_identifier(name)
                connection.execute(sa.text(f"CREATE DATABASE {quoted}"))
    finally:
        engine.dispose()
    # The options speak of the database that was given, of its schemas perhaps.
    kept = {key: value for key, value in url.query.items() if key != "options"}
    found = url.set(drivername="postgresql", database=name, query=kept)
    return found.render_as_string(hide_password=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    return int.from_bytes(value, "big") if isinstance(value, bytes) else str(value)
