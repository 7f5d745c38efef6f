"""Where everything is: the v3/v4 paths and the dated ones, with identical answers."""

from collections.abc import Iterator

from starlette.routing import Route

from crm_sync_assets.sandbox.calls import Door, Handler
from crm_sync_assets.sandbox.crms.hubspot.links import Links
from crm_sync_assets.sandbox.crms.hubspot.objects import Objects
from crm_sync_assets.sandbox.crms.hubspot.portal import SEARCH, Portal
from crm_sync_assets.sandbox.crms.hubspot.settings import Settings
from crm_sync_assets.sandbox.crms.hubspot.writes import Writes

DATED = ("2026-09", "2026-03", "2025-09")


def routes(portal: Portal) -> list[Route]:
    """All endpoints; unknown paths answer 404 with the service's body."""
    found = [
        *_objects(portal, Objects(portal)),
        *_links(portal, Links(portal)),
        *_settings(portal, Settings(portal)),
    ]
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    found.append(Route("/{rest:path}", portal.endpoint(Door(portal.nothing)), methods=methods))
    return found


def _families(area: str, version: str = "v3") -> list[str]:
    return [f"/crm/{version}/{area}", *(f"/crm/{area}/{v}" for v in (version, *DATED))]


def _routes(
    portal: Portal, prefixes: list[str], table: list[tuple[str, str, Handler]]
) -> Iterator[Route]:
    for prefix in prefixes:
        for method, path, handler in table:
            door = Door(handler, kind=SEARCH if path.endswith("/search") else "")
            yield Route(prefix + path, portal.endpoint(door), methods=[method])


def _objects(portal: Portal, objects: Objects) -> Iterator[Route]:
    writes = Writes(portal, objects)
    yield from _routes(
        portal,
        _families("objects"),
        [
            ("GET", "/{type}", objects.list),
            ("POST", "/{type}", writes.create),
            ("POST", "/{type}/search", objects.search),
            ("POST", "/{type}/merge", writes.merge),
            ("POST", "/{type}/gdpr-delete", writes.gdpr_delete),
            ("POST", "/{type}/batch/read", objects.batch_read),
            ("POST", "/{type}/batch/create", writes.batch_create),
            ("POST", "/{type}/batch/update", writes.batch_update),
            ("POST", "/{type}/batch/archive", writes.batch_archive),
            ("GET", "/{type}/{id}", objects.get),
            ("PATCH", "/{type}/{id}", writes.update),
            ("DELETE", "/{type}/{id}", writes.archive),
        ],
    )


def _links(portal: Portal, links: Links) -> Iterator[Route]:
    yield from _routes(
        portal,
        _families("associations", "v4"),
        [("POST", "/{type}/{other}/batch/read", links.batch_read)],
    )
    yield from _routes(
        portal,
        _families("objects", "v4"),
        [
            ("GET", "/{type}/{id}/associations/{other}", links.of_record),
            ("PUT", "/{type}/{id}/associations/default/{other}/{other_id}", links.put),
            ("DELETE", "/{type}/{id}/associations/{other}/{other_id}", links.delete),
        ],
    )


def _settings(portal: Portal, settings: Settings) -> Iterator[Route]:
    yield from _routes(
        portal,
        _families("owners"),
        [
            ("GET", "", settings.owners),
            ("GET", "/", settings.owners),
            ("GET", "/{id}", settings.owner),
        ],
    )
    yield from _routes(
        portal,
        _families("pipelines"),
        [
            ("GET", "/{type}", settings.pipelines),
            ("GET", "/{type}/{id}", settings.pipeline),
            ("GET", "/{type}/{id}/stages", settings.stages),
            ("GET", "/{type}/{id}/stages/{stage}", settings.stage),
        ],
    )
    yield from _routes(
        portal,
        _families("properties"),
        [("GET", "/{type}", settings.properties), ("GET", "/{type}/{name}", settings.property)],
    )
    schemas = ["/crm/v3/schemas", *(f"/crm-object-schemas/{v}/schemas" for v in ("v3", *DATED))]
    yield from _routes(
        portal, schemas, [("GET", "", settings.schemas), ("GET", "/{type}", settings.schema)]
    )
    account = ["/account-info/v3", *(f"/account-info/{v}" for v in DATED)]
    yield from _routes(portal, account, [("GET", "/details", settings.account)])
    for version in ("v1", "v3", *DATED):
        endpoint = portal.endpoint(Door(settings.token, anonymous=True, form=True))
        yield Route(f"/oauth/{version}/token", endpoint, methods=["POST"])
