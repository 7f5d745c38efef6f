"""The zone, the database: what Genius's rows mean, and that no sync mixes two of them."""

from __future__ import annotations

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import UsageError
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.crms.genius.truth import differences, stored_rows
from crm_sync_assets_tests.crms.genius.worlds import Start, point
from crm_sync_assets_tests.mariadb import MariaDB
from crm_sync_assets_tests.scripted import history

__all__ = ["run"]


def test_a_delta_in_another_zone_is_refused_instead_of_shifting_every_row_it_touches(
    world: World,
    start: Start,
    genius_environment: pytest.MonkeyPatch,
    run: Run,
) -> None:
    """21:00:44Z became 14:00:44Z, exit status 0; setting the zone back shifted them again."""
    genius = start()
    genius.sync("jobs")
    before = stored_rows(genius.warehouse, registry.entity("genius.jobs"))
    assert history(genius.warehouse)[-1]["configuration"]["meaning"] == {
        "time zone": "US/Pacific",
        "database": world.url.database,
        "character set": "UTF-8",
    }
    for key in world.keys("job")[:5]:
        world.edit("job", key, {"status": 20})
    genius_environment.setenv("GENIUS_TIME_ZONE", "UTC")
    status, out, err = run("genius", "jobs", "--quiet")
    assert (status, out) == (exits.USAGE, ""), err
    assert "its time zone is UTC now and was US/Pacific" in err
    assert "Set GENIUS_TIME_ZONE back" in err
    assert "crm-sync genius jobs --full --force" in err
    assert "Traceback" not in err
    for command in (["verify", "genius", "jobs"], ["genius", "jobs", "--dry-run", "--quiet"]):
        assert run(*command)[0] == exits.USAGE
    assert stored_rows(genius.warehouse, registry.entity("genius.jobs")) == before
    # Another name of the zone is no other zone.
    genius_environment.setenv("GENIUS_TIME_ZONE", "America/Los_Angeles")
    assert run("genius", "jobs", "--quiet") == (exits.SUCCESS, "", "")
    assert differences(world, genius.warehouse, "jobs") == []


def test_a_complete_replacement_reads_the_table_in_the_new_zone(
    world: World, start: Start, genius_environment: pytest.MonkeyPatch, run: Run
) -> None:
    genius_environment.setenv("GENIUS_TIME_ZONE", "Asia/Tokyo")
    genius = start()
    genius.sync("jobs")
    assert differences(world, genius.warehouse, "jobs") != []
    point(genius_environment, world)
    assert run("genius", "jobs", "--quiet")[0] == exits.USAGE
    assert run("genius", "jobs", "--full", "--force", "--quiet") == (exits.SUCCESS, "", "")
    assert differences(world, genius.warehouse, "jobs") == []
    assert run("genius", "jobs", "--quiet") == (exits.SUCCESS, "", "")


def test_another_database_is_refused_and_another_host_is_not(
    world: World,
    start: Start,
    mariadb: MariaDB,
    mysql_database: str,
    genius_environment: pytest.MonkeyPatch,
) -> None:
    start().sync("services")
    point(genius_environment, world, mariadb.url(mysql_database).replace("127.0.0.1", "localhost"))
    assert start().sync("services").status == "success"
    mariadb.execute(f"CREATE DATABASE {mysql_database}_2")
    point(genius_environment, world, mariadb.url(f"{mysql_database}_2"))
    with pytest.raises(UsageError, match=r"its database is .*_2 now and was .*GENIUS_DATABASE_URL"):
        start().sync("services")
    mariadb.execute(f"DROP DATABASE {mysql_database}_2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("US/Pacific", "America/Los_Angeles", True),
        ("UTC", "Etc/UTC", True),
        ("Europe/London", "Europe/Lisbon", False),
        ("America/New_York", "America/Toronto", False),
        ("America/New_York", "UTC", False),
        ("UTC", "no zone any more", False),
    ],
)
def test_two_names_of_a_zone_are_known_for_one(one: str, other: str, *, same: bool) -> None:
    assert Zone(one).shows_the_same(other) is same
