"""Where everything is: the v3/v4 paths and the dated ones, with identical answers."""

from collections.abc import Iterator

from starlette.routing import Route

from crm_sync_assets.sandbox.crms.hubspot.errors import not_found
from crm_sync_assets.sandbox.crms.hubspot.links import Links
from crm_sync_assets.sandbox.crms.hubspot.objects import Objects
from crm_sync_assets.sandbox.crms.hubspot.portal import Answer, Call, Handler, Portal
from crm_sync_assets.sandbox.crms.hubspot.settings import Settings

DATED = ("2026-09", "2026-03", "2025-09")


def routes(portal: Portal) -> list[Route]:
    """All endpoints; unknown paths answer 404 with the service's body."""
    found = [
        *_objects(portal, Objects(portal)),
        *_links(portal, Links(portal)),
        *_settings(portal, Settings(portal)),
    ]

    def nothing(_: Call) -> Answer:
        raise not_found()

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    found.append(Route("/{rest:path}", portal.endpoint(nothing), methods=methods))
    return found


def _families(area: str, version: str = "v3") -> list[str]:
    return [f"/crm/{version}/{area}", *(f"/crm/{area}/{v}" for v in (version, *DATED))]


def _routes(
    portal: Portal, prefixes: list[str], table: list[tuple[str, str, Handler]]
) -> Iterator[Route]:
    for prefix in prefixes:
        for method, path, handler in table:
            endpoint = portal.endpoint(handler, search=path.endswith("/search"))
            yield Route(prefix + path, endpoint, methods=[method])


def _objects(portal: Portal, objects: Objects) -> Iterator[Route]:
    yield from _routes(
        portal,
        _families("objects"),
        [
            ("GET", "/{type}", objects.list),
            ("POST", "/{type}", objects.create),
            ("POST", "/{type}/search", objects.search),
            ("POST", "/{type}/merge", objects.merge),
            ("POST", "/{type}/gdpr-delete", objects.gdpr_delete),
            ("POST", "/{type}/batch/read", objects.batch_read),
            ("POST", "/{type}/batch/create", objects.batch_create),
            ("POST", "/{type}/batch/update", objects.batch_update),
            ("POST", "/{type}/batch/archive", objects.batch_archive),
            ("GET", "/{type}/{id}", objects.get),
            ("PATCH", "/{type}/{id}", objects.update),
            ("DELETE", "/{type}/{id}", objects.archive),
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
        endpoint = portal.endpoint(settings.token, anonymous=True, form=True)
        yield Route(f"/oauth/{version}/token", endpoint, methods=["POST"])
