"""Each test of Genius may ask for these."""

from crm_sync_assets_tests.crms.genius.worlds import (
    clock,
    genius_environment,
    mariadb,
    mysql_database,
    postgres_world,
    start,
    world,
)

__all__ = [
    "clock",
    "genius_environment",
    "mariadb",
    "mysql_database",
    "postgres_world",
    "start",
    "world",
]
