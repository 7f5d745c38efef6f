"""What the API says of its objects."""

from crm_sync_assets.sandbox.crms.salesforce.fields import Row
from crm_sync_assets.sandbox.crms.salesforce.objects import Object
from crm_sync_assets.sandbox.crms.salesforce.world import World

BATCH = 200


def summary(table: Object, version: str) -> Row:
    """An object without its fields."""
    spec, name = table.spec, table.kind.name
    path = f"/services/data/{version}/sobjects/{name}"
    return {
        "activateable": False, "createable": spec.deletes, "custom": name.endswith("__c"),
        "customSetting": False, "deletable": spec.deletes, "deprecatedAndHidden": False,
        "feedEnabled": False, "keyPrefix": spec.prefix, "label": spec.label,
        "labelPlural": spec.plural, "layoutable": spec.deletes, "mergeable": spec.merges,
        "mruEnabled": True, "name": name, "queryable": True, "replicateable": spec.replicates,
        "retrieveable": True, "searchable": spec.deletes, "triggerable": spec.deletes,
        "undeletable": spec.deletes, "updateable": spec.deletes,
        "urls": {"sobject": path, "describe": f"{path}/describe", "rowTemplate": f"{path}/{{ID}}"},
    }  # fmt: skip


def listed(world: World, version: str) -> Row:
    """The objects that can be seen."""
    seen = [table for name, table in world.tables.items() if name not in world.closed]
    return {
        "encoding": "UTF-8",
        "maxBatchSize": BATCH,
        "sobjects": [summary(table, version) for table in seen],
    }


def described(world: World, table: Object, version: str) -> Row:
    """An object with the fields that can be seen."""
    fields = [field.described() for field in world.fields(table).values()]
    return {
        **summary(table, version),
        "childRelationships": [],
        "fields": fields,
        "recordTypeInfos": [],
        "supportedScopes": [],
    }
