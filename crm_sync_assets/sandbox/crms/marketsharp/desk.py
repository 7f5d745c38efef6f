"""MarketSharp's data service."""

import base64
import hashlib
import hmac
import random
import re
import time
from datetime import datetime
from urllib.parse import unquote

from starlette.requests import Request

from crm_sync_assets.sandbox.answers import address
from crm_sync_assets.sandbox.auth import Grant
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.marketsharp import atom
from crm_sync_assets.sandbox.crms.marketsharp.conditions import Condition, ordered
from crm_sync_assets.sandbox.crms.marketsharp.knobs import MarketSharpKnobs
from crm_sync_assets.sandbox.crms.marketsharp.sets import PLAIN, SETS, key_of
from crm_sync_assets.sandbox.crms.marketsharp.values import COMPANY
from crm_sync_assets.sandbox.crms.marketsharp.world import Row, World

MOST_SKEW = 300
"""Seconds."""
XML = "application/xml;charset=utf-8"
_PATH = re.compile(r"(\w+)(?:\((.*)\))?")


def signature(company: str, key: str, secret: str, second: str) -> str:
    """What a request of that second has to be signed with."""
    signed = hmac.new(base64.b64decode(secret), (company + key + second).encode(), hashlib.sha256)
    return base64.b64encode(signed.digest()).decode()


class MarketSharpDesk(Desk):
    """Sets are read and nothing else; what is refused says so in XML."""

    media_type = XML

    def __init__(
        self, stage: Stage, knobs: MarketSharpKnobs, world: World, key: str, secret: str
    ) -> None:
        super().__init__(stage)
        self._knobs, self._world = knobs, world
        self._key, self._secret = key, secret
        self._chance = random.Random(stage.seed)

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, atom.error(message))

    def before(self, door: Door) -> None:  # noqa: ARG002  the same for all
        most = self._knobs.marketsharp_at_once
        if most and self.ledger.running["marketsharp"] > most:
            raise self.refusal(503, "The service is unavailable.")

    def admit(self, request: Request) -> Grant:
        """There is no word for the scheme."""
        parts = request.headers.get("authorization", "").split(":")
        if len(parts) == 4:
            company, key, second, signed = parts
            right = signature(COMPANY, self._key, self._secret, second)
            now = time.time() + self._knobs.marketsharp_skew
            is_known = (company, key) == (COMPANY, self._key) and second.isdecimal()
            is_signed = is_known and hmac.compare_digest(signed.encode(), right.encode())
            if is_signed and abs(now - int(second)) <= MOST_SKEW:
                return Grant(key, company)
        raise self.refusal(401, "Unauthorized")

    # -- endpoints -------------------------------------------------------------------------------

    def service(self, _: Call) -> Answer:
        """Which sets there are."""
        return Answer(atom.service())

    def metadata(self, _: Call) -> Answer:
        """How they are spelled."""
        if self._knobs.marketsharp_hides_schema:
            raise self.refusal(404, "Resource not found for the segment '$metadata'.")
        return Answer(atom.metadata(PLAIN if self._knobs.marketsharp_plain_names else {}))

    def set(self, call: Call) -> Answer:
        """A page of a set, or one record of it."""
        found = _PATH.fullmatch(unquote(call.path("rest")))
        name = found[1] if found else ""
        if name not in SETS:
            raise self.refusal(404, f"Resource not found for the segment '{name}'.")
        rows = list(self._world.rows(name, call.now))
        kinds = self._world.kinds(name)
        base = str(call.request.url).partition("?")[0].rpartition("/")[0]
        updated = datetime.fromtimestamp(call.now / 1_000).strftime("%Y-%m-%dT%H:%M:%SZ")
        if found and found[2] is not None:
            one = Condition(f"{key_of(name)} eq {found[2]}", kinds)
            rows = [row for row in rows if one.test(row)]
            if not rows:
                raise self.refusal(404, f"Resource not found for the segment '{name}'.")
            following = None
        else:
            rows, following = self._page(call, self._chosen(call, rows, kinds))
        content = atom.feed(name, base, rows, kinds, updated=updated, following=following)
        return Answer(content, headers={"Content-Type": atom.TYPE})

    def _chosen(self, call: Call, rows: list[Row], kinds: dict[str, str]) -> list[Row]:
        """What $filter leaves, in the order of $orderby; without one, in no order."""
        if condition := call.query("$filter"):
            test = Condition(condition, kinds, self._stored).test
            rows = [row for row in rows if test(row)]
        if order := call.query("$orderby"):
            return ordered(rows, order, kinds)
        self._chance.shuffle(rows)
        return rows

    def _page(self, call: Call, rows: list[Row]) -> tuple[list[Row], str | None]:
        start = self._number(call, "$skip", 0) + self._number(call, "$skiptoken", 0)
        top = self._number(call, "$top", len(rows))
        most = self._knobs.marketsharp_page_cap or top
        most = max(1, most - self.common.page_shrink) if top else 0
        page = rows[start : start + min(top, most)]
        left = top - len(page)
        if len(page) < most or not left or start + len(page) >= len(rows):
            return page, None
        token = self._number(call, "$skiptoken", 0) + len(page)
        return page, address(call.request, **{"$skiptoken": token, "$top": left})

    def _stored(self, shown: str) -> str:
        """A moment as the database has it: shown in milliseconds, kept in thirds of them."""
        whole, _, fraction = shown.partition(".")
        if not self._knobs.marketsharp_rounds or fraction.ljust(3, "0")[2] != "7":
            return shown
        return f"{whole}.{int(fraction.ljust(7, '0')[:7]) - 3_333:07d}"

    def _number(self, call: Call, name: str, default: int) -> int:
        given = call.query(name)
        if given is None:
            return default
        if not given.isdecimal():
            raise BadRequest(f"Incorrect format for {name} argument '{given}'.")
        return int(given)
