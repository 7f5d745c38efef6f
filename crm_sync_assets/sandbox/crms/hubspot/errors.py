"""Refusals with the bodies the service sends."""

import uuid
from collections.abc import Mapping
from typing import Any

from crm_sync_assets.sandbox.faults import BODIES

SCOPES_URL = "https://developers.hubspot.com/scopes"


class Refusal(Exception):
    """An answer other than success; `body` is completed with status and correlation id."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {body.get('message', '')}")
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"status": "error", **body, "correlationId": str(uuid.uuid4())}


def invalid(message: str, **more: Any) -> Refusal:
    """400 with `VALIDATION_ERROR`."""
    return Refusal(400, {"message": message, "category": "VALIDATION_ERROR", **more})


def not_found(message: str = "resource not found") -> Refusal:
    """404 with `OBJECT_NOT_FOUND`."""
    return Refusal(404, {"message": message, "category": "OBJECT_NOT_FOUND"})


def moving(retry_after: int, status: int = 477) -> Refusal:
    """The account is on its way to another data centre, for so many seconds."""
    return Refusal(status, BODIES["migration"], {"Retry-After": str(retry_after)})


def missing_scope(scope: str) -> Refusal:
    """403 that names the scope."""
    return Refusal(
        403,
        {
            "message": "This app hasn't been granted all required scopes to make this call. Read "
            f"more about required scopes here: {SCOPES_URL}.",
            "errors": [
                {
                    "message": "One or more of the following scopes are required.",
                    "context": {"requiredGranularScopes": [scope]},
                }
            ],
            "links": {"scopes": SCOPES_URL},
            "category": "MISSING_SCOPES",
        },
    )
