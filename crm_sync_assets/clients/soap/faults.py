"""Faults: what stands in an HTTP 500 decides, and not the 500.

A service says by the name of the element inside `detail` what is wrong; `faultstring` is for
people, and worded differently from one version to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from crm_sync_assets.clients.answers import Answer, Dialect, Fatal, Retry, Verdict
from crm_sync_assets.errors import BadRequest, FatalError
from crm_sync_assets.masking import masked

ENVELOPE: Final = "{http://schemas.xmlsoap.org/soap/envelope/}"
LOOKED_AT: Final = 2_048
"""Bytes of an answer in which a fault would begin."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by the local name inside its detail, "" where it has none, and what that says.

    `is_ours` where its code says that the message was wrong.
    """

    name: str
    message: str
    said: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = False

    def __str__(self) -> str:
        told = [self.name, self.message]
        told += [f"{name} {value}" for name, value in self.said.items() if name != "message"]
        return ": ".join(part for part in told if part)


def fault_in(answer: Answer) -> Fault | None:
    """The fault of an answer, None where it has none."""
    if b"Fault" not in answer.body[:LOOKED_AT]:
        return None
    from crm_sync_assets.clients.markup import Malformed, elements, local, text_of

    try:
        for element in elements(answer.body, f"{ENVELOPE}Envelope", f"{ENVELOPE}Fault"):
            parts = {local(part): part for part in element}
            texts = {name: text_of(part).strip() for name, part in parts.items()}
            inside = next(iter(parts["detail"]), None) if "detail" in parts else None
            code = texts.get("faultcode", "").rpartition(":")[2]
            message = texts.get("faultstring", "")
            if inside is None:
                return Fault("", message, is_ours=code.startswith("Client"))
            said = {local(part): text_of(part).strip() for part in inside}
            return Fault(local(inside), said.get("message") or message, said)
    except Malformed:
        return None
    return None


Judgement = Verdict | Callable[[Fault, Answer, int], Verdict]
"""What a fault means, of itself or by what it says; the number is that of the tries in a row."""


class Faults(Dialect):
    """A dialect of faults by name. One that nobody has declared is final."""

    def __init__(self, known: Mapping[str, Judgement]) -> None:
        self._known = known

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        fault = fault_in(answer)
        if fault is None:
            return super().verdict(answer, tries)
        if not fault.name:
            # The framework below the service: it did not understand, or could not work.
            return Fatal(BadRequest) if fault.is_ours else Retry()
        known = self._known.get(fault.name, Fatal(FatalError))
        return known(fault, answer, tries) if callable(known) else known

    def explain(self, answer: Answer) -> str:
        fault = fault_in(answer)
        return masked(str(fault) if fault else answer.body)
