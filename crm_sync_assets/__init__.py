"""CRM data into PostgreSQL, one Dagster asset per entity, with a history that never lies."""

__version__ = "0.1.0"
