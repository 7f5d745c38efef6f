"""Bodies with many ids, and the envelope of what comes back."""

from collections.abc import Iterable, Mapping
from typing import Any

from crm_sync_assets.sandbox.answers import text
from crm_sync_assets.sandbox.calls import Answer, Call
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crms.hubspot.errors import Refusal, invalid
from crm_sync_assets.sandbox.crms.hubspot.records import Table

MAX_BATCH = 100


def batch_inputs(call: Call, most: int) -> list[str]:
    """The ids of a batch body. Refusal when they are missing, malformed or too many."""
    inputs = call.body.get("inputs") if isinstance(call.body, Mapping) else None
    if not isinstance(inputs, list):
        raise invalid("Invalid input JSON: inputs is required")
    if not inputs:
        raise invalid("inputs must not be empty")
    if len(inputs) > most:
        raise too_many_inputs(f"is {most}")
    ids = [one.get("id") if isinstance(one, Mapping) else None for one in inputs]
    if not all(isinstance(i, str | int) and not isinstance(i, bool) for i in ids):
        raise invalid("Invalid input JSON: every input needs an id")
    return [str(i) for i in ids]


def too_many_inputs(limit: str) -> Refusal:
    """400, in the service's words."""
    return invalid(
        f"The maximum number of inputs supported in a batch request {limit}. Please reduce the "
        "number of items and try again"
    )


def batch_answer(
    call: Call, results: Iterable[str], errors: list[dict[str, Any]], status: int = 200
) -> Answer:
    """The envelope of batch endpoints: 207 as soon as there is an error."""
    joined = ",".join(results)
    failed = f',"numErrors":{len(errors)},"errors":{text(errors)}' if errors else ""
    times = f'"startedAt":"{iso(call.now)}","completedAt":"{iso(call.now)}"'
    body = f'{{"status":"COMPLETE","results":[{joined}]{failed},{times}}}'
    return Answer(body, 207 if errors else status)


def missing(table: Table, ids: list[str]) -> list[dict[str, Any]]:
    """What an envelope says of ids that it has no record for."""
    if not ids:
        return []
    entry = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {table.kind.singular.upper()} objects, they may be deleted "
        "or not exist. Check that ids are valid.",
        "context": {"ids": ids},
    }
    return [entry]
