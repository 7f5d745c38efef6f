"""The Dagster instance of the command line, of `dev` and of `demo`: one trace of every run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.errors import Unavailable, UsageError
from crm_sync_assets.settings import Environment, made_folder, variables
from crm_sync_assets.told import cause

if TYPE_CHECKING:
    from dagster import DagsterInstance

CONFIGURATION = Path(__file__).resolve().parents[2] / "dagster.yaml"


def instance_folder(environment: Environment) -> Path:
    """DAGSTER_HOME, else a folder in the state folder that follows the project's dagster.yaml.

    It is made where it is missing. Raises UsageError naming the variable when it cannot be made or
    written.
    """
    given = variables().get("DAGSTER_HOME")
    if given:
        # Dagster itself takes neither ~ nor a relative path nor a folder that does not exist.
        folder = Path(given).expanduser().resolve()
        return made_folder(folder, "DAGSTER_HOME", "Dagster's folder")
    folder = environment.made_home() / "dagster"
    target = folder / CONFIGURATION.name
    wanted = (
        CONFIGURATION.read_text("utf-8")
        if CONFIGURATION.exists()
        else "telemetry: {enabled: false}\n"
    )
    try:
        folder.mkdir(exist_ok=True)
        if not target.exists() or target.read_text("utf-8") != wanted:
            # Other processes may be reading it: it is replaced whole.
            fresh = folder / f"{target.name}.{os.getpid()}"
            fresh.write_text(wanted, "utf-8")
            fresh.replace(target)
    except OSError as error:
        raise UsageError(
            f"{error.filename} in the state folder cannot be written ({error.strerror}): set "
            "CRM_SYNC_HOME to a folder that can, or DAGSTER_HOME to one of Dagster's own"
        ) from error
    return folder


def open_instance(environment: Environment, *, to_run: bool = False) -> DagsterInstance:
    """The instance; the caller disposes of it. Raises FatalError naming what to check.

    `to_run` says that it is opened for a run in this process: SQLite is written faster then, and
    what the process prints is shown, not captured into files.
    """
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef
    from dagster._serdes import ConfigurableClassData
    from dagster_shared.error import DagsterError

    folder = instance_folder(environment)
    try:
        ref = InstanceRef.from_dir(str(folder))
        if to_run:
            from crm_sync_assets.log import without_rich

            with without_rich():
                # Dagster's storages import its daemon, and that structlog.
                from crm_sync_assets.orchestration.run_storage import with_run_storage

            # Capturing takes the terminal from the progress bars, and its helper processes print a
            # traceback each on Ctrl-C. The run's log, which the UI shows, has our lines.
            quiet = ConfigurableClassData(
                "dagster._core.storage.noop_compute_log_manager", "NoOpComputeLogManager", "{}"
            )
            ref = with_run_storage(ref)._replace(compute_logs_data=quiet)
        return dg.DagsterInstance.from_ref(ref)
    except DagsterError as error:
        reason = str(error).strip().splitlines()[0]
        raise Unavailable(f"the Dagster instance in {folder} cannot be opened: {reason}") from error
    except Exception as error:
        raise Unavailable(
            f"the Dagster instance in {folder} cannot be opened: {cause(error)}. "
            "Check its dagster.yaml"
        ) from error
