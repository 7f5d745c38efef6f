"""Genius in a database of the test's own, on MariaDB or PostgreSQL, and syncs that read it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.genius.crm import beside
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import GeniusSyncs
from crm_sync_assets_tests.mariadb import MariaDB, mariadb, mysql_database

__all__ = ["mariadb", "mysql_database"]

Start = Callable[..., GeniusSyncs]


@pytest.fixture
def genius_environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without anything of Genius's."""
    for name in list(os.environ):
        if name.startswith("GENIUS_"):
            environment.delenv(name)
    return environment


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2020, 1, 1, tzinfo=UTC))


def point(environment: pytest.MonkeyPatch, world: World, url: str | None = None) -> None:
    """Make the environment name this Genius."""
    real = world.url.render_as_string(hide_password=False)
    environment.setenv("GENIUS_DATABASE_URL", url or real)
    environment.setenv("GENIUS_TIME_ZONE", world.zone.key)


@pytest.fixture
def world(
    mariadb: MariaDB, mysql_database: str, clock: Clock, genius_environment: pytest.MonkeyPatch
) -> Iterator[World]:
    """A small Genius on MariaDB; the environment points to it."""
    world = World(mariadb.url(mysql_database), clock, prospects=60)
    world.reset()
    point(genius_environment, world)
    yield world
    world.engine.dispose()


@pytest.fixture
def postgres_world(
    server_url: str, clock: Clock, genius_environment: pytest.MonkeyPatch
) -> Iterator[World]:
    """The same on PostgreSQL."""
    world = World(beside(server_url, f"genius_{os.getpid()}"), clock, prospects=60)
    world.reset()
    point(genius_environment, world)
    yield world
    world.engine.dispose()


@pytest.fixture
def start() -> Iterator[Start]:
    """Opens syncs of the Genius that the environment names then; closes them in the end."""
    opened: list[GeniusSyncs] = []

    def begin() -> GeniusSyncs:
        opened.append(GeniusSyncs())
        return opened[-1]

    yield begin
    for syncs in opened:
        with closing(syncs):
            pass
