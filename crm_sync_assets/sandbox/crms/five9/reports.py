"""Reports: run, said to be running, then fetched."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from crm_sync_assets.sandbox.calls import Call, Refusal
from crm_sync_assets.sandbox.crms.five9 import soap
from crm_sync_assets.sandbox.crms.five9.fields import ID, MODIFIED
from crm_sync_assets.sandbox.crms.five9.knobs import Five9Knobs
from crm_sync_assets.sandbox.crms.five9.soap import Asked
from crm_sync_assets.sandbox.crms.five9.world import World

FOLDER, NAME = "Shared Reports", "Contacts changed"
Line = list[str]


@dataclass(slots=True)
class Report:
    """Its lines, the header first, and how often it is still said to be running."""

    lines: list[Line]
    polls: int


class Reports:
    """The tenant has made one, of contacts by the moment of their last change."""

    def __init__(self, world: World, knobs: Five9Knobs) -> None:
        self._world, self._knobs = world, knobs
        self.reset()

    def reset(self) -> None:
        """None was run."""
        self._run: dict[str, Report] = {}
        self._number = 0

    def run(self, call: Call, asked: Asked) -> list[str]:
        """Its identifier."""
        folder, name = asked.text("folderName"), asked.text("reportName")
        if (folder, name) != (FOLDER, NAME):
            said = {"folder": folder, "report": name}
            raise Refusal(500, soap.fault("ReportNotFoundFault", "no such report", **said))
        criteria = asked.given.get("criteria")
        time = criteria.get("time") if isinstance(criteria, dict) else None
        if not isinstance(time, dict) or not {"start", "end"} <= time.keys():
            raise Refusal(500, soap.fault("MissedArgumentFault", "criteria.time"))
        try:
            start, end = (_wall(str(time[name])) for name in ("start", "end"))
        except ValueError:
            raise Refusal(500, soap.fault("IncorrectArgumentFault", "criteria.time")) from None
        with self._world.lock:
            self._number += 1
            identifier = f"report-{self._number:06d}"
            self._run[identifier] = Report(
                self._lines(call, start, end), self._knobs.five9_report_polls
            )
        return [identifier]

    def _lines(self, call: Call, start: str, end: str) -> list[Line]:
        names = [n for n in self._world.names if n != self._knobs.five9_report_lacks]
        found = [["CONTACT ID" if name == ID else name for name in names]]
        campaign = self._knobs.five9_report_campaign
        for _, row in self._world.shown(call.now):
            if campaign and row["last_campaign"] != campaign:
                continue
            if start <= (row[MODIFIED] or "") <= end:
                found.append([row.get(name) or "" for name in names])
                if len(found) > self._knobs.five9_report_rows:
                    break
        return found

    def is_running(self, _: Call, asked: Asked) -> list[str]:
        """Whether one has to wait."""
        report = self._known(asked)
        report.polls -= 1
        return ["true" if report.polls >= 0 else "false"]

    def result(self, _: Call, asked: Asked) -> list[str]:
        """Header and records."""
        header, *lines = self._ready(asked).lines
        records = "".join(f"<records>{soap.row(line)}</records>" for line in lines)
        return [f"<header>{soap.row(header)}</header>{records}"]

    def csv(self, _: Call, asked: Asked) -> list[str]:
        """The same as the text of a CSV file."""
        text = io.StringIO()
        csv.writer(text).writerows(self._ready(asked).lines)
        return [escape(text.getvalue())]

    def _known(self, asked: Asked) -> Report:
        report = self._run.get(asked.text("identifier"))
        if report is None or self._knobs.five9_reports_forgotten:
            raise Refusal(500, soap.fault("UnknownIdentifierFault", "no such report was run"))
        return report

    def _ready(self, asked: Asked) -> Report:
        report = self._known(asked)
        if report.polls > 0:
            raise Refusal(500, soap.fault("ResultIsNotReadyFault", "the report is running"))
        return report


def _wall(given: str) -> str:
    """A moment of a criterion as a contact has it."""
    at = datetime.fromisoformat(given).replace(tzinfo=None)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
