"""CallRail's endpoints. https://apidocs.callrail.com"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.answers import address, by_number, by_offset, link
from crm_sync_assets.sandbox.auth import Grant, Tokens, quoted_token
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.callrail.knobs import CallRailKnobs
from crm_sync_assets.sandbox.crms.callrail.records import DEFAULTS
from crm_sync_assets.sandbox.crms.callrail.world import Row, World
from crm_sync_assets.sandbox.ledger import Quota
from crm_sync_assets.sandbox.store import Version

MOST = 250
DATED = ("calls", "form_submissions", "conversations")
TOTALS_MISSING = ("trackers", "tags", "users")
ENUMS = {
    "order": ("asc", "desc"),
    "direction": ("inbound", "outbound"),
    "answer_status": ("answered", "missed", "voicemail"),
    "call_type": ("first_call", "missed", "voicemails", "inbound", "outbound"),
    "lead_status": ("good_lead", "not_a_lead", "not_scored"),
    "date_range": ("recent", "today", "yesterday", "last_7_days", "last_30_days", "all_time"),
}
RANGES = {"recent": 30, "today": 0, "yesterday": 1, "last_7_days": 7, "last_30_days": 30}
Seen = tuple[int, Version | None]


class CallRailDesk(Desk):
    """Lists are newest first and, without a date, of the last 30 days."""

    def __init__(self, stage: Stage, knobs: CallRailKnobs, world: World, tokens: Tokens) -> None:
        super().__init__(stage)
        self._knobs = knobs
        self._world = world
        self._tokens = tokens

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, message if self._knobs.callrail_plain_errors else {"error": message})

    def admit(self, request: Request) -> Grant:
        grant = self._tokens.find(quoted_token(request) or "")
        if grant is None:
            raise self.refusal(401, "HTTP Token: Access denied.")
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:  # noqa: ARG002  each costs one
        knobs, day = self._knobs, iso(self.clock.now_ms())[:10]
        yield Quota("callrail hour", grant.account, knobs.callrail_hourly, 3_600)
        yield Quota("callrail day", grant.account, knobs.callrail_daily, day=day)

    def spent(self, quota: Quota) -> Refusal:  # noqa: ARG002  it does not say which
        return Refusal(429, {"error": "Rate limit exceeded"}, self.retry_after())

    # -- endpoints -------------------------------------------------------------------------------

    def accounts(self, call: Call) -> Answer:
        """Those that the key's user may see."""
        table, hidden = self._world.table("accounts"), self._knobs.callrail_hidden_accounts
        rows = [(n, v) for n, v in table.walk(0, False, call.now) if table.id_of(n) not in hidden]
        return self._numbered(call, "accounts", "accounts", rows)

    def account(self, call: Call) -> Answer:
        """One of them."""
        return Answer(self._shown(call, "accounts", *self._account(call)))

    def listing(self, kind: str, key: str) -> Any:
        """The handler of a list whose records are below `key`."""

        def answer(call: Call) -> Answer:
            for name, known in ENUMS.items():
                if (given := call.query(name)) is not None and given not in known:
                    raise BadRequest(f"{name}: {given!r} is none of {', '.join(known)}")
            rows = list(self._rows(call, kind))
            if kind == "calls" and call.query("relative_pagination") == "true":
                return self._relative(call, rows)
            return self._numbered(call, kind, key, rows)

        return answer

    def single(self, kind: str) -> Any:
        """The handler of one record, disabled or not."""

        def answer(call: Call) -> Answer:
            account, _ = self._account(call)
            table = self._world.table(kind)
            number = table.number_of(call.path("id"))
            state, version = table.state(number, call.now) if number is not None else (None, None)
            if number is None or state != "live" or not self._visible(
                kind, account, table.values(number, version)
            ):  # fmt: skip
                raise self.refusal(404, "Not found")
            row = self._shown(call, kind, number, version)
            if kind == "conversations":
                del row["recent_messages"]
                row[self._knobs.callrail_messages] = self._world.messages(number, version)
            return Answer(row)

        return answer

    # -- what a list has -------------------------------------------------------------------------

    def _account(self, call: Call) -> Seen:
        table = self._world.table("accounts")
        number = table.number_of(call.path("account"))
        if number is None or call.path("account") in self._knobs.callrail_hidden_accounts:
            raise self.refusal(404, "Account not found")
        return number, table.state(number, call.now)[1]

    def _visible(self, kind: str, account: int, values: Row) -> bool:
        world = self._world
        own = values["id"] if kind == "companies" else world.company(values)
        is_companys = kind not in ("tags", "users")
        hidden = self._knobs.callrail_hidden_companies
        return world.account(kind, values) == account and not (is_companys and own in hidden)

    def _rows(self, call: Call, kind: str) -> Iterator[Seen]:
        world, table = self._world, self._world.table(kind)
        account, _ = self._account(call)
        first, last = self._range(call) if kind in DATED else (0, 1 << 62)
        found = []
        for number, version in table.walk(0, False, call.now):
            at = world.began(kind, number, version)
            if first <= at < last and self._visible(kind, account, table.values(number, version)):
                found.append((at, number, version))
        is_ascending = call.query("sort") and call.query("order") == "asc"
        found.sort(key=lambda one: one[:2], reverse=not is_ascending)
        asked = {n: call.query(n) for n in ("company_id", "tracker_id", "lead_status", "direction")}
        for _, number, version in found:
            row = world.row(kind, number, version) if any(asked.values()) else {}
            if all(not want or str(_value(row, name)) == want for name, want in asked.items()):
                yield number, version

    def _range(self, call: Call) -> tuple[int, int]:
        """From, and before: epoch ms. BadRequest, or another refusal, beyond 25 months."""
        zone = timezone(timedelta(hours=self._knobs.callrail_utc_offset))
        now = datetime.fromtimestamp(call.now / 1000, UTC).astimezone(zone)
        start, end = call.query("start_date"), call.query("end_date")
        preset = call.query("date_range") or "recent"
        if preset == "all_time" and not start:
            raise self._too_far()
        if start or end:
            first = _moment(start, zone) if start else now - timedelta(days=30)
            last = _moment(end, zone) if end else now
            if end and len(end) == len("2026-03-01"):
                last += timedelta(days=1)
        else:
            first = _midnight(now.date() - timedelta(days=RANGES[preset]), zone)
            last = now + timedelta(days=1)
        if first < _midnight(_months_before(now.date(), 25), zone):
            raise self._too_far()
        return round(first.timestamp() * 1000), round(last.timestamp() * 1000)

    def _too_far(self) -> Refusal:
        message = "Data is available for the last 25 months: please revise the date range"
        return self.refusal(self._knobs.callrail_range_status, message)

    def _shown(self, call: Call, kind: str, number: int, version: Version | None) -> Row:
        row, defaults = self._world.row(kind, number, version), DEFAULTS.get(kind)
        asked = set(call.names("fields") or ())
        hidden = self._knobs.callrail_hidden_fields
        return {
            name: value
            for name, value in row.items()
            if (defaults is None or name in defaults or name in asked) and name not in hidden
        }

    # -- pages -----------------------------------------------------------------------------------

    def _size(self, call: Call) -> int:
        given = call.query("per_page")
        if self._knobs.callrail_clamps and given and given.isdecimal():
            return min(max(int(given), 1), MOST)
        return call.number("per_page", 100, MOST)

    def _numbered(self, call: Call, kind: str, key: str, rows: list[Seen]) -> Answer:
        number, size = call.number("page", 1, 10**6), self._size(call)
        page = by_number(rows, number, size, self.common)
        found: Row = {"page": number, "per_page": size}
        if not (self._knobs.callrail_no_totals and kind in TOTALS_MISSING):
            found |= {"total_pages": page.pages, "total_records": page.total}
        found[key] = [self._shown(call, kind, *seen) for seen in page.items]
        more = number < page.pages
        return Answer(found, headers=link(address(call.request, page=number + 1)) if more else {})

    def _relative(self, call: Call, rows: list[Seen]) -> Answer:
        """Pages by an address, which forgets that it is one of these."""
        size, offset = self._size(call), call.number("offset", 0, 10**6, lowest=0)
        page = by_offset(rows[offset:], offset, size, len(rows), self.common)
        found: Row = {"per_page": size, "has_next_page": page.following is not None}
        if page.following is not None:
            url = call.request.url.remove_query_params("relative_pagination")
            found["next_page"] = str(url.include_query_params(offset=page.following))
        found["calls"] = [self._shown(call, "calls", *seen) for seen in page.items]
        return Answer(found)


def _value(row: Row, name: str) -> Any:
    if name == "company_id" and "company" in row:
        return row["company"]["id"]
    return row.get(name)


def _midnight(day: date, zone: timezone) -> datetime:
    return datetime.combine(day, time(), zone)


def _moment(text: str, zone: timezone) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _months_before(day: date, count: int) -> date:
    months = day.year * 12 + day.month - 1 - count
    year, month = divmod(months, 12)
    while True:
        try:
            return date(year, month + 1, day.day)
        except ValueError:
            day = day - timedelta(days=1)
