"""Dagster, and only here: assets, checks, IO manager, resources, sensors, schedules, jobs."""
