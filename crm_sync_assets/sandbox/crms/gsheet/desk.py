"""The endpoints of Sheets, of Drive, and of the server that gives tokens."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, Tokens, after_scheme
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.gsheet.knobs import GSheetKnobs
from crm_sync_assets.sandbox.crms.gsheet.tokens import EMAIL, Invalid, verify
from crm_sync_assets.sandbox.crms.gsheet.world import Book, World
from crm_sync_assets.sandbox.ledger import Quota

SHEET = "sheet"
RENDERINGS = ("FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA")
KEY = "API key"
CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
}
_RANGE = re.compile(
    r"(?:(?:'((?:[^']|'')+)'|(\w+))(?:!|$))?(?:([A-Z]+)?(\d+)?(?::([A-Z]+)?(\d+)?)?)?"
)


def google_error(status: int, message: str, **details: Any) -> dict[str, Any]:
    """The body of an error of Sheets."""
    said = {"code": status, "message": message, "status": CODES.get(status, "UNKNOWN")}
    return {"error": {**said, **details}}


def drive_error(status: int, reason: str, message: str) -> dict[str, Any]:
    """The body of an error of Drive, which has no status."""
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return {"error": {"code": status, "message": message, "errors": errors}}


SPENT = (
    "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per user' "
    "of service 'sheets.googleapis.com' for consumer 'project_number:1'."
)
LIMIT = google_error(
    429,
    SPENT,
    details=[
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "RATE_LIMIT_EXCEEDED",
            "domain": "googleapis.com",
        }
    ],
)


class GSheetDesk(Desk):
    """Google's own errors; a spreadsheet is seen by whom it is shared with."""

    def __init__(
        self, stage: Stage, knobs: GSheetKnobs, world: World, tokens: Tokens, key: str
    ) -> None:
        super().__init__(stage)
        self._knobs, self._world, self._tokens, self._key = knobs, world, tokens, key

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, google_error(status, message))

    def admit(self, request: Request) -> Grant:
        key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
        if key is not None:
            if key != self._key:
                reason = [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
                said = "API key not valid. Please pass a valid API key."
                raise Refusal(400, google_error(400, said, details=reason))
            return Grant(key, KEY)
        grant = self._tokens.find(after_scheme(request, "bearer") or "")
        if grant is None or self._tokens.is_expired(grant):
            raise self.refusal(
                401,
                "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                "login cookie or other valid authentication credential.",
            )
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:
        if door.kind == SHEET:
            limit = self._knobs.gsheet_reads_per_minute
            yield Quota("gsheet minute", grant.account, limit, 60)

    def spent(self, quota: Quota) -> Refusal:  # noqa: ARG002  there is but one
        return Refusal(429, LIMIT, self.retry_after())

    # -- tokens ----------------------------------------------------------------------------------

    def token(self, call: Call) -> Answer:
        """An access token for a JWT that the service account has signed."""
        try:
            verify(call.body, str(call.request.url.replace(query="")))
        except Invalid as error:
            raise Refusal(400, {"error": error.code, "error_description": str(error)}) from None
        token = self._tokens.issue(EMAIL)
        lifetime = max(int(self.common.token_lifetime) - 1, 1)
        return Answer({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})

    # -- Drive -----------------------------------------------------------------------------------

    def file(self, call: Call) -> Answer:
        """What Drive knows of a spreadsheet."""
        book = self._world.book_of(call.path("id"))
        hidden = call.grant.account == KEY and self._knobs.gsheet_drive_refuses_keys
        if hidden:
            said = "The request is missing a valid authentication credential."
            raise Refusal(403, drive_error(403, "forbidden", said))
        if book is None or not book.is_shared:
            name = call.path("id")
            raise Refusal(404, drive_error(404, "notFound", f"File not found: {name}."))
        return Answer(
            {
                "id": book.id,
                "name": book.title,
                "modifiedTime": iso(book.modified),
                "version": str(book.version),
                "trashed": book.is_trashed,
            }
        )

    # -- Sheets ----------------------------------------------------------------------------------

    def spreadsheet(self, call: Call) -> Answer:
        """What a spreadsheet says of itself and its tabs."""
        book = self._seen(call)
        grid = {"rowCount": book.row_count, "columnCount": book.column_count}
        merges = [{"sheetId": 0, **merge} for merge in book.merges]
        return Answer(
            {
                "spreadsheetId": book.id,
                "properties": {
                    "title": book.title,
                    "locale": book.locale,
                    "timeZone": book.zone,
                },
                "sheets": [
                    {
                        "properties": _tab(0, book.tab, grid),
                        **({"merges": merges} if merges else {}),
                    },
                    {"properties": _tab(7, "Notes", {"rowCount": 10, "columnCount": 5})},
                ],
            }
        )

    def values(self, call: Call) -> Answer:
        """The cells of a range."""
        book = self._seen(call)
        return Answer(self._range(call, book, call.path("range")))

    def batch(self, call: Call) -> Answer:
        """The cells of several ranges."""
        book = self._seen(call)
        ranges = call.request.query_params.getlist("ranges")
        found = [self._range(call, book, one) for one in ranges]
        return Answer({"spreadsheetId": book.id, "valueRanges": found})

    def _seen(self, call: Call) -> Book:
        book = self._world.book_of(call.path("id"))
        if book is None:
            raise self.refusal(404, "Requested entity was not found.")
        if not book.is_shared:
            raise self.refusal(403, "The caller does not have permission")
        return book

    def _range(self, call: Call, book: Book, asked: str) -> dict[str, Any]:
        rendering = call.query("valueRenderOption") or RENDERINGS[0]
        if rendering not in RENDERINGS:
            raise BadRequest(f"Invalid value at 'value_render_option': \"{rendering}\"")
        dimension = call.query("majorDimension") or "ROWS"
        if dimension != "ROWS":
            raise BadRequest(f"the sandbox reads ROWS, not {dimension}")
        with self._world.lock:
            first, last, left, right = _corners(book, asked)
            grid = book.grid(formatted=rendering == RENDERINGS[0])
            rows = [row[left - 1 : right] for row in grid[first - 1 : last]]
            if self._knobs.gsheet_loading > 0 and len(rows) > 1 and rows[-1]:
                self._knobs.gsheet_loading -= 1
                rows[-1] = ["Loading...", *rows[-1][1:]]
        while rows and not rows[-1]:
            rows.pop()
        title = book.tab if re.fullmatch(r"\w+", book.tab) else f"'{book.tab}'"
        place = f"{title}!{_letters(left)}{first}:{_letters(right)}{last}"
        found: dict[str, Any] = {"range": place, "majorDimension": "ROWS"}
        return {**found, "values": rows} if rows else found


def _tab(number: int, title: str, grid: Mapping[str, int]) -> dict[str, Any]:
    return {
        "sheetId": number,
        "title": title,
        "index": min(number, 1),
        "sheetType": "GRID",
        "gridProperties": dict(grid),
    }


def _corners(book: Book, asked: str) -> tuple[int, int, int, int]:
    """First and last row, first and last column, clipped. BadRequest for what is no range of it."""
    found = _RANGE.fullmatch(asked)
    title = (found[1] or "").replace("''", "'") or found[2] if found else None
    if found is None or (title and title != book.tab):
        raise BadRequest(f"Unable to parse range: {asked}")
    first, last = (
        int(found[4] or 1),
        int(found[6] or (found[5] and book.row_count) or book.row_count),
    )
    left = _number(found[3] or "A")
    right = _number(found[5]) if found[5] else book.column_count
    if first > book.row_count or left > book.column_count:
        raise BadRequest(
            f"Range ({asked}) exceeds grid limits. Max rows: {book.row_count}, max columns: "
            f"{book.column_count}"
        )
    return first, min(last, book.row_count), left, min(right, book.column_count)


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _letters(number: int) -> str:
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


MANNER_BODIES: Mapping[str, Any] = {
    "limit": LIMIT,
    "drive limit": drive_error(403, "userRateLimitExceeded", "User Rate Limit Exceeded."),
    "denied": google_error(401, "Request had invalid authentication credentials."),
    "closed": google_error(403, "The caller does not have permission"),
    "missing": google_error(404, "Requested entity was not found."),
    "refused": google_error(400, "Invalid value"),
    "internal": json.loads('{"error": {"code": 500, "message": "Internal error encountered."}}'),
}
