"""Refusals with the bodies the service sends."""

import uuid
from collections.abc import Mapping
from typing import Any

from crm_sync_assets.sandbox import calls
from crm_sync_assets.sandbox.faults import Manner

SCOPES_URL = "https://developers.hubspot.com/scopes"

BODIES: dict[str, dict[str, Any]] = {
    "secondly": {
        "status": "error",
        "message": "You have reached your secondly limit.",
        "category": "RATE_LIMITS",
    },
    "ten_secondly": {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT",
        "policyName": "TEN_SECONDLY_ROLLING",
    },
    "daily": {
        "status": "error",
        "message": "You have reached your daily limit.",
        "errorType": "RATE_LIMIT",
        "policyName": "DAILY",
    },
    "expired": {
        "status": "error",
        "message": "The OAuth token used to make this call expired 75 second(s) ago.",
        "category": "EXPIRED_AUTHENTICATION",
        "context": {"expire time": ["2022-06-21T10:37:52.040Z"]},
    },
    "scopes": {
        "status": "error",
        "message": "This app hasn't been granted all required scopes to make this call. Read more "
        "about required scopes here: https://developers.hubspot.com/scopes.",
        "errors": [
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": ["crm.objects.contacts.read"]},
            }
        ],
        "links": {"scopes": "https://developers.hubspot.com/scopes"},
        "category": "MISSING_SCOPES",
    },
    "not_found": {
        "status": "error",
        "message": "resource not found",
        "category": "OBJECT_NOT_FOUND",
    },
    "validation": {
        "status": "error",
        "message": "There was a problem with the request.",
        "category": "VALIDATION_ERROR",
    },
    "internal": {"status": "error", "message": "internal error"},
    "locked": {"status": "error", "message": "This resource is locked.", "category": "LOCKED"},
    "migration": {"status": "error", "message": "Migration in progress", "category": "MIGRATION"},
}
_USUAL = {400: "validation", 401: "expired", 403: "scopes", 404: "not_found", 423: "locked"} | {
    429: "ten_secondly",
    477: "migration",
}
_CORRELATION = {"correlationId": "de61843f-0000-4000-8000-000000000000"}
MANNER = Manner(
    lists=frozenset(["results"]),
    bodies={name: {**body, **_CORRELATION} for name, body in BODIES.items()},
    usual=_USUAL,
    kind="application/json;charset=utf-8",
)


class Refusal(calls.Refusal):
    """An answer other than success; `body` is completed with status and correlation id."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        correlation = str(uuid.uuid4())
        super().__init__(
            status,
            {"status": "error", **body, "correlationId": correlation},
            {**(headers or {}), "X-HubSpot-Correlation-Id": correlation},
        )


def invalid(message: str, status: int = 400, **more: Any) -> Refusal:
    """400 with `VALIDATION_ERROR`."""
    return Refusal(status, {"message": message, "category": "VALIDATION_ERROR", **more})


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
