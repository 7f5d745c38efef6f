"""The failure hook on every asset: a step that failed leaves no row `running`."""

from weakref import WeakValueDictionary

import dagster as dg

from crm_sync_assets.engine.run import abandon
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import FatalError
from crm_sync_assets.orchestration.failing import original
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.redaction import redact
from crm_sync_assets.told import TellingSafely, failure_message, reason_of
from crm_sync_assets.warehouse import history

_begun: WeakValueDictionary[tuple[str, str], Sync] = WeakValueDictionary()


def remember(run_id: str, sync: Sync) -> None:
    """Keep track of a sync that was begun, in case that nothing drains it."""
    _begun[run_id, sync.entity.name] = sync


def abandon_run(run_id: str, error: BaseException) -> None:
    """Close what this run has begun and not ended: an interrupted step runs no hooks."""
    for key in [key for key in _begun if key[0] == run_id]:
        begun = _begun.pop(key, None)
        if begun is not None:
            abandon(begun, error)


@dg.failure_hook(required_resource_keys={"warehouse"})
def close_history_row(context: dg.HookContext) -> None:
    """Close the history row of the failed step and free its entity, if the sync did not."""
    with TellingSafely():
        error = original(context.op_exception)
        message = redact(failure_message(error)) if error is not None else "the step failed"
        reason = reason_of(error) if error is not None else "other"
        crm, _, sync_type = context.step_key.partition("__")
        begun = _begun.pop((context.run_id, f"{crm}.{sync_type}"), None)
        if begun is not None:
            abandon(begun, error or FatalError(message))
        warehouse: WarehouseResource = context.resources.warehouse
        with warehouse.open().connection() as connection:
            history.close_failed_run(
                connection, context.run_id, crm, sync_type, message, reason=reason
            )
