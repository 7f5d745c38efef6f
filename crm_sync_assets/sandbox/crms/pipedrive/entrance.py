"""Who may ask Pipedrive, how it says no, and what its limits are."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, Tokens, after_scheme, basic
from crm_sync_assets.sandbox.calls import Answer, Call, Desk, Door, Refusal, content_type
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.pipedrive.knobs import PipedriveKnobs
from crm_sync_assets.sandbox.crms.pipedrive.world import World, day_of
from crm_sync_assets.sandbox.faults import HTML, Manner
from crm_sync_assets.sandbox.ledger import Quota

CLIENT = ("pipedrive-client", "pipedrive-client-secret")
COMPANY = {"company_id": 777, "company_name": "Acme Roofing", "company_domain": "acme"}


def error(text: str, info: str = "") -> dict[str, Any]:
    """The body of a refusal."""
    more = {"error_info": info} if info else {}
    return {"success": False, "error": text, **more, "data": None, "additional_data": None}


_UNAUTHORIZED = {**error("unauthorized access", "Check your token"), "errorCode": 401}
MANNER = Manner(
    lists=frozenset(["data"]),
    bodies={
        "unauthorized": _UNAUTHORIZED,
        "bad": error("Validation failed"),
        "forbidden": error("Scope and URL mismatch"),
        "missing": error("Entity was not found"),
        "over": error("Request over limit"),
        "internal": error("Internal server error"),
    },
    usual={400: "bad", 401: "unauthorized", 403: "forbidden", 404: "missing", 429: "over"},
)


class Entrance(Desk):
    """Credentials, limits, refusals."""

    def __init__(self, stage: Stage, knobs: PipedriveKnobs, world: World, tokens: Tokens) -> None:
        super().__init__(stage)
        self._knobs = knobs
        self._world = world
        self._tokens = tokens
        self._refused: dict[str, int] = {}

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, error(message))

    def before(self, door: Door) -> None:  # noqa: ARG002
        if self._knobs.pipedrive_blocked:
            raise _blocked()

    def admit(self, request: Request) -> Grant:
        given = request.headers.get("authorization")
        token = request.headers.get("x-api-token") or after_scheme(request, "bearer")
        if given is not None and not token:
            raise self.refusal(400, "Malformed Authorization header")
        grant = self._tokens.find(token or "")
        if grant is None or self._tokens.is_expired(grant):
            raise Refusal(401, _UNAUTHORIZED, {"x-401-by-gw": "true"})
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:  # noqa: ARG002
        day, knobs = day_of(self.clock.now_ms()), self._knobs
        yield Quota("pipedrive burst", grant.token, knobs.pipedrive_burst, 2, each=True)
        yield Quota("pipedrive tokens", grant.account, knobs.pipedrive_daily, day=day)
        self._refused[grant.token] = 0

    def spent(self, quota: Quota) -> Refusal:
        refused = self._refused[quota.key] = self._refused.get(quota.key, 0) + 1
        most = self._knobs.pipedrive_block_after
        if most and refused > most:
            return _blocked()
        headers = self.retry_after()
        if quota.each:
            headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}
        elif self._knobs.pipedrive_daily_headers:
            headers["x-daily-ratelimit-token-remaining"] = "0"
        return Refusal(429, error("Request over limit"), headers)

    def headers(self, grant: Grant, door: Door) -> dict[str, str]:  # noqa: ARG002
        used = self.ledger.daily[grant.account, day_of(self.clock.now_ms())]
        burst = self._knobs.pipedrive_burst - self.ledger.used("pipedrive burst", grant.token)
        found = {
            "x-ratelimit-limit": str(self._knobs.pipedrive_burst),
            "x-ratelimit-remaining": str(max(0, burst)),
            "x-ratelimit-reset": "2",
        }
        if self._knobs.pipedrive_daily_headers:
            left = max(0, self._knobs.pipedrive_daily - used)
            found["x-daily-ratelimit-token-remaining"] = str(left)
        return found

    def token(self, call: Call) -> Answer:
        """A form, and the client's own credentials in the header."""
        if content_type(call.request) != "application/x-www-form-urlencoded":
            raise _no_grant("Invalid request: content must be application/x-www-form-urlencoded")
        if basic(call.request) != CLIENT:
            raise _no_grant("Invalid client: client is invalid", "invalid_client")
        kind = call.body.get("grant_type")
        if kind != "refresh_token":
            raise _no_grant(
                f"Unsupported grant type: {kind}" if kind else "Missing parameter: grant_type"
            )
        renewed = self._tokens.renew(call.body.get("refresh_token", ""))
        if renewed is None:
            raise _no_grant("Invalid grant: refresh_token is invalid", "invalid_grant")
        url = call.request.url
        return Answer(
            {
                "access_token": renewed.access_token, "token_type": "Bearer",
                "refresh_token": renewed.refresh_token, "scope": "deals:read,contacts:read",
                "expires_in": renewed.lifetime, "api_domain": f"{url.scheme}://{url.netloc}/pipedrive",
            }
        )  # fmt: skip

    def me(self, _: Call) -> Answer:
        """Whose token it is."""
        return answered({"id": 11, "name": "User 11", "is_you": True, **COMPANY})


def answered(data: Any, additional: Any = None) -> Answer:
    return Answer({"success": True, "data": data, "additional_data": additional})


def _no_grant(message: str, code: str = "invalid_request") -> Refusal:
    return Refusal(400, {"success": False, "message": message, "error": code})


def _blocked() -> Refusal:
    return Refusal(403, HTML, {"content-type": "text/html; charset=UTF-8"})
