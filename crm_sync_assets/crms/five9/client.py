"""Five9's client: the contacts of one domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from crm_sync_assets.crms.five9.dialect import NoSuchField
from crm_sync_assets.crms.five9.domain import Asking, Domain
from crm_sync_assets.crms.five9.fields import Reader
from crm_sync_assets.crms.five9.places import Place
from crm_sync_assets.crms.five9.reading import Reading
from crm_sync_assets.crms.five9.sources import ID
from crm_sync_assets.crms.five9.variables import TIME_ZONE
from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)


class Five9(Domain):
    """Pages from one domain. The options are those of `RestAccount`."""

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Pages of contacts; a field that is gone meanwhile is noticed once."""
        asking = self.asking(read.entity.name, usage)
        try:
            yield from Reading(asking, read).pages()
        except NoSuchField as error:
            log.info("%s: %s: asking anew which fields there are", read.entity, error)
            self.forget_fields()
            yield from Reading(asking, replace(read, cursor=None)).pages()

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Every contact, as a read of everything has it."""
        everything = Strategy("full", overwrite=read.strategy.overwrite)
        return self.pages(replace(read, strategy=everything, cursor=None), usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        """These contacts as they are now; tombstones for those that are gone.

        Where only others come, or one that does not say who it is, the row stays: that proves
        nothing.
        """
        asking = self.asking(read.entity.name, usage)
        reader = Reader(read.entity, asking.fields(), self.zone)
        for key in keys:
            rows = asking.rows([{"field": ID, "value": key[0]}], named=False)
            found = [row for row in rows if row.get(ID) == key[0]]
            if rows and not found:
                log.warning("%s: asked for %s, Five9 sent others: it stays", read.entity, key[0])
                yield replace(reader.page([r for r in rows if not r.get(ID)], {}), kept=[key])
                continue
            yield reader.page(found, {}, gone=() if found else [key])

    def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
        """Nothing where as many contacts were read as the lists have in all; else what a second
        read brings, by another way.

        The lists prove nothing by themselves: a contact is in none or in several. But there are no
        fewer contacts than the largest list has: FatalError where fewer were read, both times.
        """
        asking, place = self.asking(read.entity.name, usage), Place.of(read.cursor or {})
        sizes = asking.sizes()
        if place.is_all_of(sizes):
            return
        largest = min(place.largest, max(sizes.values(), default=0))
        reading = Reading(asking, replace(read, cursor=None))
        second = reading.ways.second(place)
        if second is None and place.blind:
            raise _unproven(asking, place, "contacts without a number cannot be asked for")
        read_by_both = place.read
        if second is not None:
            other, sweep = second
            log.info(
                "%s: the lists have more than the %d contacts read: once more, by %s",
                read.entity,
                place.read,
                other.by,
            )
            for rows in sweep.answers():
                other.read += len(rows)
                yield reading.page(rows, other)
            read_by_both = max(other.read, place.read)
        if read_by_both < largest:
            raise _unproven(asking, place, f"one list alone has {largest}")

    def meaning(self, entity: Entity) -> list[Meant]:  # noqa: ARG002  there is but one
        """The zone; which domain it is, no operation says."""
        zone = self.zone
        return [Meant("time zone", zone.name, TIME_ZONE.name, equals=zone.shows_the_same)]

    def record_url(self, entity: Entity, key: Key) -> str | None:  # noqa: ARG002  no web page
        return None

    def list_url(self, entity: Entity) -> str | None:  # noqa: ARG002  no web page
        return None

    def check(self) -> str:
        """What the domain has. Raises what a refused user raises."""
        asking = self.asking("five9: asking who answers")
        sizes, fields = asking.sizes(), asking.fields()
        return (
            f"the domain of {self.user} has {len(fields.names)} contact fields and {len(sizes)} "
            f"lists; times are read as {self.zone.name}"
        )

    def probe(self, entity: Entity, usage: Usage) -> None:
        """Ask for the fields of contacts."""
        self.asking(entity.name, usage).fields()


def _unproven(asking: Asking, place: Place, why: str) -> FatalError:
    return FatalError(
        f"{asking.subject}: short read: {place.read} contacts were read, the lists have "
        f"{place.listed} in all, and {why}. Nothing is marked as gone; the next sync resumes after "
        "the last page and asks again"
    )
