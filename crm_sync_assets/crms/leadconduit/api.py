"""How LeadConduit's API is reached."""

from __future__ import annotations

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.rest.api import Api
from crm_sync_assets.clients.rest.auth import Basic
from crm_sync_assets.clients.rest.dialects import Patient
from crm_sync_assets.crms.leadconduit.variables import API_KEY, BASE_URL


class Paid(Patient):
    """A key that is good for nothing looks like a wrong one."""

    def explain(self, answer: Answer) -> str:
        said = super().explain(answer)
        return f"{said}; a free account may read no events" if answer.status == 401 else said


API = Api(
    str(BASE_URL.default),
    base_variable=BASE_URL.name,
    auth=Basic("API", API_KEY),
    probe="/events?limit=1",
    windows=("minute",),
    dialect=Paid("minute"),
)
