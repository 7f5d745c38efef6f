"""Records of HubSpot's object types."""

from crm_sync_assets.sandbox import store
from crm_sync_assets.sandbox.crms.hubspot.data import Base
from crm_sync_assets.sandbox.crms.hubspot.properties import ObjectType


class Table(store.Table):
    """All records of one object type."""

    base: Base
    kind: ObjectType
