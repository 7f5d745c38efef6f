"""The failure hook on every asset: a step that failed leaves no row `running`."""

import dagster as dg

from crm_sync_assets import history
from crm_sync_assets.log import redact
from crm_sync_assets.resources import WarehouseResource
from crm_sync_assets.sync import failure_message


@dg.failure_hook(required_resource_keys={"warehouse"})
def close_history_row(context: dg.HookContext) -> None:
    """Close the history row of the failed step, if the sync itself could not."""
    warehouse: WarehouseResource = context.resources.warehouse
    error = context.op_exception
    message = failure_message(error) if error is not None else "the step failed"
    crm, _, sync_type = context.step_key.partition("__")
    with warehouse.open().connection() as connection:
        history.close_failed_run(connection, context.run_id, crm, sync_type, redact(message))
