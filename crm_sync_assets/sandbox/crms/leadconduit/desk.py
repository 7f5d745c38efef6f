"""LeadConduit's endpoint for events."""

import json
import re
from collections.abc import Iterator

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, basic
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.leadconduit.knobs import LeadConduitKnobs
from crm_sync_assets.sandbox.crms.leadconduit.world import World
from crm_sync_assets.sandbox.ledger import Quota

_ID = re.compile(r"[0-9a-f]{24}")


class LeadConduitDesk(Desk):
    """A bare array, the newest first unless asked otherwise."""

    def __init__(self, stage: Stage, knobs: LeadConduitKnobs, world: World, key: str) -> None:
        super().__init__(stage)
        self._knobs, self._world, self._key = knobs, world, key

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, {"message": message})

    def admit(self, request: Request) -> Grant:
        if basic(request) != ("API", self._key) or self._knobs.leadconduit_free:
            raise self.refusal(401, "Authorization information is missing or invalid")
        return Grant(self._key, "leadconduit")

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:  # noqa: ARG002  each costs one
        yield Quota("leadconduit minute", grant.account, self._knobs.leadconduit_per_minute, 60)

    def events(self, call: Call) -> Answer:
        """A page."""
        limit, found = call.number("limit", 100, 1_000), self._world.shown(call.now)
        if call.query("include") and call.query("exclude"):
            raise BadRequest("include and exclude are mutually exclusive")
        ruled = self._ruled(call.query("rules"))
        sort = call.query("sort") or "desc"
        if sort not in ("asc", "desc"):
            raise BadRequest(f"sort: {sort!r}")
        after, before = self._id(call, "after_id"), self._id(call, "before_id")
        start, end = self._moment(call, "start"), self._moment(call, "end")
        kind = None if self._knobs.leadconduit_ignores_type else call.query("type")
        if self._knobs.leadconduit_refuses_type and call.query("type"):
            raise BadRequest("type is not allowed")
        found = [
            one
            for one in found
            if (after is None or one.id > after)
            and (before is None or one.id < before)
            and (start is None or one.made >= start)
            and (end is None or one.made <= end)
            and kind in (None, one.type)
            and ruled in (None, one.type)
        ]
        if sort == "desc":
            found.reverse()
        return Answer([one.record for one in found[: max(1, limit - self.common.page_shrink)]])

    def event(self, call: Call) -> Answer:
        """One."""
        for one in self._world.shown(call.now):
            if one.id == call.path("id"):
                return Answer(one.record)
        raise self.refusal(404, "Not found")

    def _id(self, call: Call, name: str) -> str | None:
        given = call.query(name)
        if given is not None and not _ID.fullmatch(given):
            raise BadRequest(f"{name} must be 24 hexadecimal digits")
        return given

    def _moment(self, call: Call, name: str) -> int | None:
        given = call.query(name)
        try:
            return None if given is None else epoch_ms(given)
        except ValueError:
            raise BadRequest(f"{name}: {given!r} is no moment") from None

    def _ruled(self, given: str | None) -> str | None:
        """The type that rules ask for; others than of that form are not played."""
        try:
            rules = json.loads(given or "[]")
        except ValueError:
            rules = None
        if not isinstance(rules, list):
            raise BadRequest("rules must be a JSON array")
        for rule in rules:
            if not isinstance(rule, dict) or rule.keys() != {"lhv", "op", "rhv"}:
                raise BadRequest("a rule has lhv, op and rhv")
            if (rule["lhv"], rule["op"]) != ("type", "is equal to"):
                raise BadRequest(f"rule of {rule['lhv']!r}")
            return str(rule["rhv"])
        return None
