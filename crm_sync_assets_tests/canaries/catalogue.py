"""The canaries: values that must turn up nowhere, and how to find what is left of one."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

SHORTEST_PIECE = 6
AROUND = 40


@dataclass(frozen=True)
class Canary:
    """A secret, or a person's value. Every stretch of letters and digits in it is unmistakable."""

    name: str
    value: str
    personal: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds any piece of it: letters and digits survive every quoting, but not Base64."""
        if self.value.startswith("+1 "):
            return re.compile(r"\D{0,3}".join(re.sub(r"\D", "", self.value)[1:]))
        words = re.findall(r"[A-Za-z0-9]+", self.value)
        pieces = [word for word in words if len(word) >= SHORTEST_PIECE]
        pieces += re.findall(r"[^\x00-\x7f]{2,}", self.value)
        assert pieces, self.name
        if not self.personal:
            pieces += self._base64()
        return re.compile("|".join(map(re.escape, pieces)), re.IGNORECASE)

    def _base64(self) -> Iterator[str]:
        octets = self.value.encode()
        for before in range(3):
            text = base64.b64encode(b"?" * before + octets).decode().rstrip("=")
            yield text[4:16]


SECRETS = (
    Canary("HUBSPOT_TOKEN", "hsKx7qWv.Zr8BnQp+Tt9JjQm/4wLpXc="),
    # Begins like another one: what is left of it would be the end.
    Canary("ZIPCODES_GITHUB_TOKEN", "hsKx7qWv.Zr8BnQp+Tt9JjQm/4wLpXc=GhTail7q2V"),
    Canary("HUBSPOT_CLIENT_SECRET", "csVb3Lk8&Wq5Dx9F?Hy2#%41 Mz6Gt1\"K\\Rr7Tn2X(p*é\u00fcß'"),
    Canary("HUBSPOT_REFRESH_TOKEN", "rfNn4Kd8+Sj2Ff7Y/Ty=Uu3Ee6"),
    Canary("CRM_SYNC_WAREHOUSE_URL", "whPq6Xs2@Nd9Gg4C:/Bw3Kt8%zA"),
    Canary("GENIUS_DATABASE_URL", "gnLm5Vc7#Xe8Rd2H Jk4+Yb6Ws3D"),
    Canary(
        "CRM_SYNC_ENCRYPTION_KEYS",
        base64.urlsafe_b64encode(b"canary key of thirty-two bytes!!").decode(),
    ),
    Canary("a cookie", "ckTz8Bw5Nf3Qd7"),
    Canary("a token in a redirect", "rdHh6Mv9Cz2Lk4"),
    Canary("a token in a query", "qyPp3Jx7Rn8Wd5"),
    Canary("a token of a page", "pgGg9Ts4Vb6Km2"),
)
BY_NAME = {canary.name: canary for canary in SECRETS}


@dataclass(frozen=True)
class Person:
    """Somebody whose values are all canaries."""

    tag: str
    digits: str

    @property
    def email(self) -> str:
        return f"{self.tag}mailbox@{self.tag}domain.test"

    @property
    def phone(self) -> str:
        return f"+1 415-{self.digits[:3]}-{self.digits[3:]}"

    @property
    def name(self) -> str:
        return f"{self.tag.title()}first {self.tag.title()}last"

    def properties(self, **more: str) -> dict[str, str]:
        """As HubSpot has them."""
        first, last = self.name.split()
        return {
            "email": self.email,
            "phone": self.phone,
            "firstname": first,
            "lastname": last,
            "address": f"77 {self.tag}lane",
            **more,
        }

    def canaries(self) -> Iterator[Canary]:
        for name, value in self.properties().items():
            yield Canary(f"{name} of {self.tag}", value, personal=True)


STORED = Person("wuzzlek", "5550137")
INVALID = Person("quimbrat", "5550142")
UNREADABLE = Person("flonzerk", "5550153")
REFUSED = Person("drabblux", "5550164")
DOUBLE = Person("yompitch", "5550175")
SAID = Person("snerkwold", "5550186")
PEOPLE = (STORED, INVALID, UNREADABLE, REFUSED, DOUBLE, SAID)
PERSONAL = tuple(canary for person in PEOPLE for canary in person.canaries())
ALL = (*SECRETS, *PERSONAL)


def found(text: str, canaries: tuple[Canary, ...] = ALL) -> list[str]:
    """What of which canary is in the text, with what stands around it, itself masked."""
    report = []
    for canary in canaries:
        match = canary.pattern.search(text)
        if match:
            before = text[max(0, match.start() - AROUND) : match.start()]
            after = text[match.end() : match.end() + AROUND]
            for other in canaries:
                before = other.pattern.sub("<canary>", before)
                after = other.pattern.sub("<canary>", after)
            report.append(f"{canary.name}: …{before!r} <canary> {after!r}…")
    return report
