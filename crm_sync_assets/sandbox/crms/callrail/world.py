"""What CallRail holds, and what happens there."""

from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms, iso
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.callrail.records import (
    DAY_MS,
    FIELDS,
    KINDS,
    PLACED,
    Recent,
)
from crm_sync_assets.sandbox.life import Life, Moment
from crm_sync_assets.sandbox.store import Table, Version

SMALL = {"accounts": 2, "companies": 6, "trackers": 9, "tags": 40, "users": 30}
LATE_MS = 20 * 60_000
TAIL = 2
"""Newest messages that the list of conversations has."""
Row = dict[str, Any]


class World(Life[Table]):
    """No date moves with an edit: what lists show is when a record began."""

    def __init__(self, stage: Stage, calls: int, accounts: int, others: int) -> None:
        self._counts = {**SMALL, "accounts": accounts, "calls": calls}
        self._counts |= dict.fromkeys(("form_submissions", "conversations"), others)
        super().__init__(stage)

    def begin(self) -> Mapping[str, Table]:
        return {
            kind.name: Table(
                Recent(
                    self.seed, kind, self._counts[kind.name], {**PLACED, **FIELDS[kind.name]}, ()
                )
            )
            for kind in KINDS
        }

    # -- what happens ----------------------------------------------------------------------------

    def disable(self, type: str, id: str) -> None:
        """A company or a tracker, which is listed all the same."""
        self.edit(type, id, {"status": "disabled", "disabled_at": iso(self.clock.now_ms())})

    def tag(self, type: str, id: str, tag: str) -> None:
        """Give a call or a form one more tag."""
        given = self.get(type, id)["properties"]["tags"] or []
        self.edit(type, id, {"tags": [*given, self.row("tags", self.find("tags", tag)[1])]})

    def say(self, id: str, content: str, direction: str = "incoming") -> None:
        """One more message of a conversation."""
        with self.lock:
            table, number = self.find("conversations", id)
            said = self.messages(number, table.record(number).latest)
            new = self._message(self.clock.now_ms(), content, direction)
            self.edit("conversations", id, {"_messages": [*said, new]})

    def spam(self, id: str) -> None:
        """A call is in no list any more, and nothing tells of it."""
        self.purge("calls", id)

    def begin_call(self, at: Moment | None = None, **values: Any) -> str:
        """One more call, with believable values; its id."""
        with self.lock:
            base = self.table("calls").base
            number = self.table("calls").next_number
            likely = {n: make(number, base.mix(number), base.pools)
                      for n, make in base.unique.items()}  # fmt: skip
            return self.create("calls", {**likely, **values}, at)

    # -- what there is ---------------------------------------------------------------------------

    def messages(self, number: int, version: Version | None) -> list[Row]:
        """All messages of a conversation, the oldest first."""
        table = self.table("conversations")
        given = (version.changes.get("_messages") if version else None) or None
        if given is not None or number >= table.base.count:
            return list(given or [self._message(table.created(number), "Hello", "incoming")])
        h, begun = table.base.mix(number), table.created(number)
        found = [
            self._message(
                begun + n * 3_600_000, f"Running late {n}", ("incoming", "outgoing")[n % 2]
            )
            for n in range(1 + h % 6)
        ]
        # The same twice at the same moment: nothing tells them apart but their number.
        return [*found, dict(found[-1])] if h % 5 == 0 else found

    def _message(self, at: int, content: str, direction: str) -> Row:
        said = {"direction": direction, "content": content, "created_at": iso(at)}
        return {**said, "type": "sms", "media_urls": []}

    def began(self, kind: str, number: int, version: Version | None) -> int:
        """The moment that the dates of a list are about, epoch ms."""
        if kind != "conversations":
            return self.table(kind).created(number)
        return epoch_ms(str(self.messages(number, version)[-1]["created_at"]))

    def account(self, kind: str, values: Row) -> int:
        """The number of the account that a record belongs to."""
        count = self.table("accounts").base.count
        if kind in ("tags", "users", "companies", "accounts"):
            return int(values["_account"] or 0) % count
        return self._company(values) % count

    def _company(self, values: Row) -> int:
        """The number of its company; what is of account A belongs to a company of A."""
        return int(values["_company"] or 0) % self.table("companies").next_number

    def company(self, values: Row) -> str:
        return self.table("companies").id_of(self._company(values))

    def row(self, kind: str, number: int, version: Version | None = None) -> Row:
        """A record with all its fields, as the API has it."""
        table = self.table(kind)
        if version is None and number in table.records:
            version = table.records[number].latest
        values = table.values(number, version)
        shown = {name: value for name, value in values.items() if not name.startswith("_")}
        add = getattr(self, f"_{kind}", None)
        if add is not None:
            shown |= add(number, version, values)
        if kind == "companies":
            shown["id"] = _number_or_text(shown["id"])
        return shown

    def _calls(self, number: int, _version: Version | None, values: Row) -> Row:
        url = f"https://app.callrail.com/calls/{values['id']}"
        is_late = self.clock.now_ms() < self.table("calls").created(number) + LATE_MS
        found: Row = {"recording": None, "recording_player": None, "recording_duration": None}
        if not is_late and values["duration"]:
            seconds = values["duration"]
            found = {
                "recording": f"https://api.callrail.com/v3/calls/{values['id']}/recording.json",
                "recording_player": f"{url}/recording",
                "recording_duration": str(seconds) if number % 2 else seconds,
            }
        return {**found, **self._of_company(values), "timeline_url": url,
                "created_at": values["start_time"], "tags": values["tags"] or []}  # fmt: skip

    def _form_submissions(self, _number: int, _version: Version | None, values: Row) -> Row:
        return {**self._of_company(values), "tags": values["tags"] or []}

    def _conversations(self, number: int, version: Version | None, values: Row) -> Row:
        said = self.messages(number, version)
        found = {**self._of_company(values), "last_message_at": said[-1]["created_at"]}
        return {**found, "recent_messages": said[-TAIL:]}

    def _trackers(self, _number: int, _version: Version | None, values: Row) -> Row:
        of = self._of_company(values)
        return {"company": {"id": of["company_id"], "name": of["company_name"]}}

    def _tags(self, number: int, _version: Version | None, values: Row) -> Row:
        is_companys = values["tag_level"] == "company"
        account = int(values["_account"] or 0)
        company = _number_or_text(self.company({"_company": account})) if is_companys else None
        return {"id": int(self.table("tags").id_of(number)), "company_id": company}

    def _users(self, _number: int, _version: Version | None, values: Row) -> Row:
        name = f"{values['first_name']} {values['last_name']}"
        of = self._of_company({"_company": values["_account"]})
        return {"name": name, "companies": [{"id": of["company_id"], "name": of["company_name"]}]}

    def _of_company(self, values: Row) -> Row:
        number = self._company(values)
        company = self.row("companies", number)
        return {"company_id": company["id"], "company_name": company["name"],
                "company_time_zone": company["time_zone"]}  # fmt: skip

    # -- truth -----------------------------------------------------------------------------------

    def truth(self, what: str) -> Iterator[Row]:
        """Every record of a kind that ever existed, as it finally is.

        A record is {"id", "state", "account", "company", "began", "shown", "record"}: `began` is
        what the dates of lists are about, epoch ms, and `shown` whether lists go back as far, where
        they are of the last 25 months. A conversation has all its `messages`.
        """
        table = self.table(what)
        for number in range(table.next_number):
            with self.lock:
                state, version = table.state(number, None)
                values = table.values(number, version)
                began = self.began(what, number, version)
                found: Row = {
                    "id": str(table.id_of(number)),
                    "state": state,
                    "account": self.table("accounts").id_of(self.account(what, values)),
                    "company": self.company(values),
                    "began": began,
                    "shown": began >= self._oldest(),
                    "record": self.row(what, number, version),
                }
                if what == "conversations":
                    found["messages"] = self.messages(number, version)
            yield found

    def _oldest(self) -> int:
        """Epoch ms: 25 months back, where lists end."""
        return self.clock.now_ms() - 760 * DAY_MS


def _number_or_text(company: Any) -> Any:
    return int(company) if str(company).isdecimal() else company
