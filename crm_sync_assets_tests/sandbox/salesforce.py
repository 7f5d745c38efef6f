"""Salesforce's paths, spoken with a session of the org."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx

from crm_sync_assets.sandbox import Sandbox

VERSION = "v67.0"
DATA = f"/services/data/{VERSION}"


class Org:
    """Requests with a session, which client credentials began."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world: Any = sandbox.salesforce
        self.crm: Any = sandbox.crms["salesforce"]
        self.env = self.crm.env(sandbox.url)
        self.http = httpx.Client(base_url=self.env["SALESFORCE_LOGIN_URL"], verify=False)
        self.begin()

    def token(self, **form: str) -> httpx.Response:
        """An answer of the token endpoint."""
        return self.http.post("/services/oauth2/token", data=form)

    @property
    def client(self) -> dict[str, str]:
        """What the application is known by."""
        names = ("client_id", "client_secret")
        return {name: self.env[f"SALESFORCE_{name.upper()}"] for name in names}

    def begin(self) -> None:
        """A session of its own."""
        answer = self.token(grant_type="client_credentials", **self.client)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> httpx.Response:
        place = path if path.startswith("/") else f"{DATA}/{path}"
        return self.http.get(place, params=params or None)

    def ask(self, soql: str, *, all: bool = True) -> httpx.Response:
        """The first page of a query."""
        return self.get("queryAll" if all else "query", q=soql)

    def rows(self, soql: str, *, all: bool = True) -> list[dict[str, Any]]:
        """Every record that a query finds."""
        found, page = [], self.ask(soql, all=all)
        while True:
            assert page.status_code == 200, page.text
            found += page.json()["records"]
            if page.json()["done"]:
                assert "nextRecordsUrl" not in page.json()
                return found
            page = self.get(page.json()["nextRecordsUrl"])

    def ids(self, soql: str, *, all: bool = True) -> list[str]:
        return [row["Id"] for row in self.rows(soql, all=all)]

    def job(self, soql: str, *, all: bool = True, **more: Any) -> httpx.Response:
        """What making a job for a query answers."""
        operation = "queryAll" if all else "query"
        return self.http.post(
            f"{DATA}/jobs/query", json={"operation": operation, "query": soql, **more}
        )

    def done(self, soql: str, *, all: bool = True, **more: Any) -> dict[str, Any]:
        """A job that has ended."""
        job = self.job(soql, all=all, **more).json()
        while job["state"] not in ("JobComplete", "Failed", "Aborted"):
            job = self.get(f"jobs/query/{job['id']}").json()
        return job

    def results(self, job: dict[str, Any], **params: Any) -> httpx.Response:
        """A page of results."""
        return self.get(f"jobs/query/{job['id']}/results", **params)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The message of an answer that must be such a refusal: a list with one error."""
    assert answer.status_code == status, answer.text
    [error] = answer.json()
    assert error["errorCode"] == code
    return str(error["message"])


def parsed(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a page of results."""
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
